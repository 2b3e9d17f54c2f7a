import { afterEach, beforeEach, expect, test } from "bun:test";
import { addressesBehind, hostAddress, withDefaultRoute } from "../../src/kernel/interface-routes.ts";
import { readLinks } from "../../src/kernel/links.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
	command("ip", "link", "add", "inner0", "type", "veth", "peer", "name", "outer0");
	for (const name of ["lo", "inner0", "outer0"]) command("ip", "link", "set", name, "up");
	command("ip", "address", "add", "192.0.2.1/24", "dev", "inner0");
});
afterEach(() => network.leave());

function indexes(): readonly number[] {
	const read = readLinks();
	if (!read.ok) throw new Error(read.error);
	return read.links.map(({ index }) => index);
}

test("this host is known by the address of the interface with a default route, IPv4 before IPv6", () => {
	expect(hostAddress()).toBe("");
	command("ip", "route", "add", "default", "dev", "outer0");
	expect(hostAddress()).toBe("");
	command("ip", "address", "add", "169.254.7.7/16", "dev", "outer0");
	command("ip", "address", "add", "2001:db8::7/64", "dev", "outer0", "nodad");
	expect(hostAddress()).toBe("2001:db8::7");
	command("ip", "address", "add", "198.51.100.7/24", "dev", "outer0");
	expect(hostAddress()).toBe("198.51.100.7");
});

test("of a host with many interfaces few are asked about", () => {
	const more = Array.from(
		{ length: 16 },
		(_, i) => `link add br${i} type bridge\naddress add 10.1.${i}.1/24 dev br${i}`,
	);
	command("sh", "-c", `echo '${more.join("\n")}' | ip -batch -`);
	command("ip", "link", "set", "br3", "up");
	command("ip", "route", "add", "default", "dev", "br3");
	expect(hostAddress()).toBe("10.1.3.1");
	command("ip", "route", "del", "default");
	command("ip", "link", "set", "br15", "up");
	command("ip", "route", "add", "default", "dev", "br15");
	expect(hostAddress()).toBe("");
});

test("a default route is told from others", () => {
	const links = indexes();
	const before = withDefaultRoute(links);
	expect(before.ok && before.indexes.size).toBe(0);
	command("ip", "route", "add", "default", "dev", "outer0");
	const after = withDefaultRoute(links);
	expect(after.ok && after.indexes.size).toBe(1);
	const behind = addressesBehind(links);
	if (!behind.ok) throw new Error(behind.error);
	expect([behind.addresses.has("192.0.2.9"), behind.addresses.has("203.0.113.9")]).toEqual([true, false]);
});
