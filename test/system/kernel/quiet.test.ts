import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket, SharedMembership } from "../../../ffi/netlink.ts";
import { Nftables } from "../../../ffi/nftables.ts";
import { PROBE_PREFIX } from "../../../src/enforcers/network/observe/drift-filter.ts";
import type { DriftEvent } from "../../../src/enforcers/network/observe/event.ts";
import { declare } from "../../../src/kernel/nftables/commands.ts";
import { nftKernel } from "../../../src/kernel/nftables/kernel.ts";
import type { NftSet } from "../../../src/kernel/nftables/objects.ts";
import { QuietLoads } from "../../../src/kernel/nftables/quiet.ts";
import { NFNLGRP_NFTABLES } from "../../../src/kernel/nftables-message.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork, until } from "../support/isolated.ts";
import { observeDrift } from "../support/observing.ts";

let network: IsolatedNetwork;
let nftables: Nftables;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = Nftables.open();
	const writing = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, sendBuffer: 16 * 1024 * 1024 });
	if (!opened.ok || !writing.ok) throw new Error("no nftables");
	nftables = opened.nftables;
	socket = writing.socket;
});
beforeEach(() => {
	command("nft", "flush", "ruleset");
	command("nft", "add", "table", "inet", "t");
});
afterAll(() => {
	socket.close();
	nftables.close();
	network.leave();
});

/** A set of so many single addresses, of which each costs the kernel two elements; the first of them are odd. */
function setOf(name: string, count: number, odd = 0): NftSet {
	const address = (i: number) => `10.${i >> 14}.${(i >> 6) & 255}.${(i & 63) * 4 + (i < odd ? 2 : 0)}`;
	const keys = Array.from({ length: count }, (_, i) => address(i)).join("\n");
	return { kind: "set", name, type: "ipv4_addr", flags: ["interval"], keys };
}

const large = 20_000;

/** An observer of the table, and a kernel whose large loads it does not hear of. `during` is done in the midst of one. */
async function observed(during: () => void = () => {}) {
	const events: DriftEvent[] = [];
	let listening = { fd: -1, portId: 0 };
	const observing = await observeDrift({ table: "t", probePrefix: PROBE_PREFIX }, (report) => {
		if (report.kind === "ready") listening = report;
		if (report.kind === "transaction" && report.report.event !== null) events.push(report.report.event);
	});
	const shared = SharedMembership.of(listening.fd, listening.portId, NFNLGRP_NFTABLES);
	if (!shared.ok) throw new Error(shared.error);
	const quiet = new QuietLoads(socket, shared.membership);
	const around = quiet.around.bind(quiet);
	quiet.around = (send) =>
		around(() => {
			during();
			return send();
		});
	const kernel = nftKernel(nftables, socket, () => quiet);
	return {
		quiet,
		load: (name: string, count: number) => kernel.run("t", [declare([setOf(name, count)])]),
		change: (before: NftSet, after: NftSet) =>
			kernel.change?.("t", [], [{ name: before.name, before, after }]),
		/** What was told up to now: somebody else's change is told last. */
		told: async () => {
			const before = events.length;
			command("nft", "add", "counter", "inet", "t", `marker${before}`);
			await until(() => events.at(-1)?.changes.join() === "newobj", "the marker");
			return events.slice(0, -1).map(({ changes }) => changes.join());
		},
		async [Symbol.asyncDispose]() {
			shared.membership.close();
			await observing.stop();
			expect(observing.errors).toEqual([]);
		},
	};
}

test("of a large load the observer hears nothing, of all before and behind it everything", async () => {
	await using made = await observed();
	expect(made.load("small", 10)).toEqual({ ok: true });
	expect(made.load("big", large)).toEqual({ ok: true });
	expect(made.quiet.takeUnseen()).toBe(false);
	expect(await made.told()).toEqual(["newset,newsetelem"]);
	expect(command("nft", "list", "set", "inet", "t", "big").split(",").length).toBe(large);
});

test("a change of very many elements is not heard either", async () => {
	await using made = await observed();
	const [before, after] = [setOf("big", 2 * large), setOf("big", 2 * large, large / 2)];
	expect(made.load("big", 2 * large)).toEqual({ ok: true });
	expect(made.change(before, after)).toEqual({ ok: true });
	expect(made.change(after, setOf("big", 2 * large, large / 2 - 10))).toEqual({ ok: true });
	expect(made.quiet.takeUnseen()).toBe(false);
	expect(await made.told()).toEqual(["delsetelem,newsetelem"]);
});

test("what somebody else does meanwhile is not told, but that there was something is, and from then on all is heard", async () => {
	let once = true;
	await using made = await observed(() => {
		if (once) command("nft", "add", "chain", "inet", "t", "theirs");
		once = false;
	});
	expect(made.load("big", large)).toEqual({ ok: true });
	expect([made.quiet.takeUnseen(), made.quiet.takeUnseen()]).toEqual([true, false]);
	expect(made.load("next", large)).toEqual({ ok: true });
	expect(made.quiet.takeUnseen()).toBe(false);
	expect(await made.told()).toEqual(["newset,newsetelem"]);
});

test("a load that the kernel refuses changes nothing, and is not taken for somebody else's", async () => {
	await using made = await observed();
	command("nft", "add", "set", "inet", "t", "big", "{ type ipv6_addr; }");
	expect(made.load("big", large)).toMatchObject({ ok: false });
	expect(made.quiet.takeUnseen()).toBe(false);
	command("nft", "delete", "set", "inet", "t", "big");
	expect(made.load("big", large)).toEqual({ ok: true });
	expect(made.quiet.takeUnseen()).toBe(false);
});

test("without the observer's socket a load is made as ever", () => {
	const shared = SharedMembership.of(socket.fd, socket.portId, NFNLGRP_NFTABLES);
	if (!shared.ok) throw new Error(shared.error);
	shared.membership.close();
	const quiet = new QuietLoads(socket, shared.membership);
	expect(nftKernel(nftables, socket, () => quiet).run("t", [declare([setOf("big", large)])])).toEqual({
		ok: true,
	});
	expect(quiet.takeUnseen()).toBe(false);
	const of = (fd: number, portId: number) => SharedMembership.of(fd, portId, NFNLGRP_NFTABLES);
	const others = [of(-1, 0), of(0, socket.portId), of(socket.fd, socket.portId + 1)];
	expect(others.map(({ ok }) => ok)).toEqual([false, false, false]);
});
