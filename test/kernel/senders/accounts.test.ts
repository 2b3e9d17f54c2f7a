import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	type AccountFiles,
	accountsVersion,
	HostAccounts,
	parseAccounts,
} from "../../../src/kernel/senders/accounts.ts";

let home: string;
let files: AccountFiles;
beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-"));
	files = { user: join(home, "passwd"), group: join(home, "group") };
	writeFileSync(files.user, "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:100::/home/alice:/bin/sh\n");
	writeFileSync(files.group, "root:x:0:\nusers:x:100:alice,bob\n");
});
afterEach(() => rmSync(home, { recursive: true }));

test("names have the numbers of the files; of a name that stands there twice the first counts", () => {
	const text = "root:x:0:0\nalice:x:1000:100\nalice:x:1001:100\nsvc$:x:7:7\nlast:x:4294967294:0";
	expect([...parseAccounts(text)]).toEqual([
		["root", 0],
		["alice", 1000],
		["svc$", 7],
		["last", 4294967294],
	]);
});

test.each([
	["a line of NIS", "+alice:x:1000:100"],
	["a line that takes away", "-alice:x:1000:100"],
	["a comment", "#alice:x:1000:100"],
	["no name", ":x:1000:100"],
	["no number", "alice:x::100"],
	["a negative number", "alice:x:-1:100"],
	["a number in another form", "alice:x:0x10:100"],
	["the number of nobody", "alice:x:4294967295:100"],
	["a number that would wrap round to root's", "alice:x:4294967296:100"],
	["too few fields", "alice"],
	["a name too long", `${"a".repeat(257)}:x:1000:100`],
	["a blank in the name", "ali ce:x:1000:100"],
	["a number behind a kilobyte", `alice:${"x".repeat(2000)}:1000:100`],
])("%s is no account, and those behind it are", (_, line) => {
	expect([...parseAccounts(`${line}\nbob:x:1001:100\n`)]).toEqual([["bob", 1001]]);
});

test("each kind is read from its own file, and once", () => {
	const accounts = new HostAccounts(files);
	expect(accounts.number("user", "alice")).toBe(1000);
	expect(accounts.number("group", "users")).toBe(100);
	expect(accounts.number("group", "alice")).toBeNull();
	expect(accounts.names("user")).toEqual(["root", "alice"]);
	writeFileSync(files.user, "alice:x:5:5\n");
	expect(accounts.number("user", "alice")).toBe(1000);
	expect(new HostAccounts(files).number("user", "alice")).toBe(5);
});

test("the version is another one after each change, and the same without one", () => {
	const first = accountsVersion(files);
	expect(accountsVersion(files)).toBe(first);
	writeFileSync(join(home, "new"), "root:x:0:0\n");
	renameSync(join(home, "new"), files.group);
	const second = accountsVersion(files);
	rmSync(files.group);
	expect(new Set([first, second, accountsVersion(files)]).size).toBe(3);
});

test("where a file was never read nobody is known", () => {
	const absent = { user: join(home, "absent"), group: home };
	expect(new HostAccounts(absent).number("user", "alice")).toBeNull();
	expect(new HostAccounts(absent).names("group")).toEqual([]);
});

test.each<[string, (path: string) => void]>([
	["has gone", (path) => rmSync(path)],
	["is longer than any", (path) => truncateSync(path, 33 * 1024 * 1024)],
	[
		"is no file any more",
		(path) => {
			rmSync(path);
			Bun.spawnSync(["mkfifo", path]);
		},
	],
])("a file that %s takes no number from anybody: a Block of a user goes on", (_, spoil) => {
	expect(new HostAccounts(files).number("user", "alice")).toBe(1000);
	spoil(files.user);
	expect(new HostAccounts(files).number("user", "alice")).toBe(1000);
});
