/** The kernel is told of units' control groups by their numbers, without libnftables. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { fillServices } from "../../../src/enforcers/network/apply/service-sets.ts";
import { addElements, addTable, declare } from "../../../src/kernel/nftables/commands.ts";
import { directBatch } from "../../../src/kernel/nftables/direct.ts";
import { nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

let network: IsolatedNetwork;
let nftables: Nftables;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = Nftables.open();
	if (!opened.ok) throw new Error(opened.reason);
	nftables = opened.nftables;
	const made = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, sendBuffer: 16 * 1024 * 1024 });
	if (!made.ok) throw new Error(made.error);
	socket = made.socket;
});
afterAll(() => {
	socket.close();
	nftables.close();
	network.leave();
});

test("control groups of very many units are told by their numbers, emptied first", () => {
	const kernel = nftKernel(nftables, socket);
	expect(kernel.run("t", [addTable])).toEqual({ ok: true });
	const services = Array.from({ length: 1023 }, (_, i) => `u${i}.service`);
	const found = new Map(services.map((name, i) => [name, [BigInt(i) + 2n ** 40n]] as const));
	const run = () => kernel.run("t", fillServices([{ set: "all_units", units: services }], found));
	const declared = declare([
		{ kind: "set", name: "all_units", type: "cgroupsv2", keys: "", size: 256 * services.length },
	]);
	expect(kernel.run("t", [declared])).toEqual({ ok: true });
	expect(run()).toEqual({ ok: true });
	for (const name of services.slice(2)) found.delete(name);
	expect(run()).toEqual({ ok: true });
	// In the machine's own order.
	const listing = command("nft", "--debug=netlink", "list", "set", "inet", "t", "all_units");
	const elements = [...listing.matchAll(/^\s*element (\w+) (\w+)/gmu)].map(([, low, high]) => [low, high]);
	expect(elements.sort()).toEqual([
		["00000000", "00000100"],
		["00000001", "00000100"],
	]);
	expect(directBatch("t", [addElements("all_units", ["system.slice"])], 1)).toBeNull();
});
