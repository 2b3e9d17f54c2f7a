/** The kernel's sets of flows as the reader gets them. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { seenSet } from "../../../src/enforcers/network/names.ts";
import { keyPlaces, readSeen, readSeenCounter } from "../../../src/enforcers/network/observe/seen-sets.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

let network: IsolatedNetwork;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer: 4 * 1024 * 1024 });
	if (!opened.ok) throw new Error(opened.error);
	socket = opened.socket;
	command("ip", "link", "set", "lo", "up");
});
afterAll(() => {
	socket.close();
	network.leave();
});

const place = { direction: "egress", forwarded: false, family: 4 } as const;
const name = seenSet(place, "named");

/** Counts datagrams to these addresses in a set of a size. */
function load(size: number, receivers: readonly string[]): void {
	command("nft", "flush", "ruleset");
	command(
		"nft",
		`table inet t {
	set ${name} { type iface_index . ipv4_addr . inet_proto . inet_service; flags dynamic,timeout; timeout 300s; size ${size}; }
	counter full { }
	chain seen {
		meta l4proto 17 update @${name} { meta oif . ip daddr . meta l4proto . th dport counter } return
		counter name full
	}
	chain out { type filter hook output priority 0; udp dport 9 jump seen; }
}`,
	);
	for (const address of receivers) command("bash", "-c", `echo > /dev/udp/${address}/9`);
}

function read(): { remote: string; count: number; left: number; protocol: number | undefined }[] {
	const found: ReturnType<typeof read> = [];
	const at = keyPlaces(place, "named");
	const error = readSeen(socket, "t", place, "named", ({ key, count, left }) =>
		found.push({
			remote: key.slice(at.remote, at.remote + 4).join("."),
			count,
			left,
			protocol: key[at.protocol],
		}),
	);
	expect(error).toBeNull();
	return found.sort((a, b) => (a.remote < b.remote ? -1 : 1));
}

test("elements come with their counts and the time that is left to them", () => {
	load(100, ["127.0.0.1", "127.0.0.1", "127.9.0.1"]);
	const found = read();
	expect(found.map(({ left: _, ...rest }) => rest)).toEqual([
		{ remote: "127.0.0.1", count: 2, protocol: 17 },
		{ remote: "127.9.0.1", count: 1, protocol: 17 },
	]);
	for (const { left } of found) {
		expect(left).toBeGreaterThan(0);
		expect(left).toBeLessThanOrEqual(300_000);
	}
	expect(readSeenCounter(socket, "t", "full")).toBe(0);
});

test("what a full set has no room for passes, and is counted", () => {
	load(2, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"]);
	const found = read();
	expect(found).toHaveLength(2);
	const counted = found.reduce((sum, { count }) => sum + count, 0);
	expect(counted + (readSeenCounter(socket, "t", "full") ?? 0)).toBe(5);
});

test("a set or a counter that is not there has nothing", () => {
	command("nft", "flush", "ruleset");
	expect(read()).toEqual([]);
	expect(readSeenCounter(socket, "t", "full")).toBeNull();
});
