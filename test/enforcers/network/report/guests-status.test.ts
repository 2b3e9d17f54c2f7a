import { expect, test } from "bun:test";
import type { CompiledRule } from "../../../../src/enforcers/network/compile/plan.ts";
import {
	describeBridge,
	describeForwarded,
	describePublished,
	guestsStatus,
	type JudgedPort,
} from "../../../../src/enforcers/network/report/guests-status.ts";

const rule = (action: CompiledRule["action"], forwardedCounter: string) =>
	({ action, forwardedCounter }) as unknown as CompiledRule;
const rules = [rule("Block", "f_a"), rule("Audit", "f_b"), rule("Block", "f_c"), rule("Block", "f_none")];
const counters = { f_a: { packets: 3 }, f_b: { packets: 100 }, f_c: { packets: 4 } };
const forward = { root: "r", uplinks: [], guard: [] };

test("what would have been blocked is what Blocks counted of forwarded packets, in audit alone", () => {
	const of = (mode: "audit" | "enforce") =>
		guestsStatus(mode, null, { forward: { ...forward, mode }, rules }, counters).wouldHaveBlocked;
	expect([of("audit"), of("enforce")]).toEqual([7, null]);
	expect(guestsStatus("audit", null, null, {})).toMatchObject({ wouldHaveBlocked: null, known: false });
});

test("each mode says what it does", () => {
	expect(describeForwarded({ forwarded: "off", wouldHaveBlocked: null })).toStartWith("off: ");
	expect(describeForwarded({ forwarded: "enforce", wouldHaveBlocked: null })).toStartWith("enforce: ");
	expect(describeForwarded({ forwarded: "audit", wouldHaveBlocked: 7 })).toContain(
		"7 packets would have been blocked",
	);
});

test("a published port says who reaches it, and that audit drops nothing", () => {
	const port: JudgedPort = {
		protocol: "tcp",
		family: 6,
		address: "::",
		port: 80,
		guest: { address: "fd00::2", port: 8080 },
		bridge: "docker0",
		by: "Docker",
		hook: "forward",
		reachable: [{ interface: null, addresses: [] }],
		closedBy: ["shut"],
	};
	expect(describePublished(port, "enforce")).toBe("tcp [::]:80 -> [fd00::2]:8080 (Docker): closed by shut");
	expect(describePublished(port, "audit")).toEndWith("closed by shut (audit: nothing is dropped yet)");
	expect(describePublished({ ...port, hook: "input" }, "audit")).toEndWith("closed by shut");
	expect(describeBridge({ name: "docker0", subnets: ["172.17.0.0/16"], ports: 1 })).toBe(
		"docker0 (172.17.0.0/16), 1 guest",
	);
});
