import { expect, test } from "bun:test";
import { routedReceivers } from "../../../../src/enforcers/network/observe/receivers.ts";

test("what leads to this host is on the loopback, and what is no address is nowhere", () => {
	const receiver = { name: "a", protocol: "udp", address: "127.0.0.1", port: 514 } as const;
	expect(routedReceivers([receiver, { ...receiver, address: "localhost" }])).toEqual([
		{ ...receiver, interface: "lo" },
	]);
	expect(routedReceivers([])).toEqual([]);
});
