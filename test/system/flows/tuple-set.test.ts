import { afterAll, beforeAll, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { mutedSets, replaceMuted } from "../../../src/enforcers/network/apply/muted-ports.ts";
import {
	refusedForwardedSets,
	refusedSets,
	replaceRefused,
} from "../../../src/enforcers/network/apply/refused-flows.ts";
import { skeleton } from "../../../src/enforcers/network/apply/transaction.ts";
import { readMutedPorts, readTuples } from "../../../src/enforcers/network/observe/tuple-set.ts";
import type { Command } from "../../../src/kernel/nftables/commands.ts";
import { script } from "../../../src/kernel/nftables/writer.ts";
import { enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

const table = "kubearmor";

let network: IsolatedNetwork;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
	if (!opened.ok) throw new Error(opened.error);
	socket = opened.socket;
});
afterAll(() => {
	socket.close();
	network.leave();
});

function nft(commands: readonly Command[]): void {
	const { success, stderr } = Bun.spawnSync(["nft", "-f", "-"], {
		stdin: Buffer.from(script(table, commands)),
		stderr: "pipe",
	});
	if (!success) throw new Error(stderr.toString());
}

function read(family: 4 | 6) {
	const tuples = [...refusedSets, ...refusedForwardedSets].flatMap((set) => {
		if (set.family !== family) return [];
		const result = readTuples(socket, table, set);
		if (!result.ok) throw new Error(result.error);
		return result.tuples;
	});
	return tuples.sort((a, b) => a.localPort - b.localPort);
}

test("a set that is not there has no flows", () => {
	expect(read(4)).toEqual([]);
	expect(read(6)).toEqual([]);
});

test("what was written is read back, in both families", () => {
	nft([skeleton]);
	expect(read(4)).toEqual([]);
	const flows = [
		{ family: 4, remote: "198.51.100.7", protocol: 6, remotePort: 40_000, localPort: 22 },
		{ family: 4, remote: "255.255.255.254", protocol: 255, remotePort: 65_535, localPort: 65_535 },
		{
			family: 4,
			remote: "198.51.100.7",
			protocol: 6,
			remotePort: 40_000,
			localPort: 65_536 - 2 ** 10,
			interfaces: ["eth0"],
		},
		{ family: 6, remote: "2001:db8::7", protocol: 17, remotePort: 53, localPort: 1 },
		{
			family: 6,
			remote: "2001:db8::7",
			protocol: 17,
			remotePort: 53,
			localPort: 2,
			interfaces: ["abcdefghijklmno"],
		},
		{ family: 6, remote: "fe80::ffff:1", protocol: 132, remotePort: 0, localPort: 40_000 },
	] as const;
	nft(replaceRefused(flows));
	for (const family of [4, 6] as const)
		expect(read(family)).toEqual(
			flows.filter((flow) => flow.family === family).toSorted((a, b) => a.localPort - b.localPort),
		);
});

test("more flows than one message holds are read whole", () => {
	const flows = Array.from({ length: 5_000 }, (_, index) => ({
		family: 6 as const,
		remote: `2001:db8::${(index + 1).toString(16)}`,
		protocol: 6,
		remotePort: 443,
		localPort: index + 1,
	}));
	nft(replaceRefused(flows));
	expect(read(6)).toEqual(flows);
});

test("flows to and from guests are in sets of their own, and what came by a published port is told before the rest", () => {
	const tuple = { family: 4, remote: "198.51.100.7", protocol: 6, remotePort: 40_000 } as const;
	const published = { ...tuple, localPort: 5433, forwarded: true, hostPort: 15_432 } as const;
	const direct = { ...tuple, localPort: 5434, forwarded: true } as const;
	const six = { ...direct, family: 6, remote: "2001:db8::7", hostPort: 1 } as const;
	nft(replaceRefused([{ ...tuple, localPort: 22 }, published, direct, six]));
	const { hostPort: _, ...rest } = published;
	expect(read(4)).toEqual([{ ...tuple, localPort: 22 }, published, rest, direct]);
	const { hostPort: __, ...restOfSix } = six;
	expect(read(6)).toEqual([six, restOfSix]);
	nft(replaceRefused([]));
	expect([...read(4), ...read(6)]).toEqual([]);
});

test("the muted ports are read back from each set, whatever the interface and the family", () => {
	const muted = [
		{ family: 4, interface: null, port: 53, first: "198.51.100.0", last: "198.51.100.255" },
		{ family: 4, interface: "eth0", port: 500, first: "198.51.100.7", last: "198.51.100.7" },
		{ family: 6, interface: null, port: 65_535, first: "2001:db8::", last: "2001:db8::ffff" },
		{ family: 6, interface: "abcdefghijklmno", port: 1_025, first: "2001:db8::7", last: "2001:db8::7" },
	] as const;
	const ports = () =>
		mutedSets.flatMap((set) => {
			const result = readMutedPorts(socket, table, set);
			if (!result.ok) throw new Error(result.error);
			return [...new Set(result.ports)];
		});
	expect(ports()).toEqual([]);
	nft([...replaceRefused([]), ...replaceMuted(muted)]);
	expect(ports()).toEqual([53, 65_535, 500, 1_025]);
	nft([...replaceRefused([]), ...replaceMuted([])]);
	expect(ports()).toEqual([]);
});
