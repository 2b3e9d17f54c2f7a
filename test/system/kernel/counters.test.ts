import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { type CounterValue, readCounters } from "../../../src/enforcers/network/observe/counters.ts";
import { enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

describe("named counters in a network namespace", () => {
	let network: IsolatedNetwork;
	let nftables: Nftables;
	let socket: NetlinkSocket;

	beforeAll(() => {
		network = enterIsolatedNetwork();
		const opened = Nftables.open();
		const netlink = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
		if (!opened.ok || !netlink.ok) throw new Error("no netfilter");
		nftables = opened.nftables;
		socket = netlink.socket;
	});
	afterAll(() => {
		socket.close();
		nftables.close();
		network.leave();
	});

	function run(commands: string): void {
		const result = nftables.run(commands);
		if (!result.ok) throw new Error(result.error);
	}

	function read(table: string): Record<string, CounterValue> {
		const result = readCounters(socket, table);
		if (!result.ok) throw new Error(result.error);
		return Object.fromEntries(result.counters);
	}

	test("packets and bytes are read by name, and only of this table and family", () => {
		run(`table inet mine {
			counter a { packets 5 bytes 700 }
			counter b { packets 9007199254740991 bytes 4294967296 }
			quota q { 25 mbytes }
		}
		table inet mine2 {
			counter a { packets 1 bytes 1 }
		}
		table ip mine {
			counter a { packets 2 bytes 2 }
		}`);
		expect(read("mine")).toEqual({
			a: { packets: 5, bytes: 700 },
			b: { packets: Number.MAX_SAFE_INTEGER, bytes: 4_294_967_296 },
		});
	});

	test("a table that does not exist has no counters", () => {
		expect(read("absent")).toEqual({});
	});

	test("ten thousand counters come whole, time after time over one socket", () => {
		const counters = Array.from(
			{ length: 10_000 },
			(_, i) => `\tcounter c${i} { packets ${i} bytes ${i * 2} }\n`,
		);
		run(`table inet many {\n${counters.join("")}}\n`);
		for (let round = 0; round < 3; round++) {
			const values = read("many");
			expect(Object.keys(values)).toHaveLength(10_000);
			expect(values.c9999).toEqual({ packets: 9999, bytes: 19_998 });
		}
	});

	test("a closed socket is a bug of the caller", () => {
		const other = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
		if (!other.ok) throw new Error(other.error);
		other.socket.close();
		expect(() => readCounters(other.socket, "mine")).toThrow(RangeError);
	});
});
