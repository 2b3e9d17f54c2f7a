/** --json of commands that do something: one shape, held against its schema, and the exit codes as without. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asksJson, telling } from "../../src/cli/outcome.ts";
import { usbAllow } from "../../src/cli/usb/usb-allow.ts";
import { usbGeneratePolicy } from "../../src/cli/usb/usb-generate-policy.ts";
import {
	type ControlReply,
	type ControlRequest,
	controlPath,
} from "../../src/serve/control/control-protocol.ts";
import { ControlServer } from "../../src/serve/control/control-server.ts";
import { FakeKernel } from "../enforcers/usb/support/fake-usb.ts";
import { violations } from "../support/json-schema.ts";
import { block, policy } from "../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";
import { CapturedIo, Files, portward } from "./support/portward.ts";

let network: IsolatedNetwork;
let kernel: FakeKernel;
let files: Files;
const path = (name: string) => join(files.path, name);
const config = () => ["--config", path(".config")];
const good = policy("a", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] });

beforeAll(() => {
	network = enterIsolatedNetwork();
	kernel = new FakeKernel();
	kernel.plug("1-1", {
		vendor: 0x781,
		product: 0x5567,
		strings: { serial: "S1" },
		configurations: [[{ triple: [8, 6, 80] }]],
	});
	files = new Files();
	for (const name of ["policies", "new", "bad", "state"]) mkdirSync(path(name));
	files.put("new/a.json", good);
	files.put("bad/a.json", good.replace('"Block"', '"Blok"'));
	files.config({
		table: "mine",
		stateDir: path("state"),
		policyDir: path("policies"),
		enableUSBDeviceHandler: false,
	});
});
afterAll(() => {
	network.leave();
	kernel.remove();
	files[Symbol.dispose]();
});

interface Document extends Readonly<Record<string, unknown>> {
	readonly ok: boolean;
	readonly messages: readonly string[];
	readonly problems: readonly string[];
	readonly publicKey?: string;
	readonly generatedPolicy?: string;
	readonly link?: string;
}

function read(out: string): Document {
	const document: Document = JSON.parse(out);
	expect(violations(document, "outcome")).toEqual([]);
	return document;
}

/** Runs a command with --json, whose document is right for its exit code. */
async function outcome(code: number, ...args: readonly string[]): Promise<Document> {
	const ended = await portward(...args, "--json");
	expect([args[0], ended.code, ended.error]).toEqual([args[0], code, ended.error]);
	const document = read(ended.out);
	expect(document.ok).toBe(code === 0);
	return document;
}

describe("what a command gives beside its words", () => {
	test("render: the ruleset, or the diagnostics", async () => {
		const plain = await portward("render", "--policy-dir", path("new"), ...config());
		const found = await outcome(0, "render", "--policy-dir", path("new"), ...config());
		expect(found).toMatchObject({ messages: [], problems: [], ruleset: plain.out });
		const bad = await outcome(1, "render", "--policy-dir", path("bad"), ...config());
		expect(bad).toMatchObject({
			problems: [],
			diagnostics: [{ severity: "error", file: path("bad/a.json") }],
		});
	});

	test("policy: the key, the serial, who signed", async () => {
		const key = path("key.pem");
		const made = await outcome(0, "policy", "keygen", "--out", key);
		const again = await outcome(1, "policy", "keygen", "--out", key);
		expect(again.problems).toEqual([expect.stringContaining("the key cannot be written")]);
		const signed = await outcome(0, "policy", "sign", path("new"), "--key", key);
		expect(signed).toMatchObject({ serial: 1, files: 1, publicKey: made.publicKey });
		const trusted = ["--trusted-key", `${made.publicKey}`];
		const verified = await outcome(0, "policy", "verify", path("new"), ...trusted);
		expect(verified).toMatchObject({ serial: 1, files: 1, signer: made.publicKey });
		await outcome(1, "policy", "verify", path("bad"), ...trusted);
		await outcome(0, "policy", "reset-serial", ...config());
	});

	test("usb: the policy that is generated, and the file that is written", async () => {
		const generated = new CapturedIo();
		expect(await telling(usbGeneratePolicy)([...config(), "--json"], generated, kernel.root)).toBe(0);
		const plain = new CapturedIo();
		await telling(usbGeneratePolicy)(config(), plain, kernel.root);
		expect(read(generated.out_).generatedPolicy).toBe(plain.out_);
		const allowed = new CapturedIo();
		const args = ["1-1", "--permanent", ...config(), "--json"];
		expect(await telling(usbAllow)(args, allowed, kernel.root)).toBe(0);
		const { file } = read(allowed.out_);
		expect(readFileSync(`${file}`, "utf8")).toContain("kind: KubeArmorHostPolicy");
	});

	test("the emergency: panic-open, resume, restore, release", async () => {
		const rendered = await portward("render", "--policy-dir", path("new"), ...config());
		command("nft", "-f", files.put(".rules.nft", rendered.out));
		const opened = await outcome(0, "panic-open", "--reason", "drill", ...config());
		expect(opened.messages).toContain("table inet mine lets everything pass");
		// Without a table, resume goes on as restore does: one document for both.
		expect((await outcome(0, "resume", ...config())).messages).toEqual([
			"no daemon answers",
			"the rules that table inet mine holds are in force again",
		]);
		expect((await outcome(0, "restore", ...config())).messages.length).toBe(1);
		expect((await outcome(0, "release", ...config())).messages).toEqual([
			"table inet mine is removed: nothing is blocked any more",
		]);
		await outcome(0, "panic-open", "--reason", "drill", ...config());
		const { messages } = await outcome(0, "resume", ...config());
		expect(messages).toEqual([
			"no daemon answers",
			"the kernel holds no rules: the saved ones are put back",
			expect.stringContaining("nothing to restore"),
		]);
		expect((await outcome(0, "release", "usb", "--dry-run", ...config())).messages).toEqual([
			"USB is not locked: no device would work again",
		]);
	});
});

