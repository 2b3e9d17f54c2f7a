import { afterEach, beforeEach, expect, test } from "bun:test";
import { formatCidr } from "../../../src/base/cidr.ts";
import { interfacesWithForeignAddresses } from "../../../src/kernel/guests/forwarding-database.ts";
import { subnets } from "../../../src/kernel/guests/subnets.ts";
import { readLinks } from "../../../src/kernel/links.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
	command("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "cable9");
	command("ip", "link", "set", "eth9", "up");
});
afterEach(() => network.leave());

function indexOf(name: string): number {
	const read = readLinks();
	return read.ok ? (read.links.find((link) => link.name === name)?.index ?? 0) : 0;
}

test("the networks of an interface are told without the host's part, and without link-local ones", () => {
	for (const address of ["192.0.2.77/24", "192.0.2.78/24", "2001:db8::7/64", "fe80::99/64"])
		command("ip", "addr", "add", address, "dev", "eth9");
	const told = (subnets().get(indexOf("eth9")) ?? []).map(formatCidr);
	expect([...new Set(told)]).toEqual(["192.0.2.0/24", "2001:db8::/64"]);
});

test("an interface that takes packets for an address of nobody here is told, and one for groups is not", () => {
	command("ip", "link", "add", "own0", "link", "eth9", "type", "macvlan");
	command("ip", "link", "set", "own0", "up");
	command("bridge", "fdb", "add", "33:33:00:00:00:77", "dev", "eth9", "self", "permanent");
	expect([...interfacesWithForeignAddresses()]).toEqual([]);
	command("bridge", "fdb", "add", "02:00:00:00:00:77", "dev", "eth9", "self", "permanent");
	expect([...interfacesWithForeignAddresses()]).toEqual([indexOf("eth9")]);
});
