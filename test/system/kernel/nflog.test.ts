import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { readCounters } from "../../../src/enforcers/network/observe/counters.ts";
import type { PacketEvent, RuleTally } from "../../../src/enforcers/network/observe/event.ts";
import type { NflogReport } from "../../../src/enforcers/network/observe/observer-protocol.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork, until } from "../support/isolated.ts";
import { type Observing, observeNflog } from "../support/observing.ts";

const GROUP = 9755;
const FLOOD = new URL("../support/flood.ts", import.meta.url).pathname;

/** Everything the Worker said, added up as main does. */
class Ledger {
	readonly events: PacketEvent[] = [];
	readonly tallies = new Map<string, RuleTally>();
	lost = 0;
	foreign = 0;
	largestBatch = 0;

	readonly take = (report: NflogReport): void => {
		if (report.kind !== "packets") return;
		const { batch } = report;
		this.events.push(...batch.events);
		this.largestBatch = Math.max(this.largestBatch, batch.events.length);
		for (const [id, tally] of Object.entries(batch.tallies)) this.tallies.set(id, tally);
		this.lost = batch.lost;
		this.foreign = batch.foreign;
	};

	received(rule: string): number {
		return this.tallies.get(rule)?.received ?? 0;
	}
}

describe("NFLOG in a network namespace", () => {
	let network: IsolatedNetwork;
	let nftables: Nftables;
	let counters: NetlinkSocket;
	let observing: Observing<NflogReport> | null = null;

	beforeAll(() => {
		network = enterIsolatedNetwork();
		const opened = Nftables.open();
		const socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
		if (!opened.ok || !socket.ok) throw new Error("no netfilter");
		nftables = opened.nftables;
		counters = socket.socket;
		const loaded = nftables.run(`
			table inet t {
				counter logged { }
				counter other { }
				chain in {
					type filter hook input priority 0; policy accept;
					udp dport 7001 counter name logged log prefix "pw:first" group ${GROUP} drop
					udp dport 7002 counter name other log prefix "pw:second" group ${GROUP} accept
					udp dport 7003 log prefix "somebody else" group ${GROUP} drop
				}
				chain out {
					type filter hook output priority 0; policy accept;
					udp dport 7004 log prefix "pw:out" group ${GROUP} drop
				}
			}
		`);
		if (!loaded.ok) throw new Error(loaded.error);
	});
	afterEach(async () => {
		await observing?.stop();
		observing = null;
	});
	afterAll(() => {
		nftables.close();
		counters.close();
		network.leave();
	});

	async function listen(ledger: Ledger): Promise<Observing<NflogReport>> {
		observing = await observeNflog({ group: GROUP }, ledger.take);
		expect(observing.errors).toEqual([]);
		return observing;
	}

	function counter(name: string): number {
		const result = readCounters(counters, "t");
		if (!result.ok) throw new Error(result.error);
		return result.counters.get(name)?.packets ?? Number.NaN;
	}

	/** Sends datagrams to loopback from one socket. */
	async function send(address: string, port: number, count = 1): Promise<number> {
		const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
		socket.on("error", () => {});
		for (let i = 0; i < count; i++) {
			await new Promise<void>((resolve) => socket.send("x", port, address, () => resolve()));
		}
		const { port: sourcePort } = socket.address();
		socket.close();
		return sourcePort;
	}

	test("a packet becomes an event with its rule, addresses, ports, interface and time", async () => {
		const ledger = new Ledger();
		await listen(ledger);
		const before = Date.now();
		const port4 = await send("127.0.0.1", 7001);
		const port6 = await send("::1", 7002);
		await until(() => ledger.events.length === 2, "two events");
		expect(ledger.events).toEqual([
			{
				time: expect.any(Number),
				ruleId: "first",
				packet: {
					family: 4,
					source: "127.0.0.1",
					destination: "127.0.0.1",
					protocol: 17,
					sourcePort: port4,
					destinationPort: 7001,
				},
				interface: "lo",
			},
			{
				time: expect.any(Number),
				ruleId: "second",
				packet: {
					family: 6,
					source: "::1",
					destination: "::1",
					protocol: 17,
					sourcePort: port6,
					destinationPort: 7002,
				},
				interface: "lo",
			},
		]);
		for (const { time } of ledger.events) {
			expect(time).toBeGreaterThanOrEqual(before - 1000);
			expect(time).toBeLessThanOrEqual(Date.now() + 1000);
		}
	});

	test("the output interface is told for outgoing packets", async () => {
		const ledger = new Ledger();
		await listen(ledger);
		await send("127.0.0.1", 7004);
		await until(() => ledger.events.length === 1, "an event");
		expect(ledger.events[0]).toMatchObject({
			ruleId: "out",
			interface: "lo",
			packet: { destinationPort: 7004 },
		});
	});

	test("repeats of a flow are folded and counted; another flow is an event of its own", async () => {
		const ledger = new Ledger();
		await listen(ledger);
		const before = counter("logged");
		await send("127.0.0.1", 7001, 50);
		await send("127.0.0.1", 7001, 1);
		await until(() => ledger.received("first") === 51, "51 records");
		expect(ledger.events.length).toBe(2);
		expect(ledger.tallies.get("first")).toEqual({ received: 51, aggregated: 49, overflow: 0 });
		expect(counter("logged") - before).toBe(51);
		expect(ledger.lost).toBe(0);
	});

	test("records of others in our group are counted apart", async () => {
		const ledger = new Ledger();
		await listen(ledger);
		await send("127.0.0.1", 7003, 3);
		await until(() => ledger.foreign === 3, "three foreign records");
		expect(ledger.events).toEqual([]);
	});

	test("a group that another socket reads is refused with the reason, and can be had once it is free", async () => {
		const first = await observeNflog({ group: GROUP });
		const second = await observeNflog({ group: GROUP });
		expect(second.errors).toEqual([expect.stringContaining("another process reads this group")]);
		await first.stop();
		await listen(new Ledger());
	});

	test("a stopped Worker tells what it had gathered", async () => {
		const ledger = new Ledger();
		const reader = await listen(ledger);
		await send("127.0.0.1", 7002, 1);
		await until(() => ledger.received("second") === 1, "a record");
		await reader.stop();
		expect(reader.errors).toEqual([]);
	});

	test("a flood is accounted for to the packet, in bounded batches, beside another rule's events", async () => {
		const ledger = new Ledger();
		await listen(ledger);
		const before = counter("logged");
		// Many source addresses make many flows, more than may leave the Worker as events.
		const flood = Bun.spawn([process.execPath, FLOOD, "7001", "60000"]);
		while (flood.exitCode === null) {
			await send("127.0.0.1", 7002);
			await Bun.sleep(20);
		}
		const logged = (): number => counter("logged") - before;
		expect(logged()).toBe(60_000);
		// A last packet shows a gap at the end of the sequence.
		const total = (): number => ledger.received("first") + ledger.lost;
		await until(() => total() >= 60_000, "every record is read or known to be lost", 10_000);
		expect(total()).toBe(60_000);
		const tally = ledger.tallies.get("first");
		const alerted = ledger.events.filter(({ ruleId }) => ruleId === "first").length;
		expect(alerted + (tally?.aggregated ?? 0) + (tally?.overflow ?? 0)).toBe(ledger.received("first"));
		expect(ledger.largestBatch).toBeLessThanOrEqual(1024);
		expect(ledger.events.filter(({ ruleId }) => ruleId === "second").length).toBeGreaterThan(0);
	});

	test("a main thread that does not listen for a while costs events, never accounting", async () => {
		const ledger = new Ledger();
		await listen(ledger);
		const before = counter("logged");
		const result = Bun.spawnSync([process.execPath, FLOOD, "7001", "20000"]);
		expect(result.exitCode).toBe(0);
		await until(() => ledger.received("first") + ledger.lost >= counter("logged") - before, "all is read");
		expect(ledger.received("first") + ledger.lost).toBe(20_000);
	});

	// proc(5): the system call that a thread is blocked in and its arguments. x86-64 has poll (7), with a timeout
	// of -1; arm64 has ppoll (73) alone, without a timeout.
	const asleep = process.arch === "x64" ? /^7 0x[0-9a-f]+ 0x2 0xffffffff/ : /^73 0x[0-9a-f]+ 0x2 0x0 /;
	test("an idle reader is asleep in poll with no timeout", async () => {
		const sleepers = (): number => {
			const calls = command("sh", "-c", `cat /proc/${process.pid}/task/*/syscall`).split("\n");
			return calls.filter((call) => asleep.test(call)).length;
		};
		expect(sleepers()).toBe(0);
		await listen(new Ledger());
		await until(() => sleepers() === 1, "the Worker sleeps");
	});
});