describe("what a daemon answers", () => {
	let server: ControlServer | null = null;
	let answer: (request: ControlRequest) => ControlReply;
	beforeAll(async () => {
		const opened = await ControlServer.open({
			path: controlPath(path("state")),
			perform: async (request) => answer(request),
		});
		server = opened.ok ? opened.server : null;
	});
	afterAll(() => server?.stop());

	test("apply: the plan, and the change that waits", async () => {
		answer = () => ({
			ok: true,
			message: "in force",
			values: { change: "0123456789abcdef", seconds: 60 },
		});
		const done = await outcome(0, "apply", "--policy-dir", path("new"), ...config());
		expect(done).toMatchObject({ messages: ["in force"], change: "0123456789abcdef", seconds: 60 });
		expect(done).toMatchObject({ plan: { changes: true, rules: [{ change: "added" }] } });
		answer = () => ({ ok: false, message: "not all of it is right" });
		const refused = await outcome(1, "apply", "--policy-dir", path("bad"), ...config());
		expect(refused).toMatchObject({
			messages: [],
			problems: ["not all of it is right"],
			diagnostics: [{ severity: "error" }],
		});
	});

	test.each([
		[["confirm"]],
		[["rollback"]],
		[["reload"]],
		[["page"]],
		[["usb", "allow", "1-1", "--for", "90s"]],
		[["usb", "allow", "1-1", "--end"]],
		[["usb", "block", "1-1"]],
	])("%p", async (args) => {
		answer = () => ({ ok: true, message: "done" });
		expect((await outcome(0, ...args, ...config())).messages).toEqual(["done"]);
		answer = () => ({ ok: false, message: "no\nsince\u001b[2J" });
		expect((await outcome(1, ...args, ...config())).problems).toEqual(["no\n    since\\x1b[2J"]);
	});

	test("page has its link as a value", async () => {
		answer = () => ({ ok: true, message: "http://[::1]/x", values: { link: "http://[::1]/x" } });
		expect((await outcome(0, "page", ...config())).link).toBe("http://[::1]/x");
	});
});

describe("a command that has another document", () => {
	test.each([
		["broken settings", 1, ["explain", "ingress", "tcp", "192.0.2.1", "22"], "diagnostics"],
		["a daemon that does not answer", 1, ["status", "--status-address", "127.0.0.1:1"], "problems"],
		["wrong usage", 64, ["search", "sideways"], "problems"],
		["an option that is not there", 64, ["plan", "--nonsense"], "problems"],
		["wrong usage of a command that tells", 64, ["apply"], "problems"],
	])("says in this one why there is none: %s", async (_, code, args, where) => {
		const broken = where === "diagnostics" ? ["--config", files.put("broken.yaml", "table: [")] : [];
		const found = await outcome(code, ...args, ...broken);
		expect(found[where]).not.toEqual([]);
		expect(found.messages).toEqual([]);
		expect(JSON.stringify(found.problems)).not.toContain("Usage:");
	});

	test("prints nothing more where it has printed its own", async () => {
		const ended = await portward("validate", path("bad"), "--json");
		expect(ended.code).toBe(1);
		expect(violations(JSON.parse(ended.out), "validate")).toEqual([]);
	});
});

test("--json counts among the options alone", () => {
	expect([["--json"], ["a", "--json", "--", "b"]].every(asksJson)).toBe(true);
	expect([[], ["json"], ["--", "--json"], ["--json=1"]].some(asksJson)).toBe(false);
});
