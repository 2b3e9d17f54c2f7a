import { expect, test } from "bun:test";
import { type LocalInterfaces, localInterfaces } from "../../src/kernel/local-interfaces.ts";
import { command, enterIsolatedNetwork } from "../system/support/isolated.ts";

function read(): LocalInterfaces {
	const result = localInterfaces();
	if (!result.ok) throw new Error(result.error);
	return result.interfaces;
}

test("every interface and address is told, with and without a carrier", () => {
	const network = enterIsolatedNetwork();
	try {
		expect(read().addresses).toEqual(
			new Map([
				["127.0.0.1", ["lo"]],
				["::1", ["lo"]],
			]),
		);
		command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
		expect([...read().names].sort()).toEqual(expect.arrayContaining(["d0", "d1", "lo"]));
		command("ip", "address", "add", "192.0.2.9/24", "dev", "d0");
		command("ip", "address", "add", "2001:db8::0:9/64", "dev", "d0", "nodad");
		command("ip", "address", "add", "10.0.0.1", "peer", "10.0.0.2", "dev", "d1");
		command("ip", "address", "add", "192.0.2.9/32", "dev", "d1");
		const addresses = new Map([
			["127.0.0.1", ["lo"]],
			["::1", ["lo"]],
			["192.0.2.9", ["d0", "d1"]],
			["2001:db8::9", ["d0"]],
			["10.0.0.1", ["d1"]],
		]);
		const sorted = () =>
			new Map([...read().addresses].map(([address, names]) => [address, [...names].sort()]));
		expect(sorted()).toEqual(addresses);
		command("ip", "link", "set", "d0", "up");
		for (const [address, names] of addresses) expect(sorted().get(address)).toEqual(names);
	} finally {
		network.leave();
	}
});
