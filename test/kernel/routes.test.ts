import { expect, test } from "bun:test";
import { LocalRoutes, RouteLookup } from "../../src/kernel/routes.ts";
import { command, enterIsolatedNetwork } from "../system/support/isolated.ts";

test("blocks of addresses that are local by a route, and where packets leave", () => {
	const network = enterIsolatedNetwork();
	try {
		command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
		command("ip", "address", "add", "192.0.2.1/24", "dev", "d0");
		command("ip", "address", "add", "2001:db8::1/64", "dev", "d0", "nodad");
		command("ip", "link", "set", "d0", "up");
		command("ip", "link", "set", "d1", "up");
		command("ip", "route", "add", "local", "198.51.100.0/24", "dev", "lo");
		command("ip", "route", "add", "local", "2001:db8:1::/48", "dev", "lo");
		// As a transparent proxy has it: every address, for packets with a mark.
		command("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "100");
		const read = LocalRoutes.read();
		if (!read.ok) throw new Error(read.error);
		const own = ["192.0.2.1", "198.51.100.200", "127.7.7.7", "2001:db8::1", "2001:db8:1:2::3", "::1"];
		const others = ["192.0.2.2", "198.51.101.1", "8.8.8.8", "2001:db8:2::1", "rubbish"];
		for (const address of [...own, ...own])
			expect([address, read.routes.has(address)]).toEqual([address, true]);
		for (const address of others) expect([address, read.routes.has(address)]).toEqual([address, false]);
		const lookup = RouteLookup.open();
		if (lookup === null) throw new Error("no routes");
		const index = Number(command("cat", "/sys/class/net/lo/ifindex").trim());
		const d0 = lookup.interfaceTo("192.0.2.7", "192.0.2.1");
		expect(d0).not.toBeNull();
		expect(d0).not.toBe(index);
		expect(lookup.interfaceTo("2001:db8::7", "2001:db8::1")).toBe(d0);
		// An address that is no interface's own is no obstacle.
		expect(lookup.interfaceTo("192.0.2.7", "203.0.113.1")).toBe(d0);
		expect(lookup.interfaceTo("192.0.2.7", "")).toBe(d0);
		expect(lookup.interfaceTo("8.8.8.8", "192.0.2.1")).toBeNull();
		expect(lookup.interfaceTo("rubbish", "")).toBeNull();
		lookup.close();
	} finally {
		network.leave();
	}
});
