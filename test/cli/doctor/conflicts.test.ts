import { expect, test } from "bun:test";
import { firewallFindings, usbFindings } from "../../../src/cli/doctor/conflicts.ts";
import type { ForeignChain } from "../../../src/enforcers/network/observe/foreign-chains.ts";

const chain = (more: Partial<ForeignChain>): ForeignChain => ({
	family: "inet",
	table: "t",
	chain: "c",
	type: "filter",
	hook: "input",
	priority: 0,
	policy: "drop",
	tools: [],
	legacy: false,
	...more,
});

test("each chain that decides, with its hook, priority and who made it", () => {
	const chains = [
		chain({
			table: "firewalld",
			chain: "filter_INPUT",
			priority: 10,
			policy: "accept",
			tools: ["firewalld"],
		}),
		chain({ hook: "forward" as ForeignChain["hook"] }),
		chain({ hook: "prerouting", type: "nat", table: "docker", tools: ["Docker"] }),
	];
	const [firewalld, ...more] = firewallFindings(chains);
	expect(more).toEqual([]);
	expect(firewalld).toMatchObject({
		check: "firewalls",
		state: "warning",
		message: expect.stringContaining(
			"inet firewalld filter_INPUT (firewalld; input, priority 10, policy accept)",
		),
		remedy: expect.stringContaining("switching off firewalld"),
	});
});

test("none", () => {
	expect(firewallFindings([])).toMatchObject([{ state: "ok" }]);
});

test("USBGuard, where devices are enforced at all", () => {
	const processes = new Set(["systemd", "usbguard-daemon"]);
	expect(usbFindings(processes, true, true)).toMatchObject([
		{ state: "warning", message: "USBGuard runs, and authorizes the same devices" },
	]);
	expect(usbFindings(new Set(["systemd"]), true, true)).toMatchObject([{ state: "ok" }]);
	expect(usbFindings(processes, false, true)).toMatchObject([{ state: "ok" }]);
	expect(usbFindings(processes, true, false)).toMatchObject([{ state: "ok" }]);
});
