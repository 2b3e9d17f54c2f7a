import { expect, test } from "bun:test";
import { checkSession } from "../../../src/daemon/pending/pending-session.ts";

const at = (opened: number) => ({ connection: "192.0.2.1 1 192.0.2.2 22", opened });
const change = { enforced: 100, started: 90 };

test.each([
	["a connection from before the change", change, [at(99.99)], false, false],
	["one from before, of two findings", change, [at(120), at(80)], false, false],
	["one opened between the request and its enforcement", change, [at(95)], false, false],
	["one opened since", change, [at(100)], false, true],
	["one that the client alone knows", change, [null, at(101)], false, true],
	["one from before, insisted on", change, [at(1)], true, true],
	["none", change, [null, null], false, true],
	[
		"one opened since it was asked for, before it was ever in force",
		{ enforced: null, started: 90 },
		[at(91)],
		false,
		true,
	],
] as const)("with %s", (_what, record, found, insists, ok) => {
	expect(checkSession(record, found, insists).ok).toBe(ok);
});

const claimed = (opened: number) => ({ ...at(opened), unproven: true as const });

test.each([
	["that nothing proves", [claimed(101), claimed(101)], false, false],
	["that only its owner names", [null, claimed(101)], false, false],
	["that the daemon may not look at and the client can", [claimed(101), at(101)], false, true],
	[
		"of which another is proven",
		[claimed(101), { connection: "192.0.2.1 2 192.0.2.2 22", opened: 101 }],
		false,
		false,
	],
	["that nothing proves, insisted on", [claimed(101)], true, true],
] as const)("a connection %s", (_what, found, insists, ok) => {
	const reply = checkSession(change, found, insists);
	expect(reply.ok).toBe(ok);
	if (!ok) expect(reply.message).toContain("no sshd that this command descends from");
	if (insists) expect(reply.message).toContain("nothing proves");
});

test("says whether anything was checked", () => {
	expect(checkSession(change, [null], false).message).toStartWith("unchecked");
	expect(checkSession(change, [at(101)], false).message).toContain("192.0.2.1 1");
});
