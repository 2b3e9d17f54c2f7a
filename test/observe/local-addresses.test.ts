import { expect, test } from "bun:test";
import { localAddresses } from "../../src/observe/local-addresses.ts";
import { canIsolate, command, enterIsolatedNetwork } from "../system/support/isolated.ts";

test.skipIf(!canIsolate)("the addresses of every interface are local, with and without a carrier", () => {
	const network = enterIsolatedNetwork();
	try {
		expect(localAddresses()).toEqual({ ok: true, addresses: new Set(["127.0.0.1", "::1"]) });
		command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
		command("ip", "address", "add", "192.0.2.9/24", "dev", "d0");
		command("ip", "address", "add", "2001:db8::0:9/64", "dev", "d0", "nodad");
		command("ip", "address", "add", "10.0.0.1", "peer", "10.0.0.2", "dev", "d1");
		const addresses = ["127.0.0.1", "::1", "192.0.2.9", "2001:db8::9", "10.0.0.1"];
		expect(localAddresses()).toEqual({ ok: true, addresses: new Set(addresses) });
		command("ip", "link", "set", "d0", "up");
		const result = localAddresses();
		for (const address of addresses) expect(result.ok && result.addresses).toContain(address);
	} finally {
		network.leave();
	}
});
