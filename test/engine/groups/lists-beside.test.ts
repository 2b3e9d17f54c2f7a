import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { listsBeside, listsUnlike } from "../../../src/engine/groups/lists-beside.ts";
import { readTree } from "../../../src/state/pending-tree.ts";

let home: string;
beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-lists-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function put(path: string, text: string): void {
	mkdirSync(join(home, dirname(path)), { recursive: true });
	writeFileSync(join(home, path), text);
}

const group = (name: string, file: string) =>
	`apiVersion: portward.io/v1\nkind: PortwardAddressGroup\nmetadata: {name: ${name}}\nspec: {file: ${file}}\n`;

function lists(checkPermissions = false) {
	const tree = readTree(join(home, "new"), { checkPermissions });
	if (!tree.ok) throw new Error(tree.problems.join());
	return listsBeside(join(home, "new"), tree.files, { checkPermissions });
}

test("what groups name below the directory, each once", () => {
	put("new/a.yaml", `${group("a", "one.txt")}---\n${group("b", "./one.txt")}`);
	put("new/team/b.yaml", `${group("c", "lists/two.txt")}---\n${group("d", "../three.txt")}`);
	for (const path of ["one.txt", "team/lists/two.txt", "three.txt", "unnamed.txt"]) put(`new/${path}`, path);
	const read = lists();
	if (!read.ok) throw new Error(read.problems.join());
	expect(read.files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()])).toEqual(
		["one.txt", "team/lists/two.txt", "three.txt"].map((path) => [path, path]),
	);
});

test("nothing that lies elsewhere, is hidden, is policies, or is not there", () => {
	put("outside.txt", "10.0.0.0/8\n");
	put("new/.hidden.txt", "10.0.0.0/8\n");
	const files = ["../outside.txt", join(home, "outside.txt"), ".hidden.txt", "a.yaml", "none.txt", ".."];
	put("new/a.yaml", files.map((file, i) => group(`g${i}`, file)).join("---\n"));
	expect(lists()).toEqual({ ok: true, files: [] });
});

test("one that others can write is a problem", () => {
	put("new/a.yaml", group("a", "one.txt"));
	put("new/one.txt", "10.0.0.0/8\n");
	chmodSync(join(home, "new/one.txt"), 0o666);
	expect(lists(true)).toEqual({ ok: false, problems: [expect.stringContaining("one.txt: the file")] });
	expect(lists()).toMatchObject({ ok: true, files: [{ path: "one.txt" }] });
});

test("those that another directory has as well are the same there", () => {
	put("old/one.txt", "10.0.0.0/8\n");
	put("old/two.txt", "10.0.0.0/8\n");
	const files = ["one.txt", "three.txt"].map((path) => ({ path, bytes: Buffer.from("10.0.0.0/8\n") }));
	const other = { path: "two.txt", bytes: Buffer.from("192.0.2.0/24\n") };
	expect(listsUnlike([...files, other], join(home, "old")).map(({ path }) => path)).toEqual([
		"three.txt",
		"two.txt",
	]);
});
