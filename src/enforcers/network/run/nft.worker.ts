/**
 * The thread that changes our table. Calls of libnftables block, so what needs the table as it is then is done here as
 * well, one call after the other: counters, sets of ended connections, and what is saved for the next boot.
 */

import { NETLINK_NETFILTER } from "../../../../ffi/constants.ts";
import { NetlinkSocket, SharedMembership } from "../../../../ffi/netlink.ts";
import { Nftables } from "../../../../ffi/nftables.ts";
import { type NftKernel, nftKernel } from "../../../kernel/nftables/kernel.ts";
import { listTable } from "../../../kernel/nftables/listing.ts";
import { QuietLoads } from "../../../kernel/nftables/quiet.ts";
import { NFNLGRP_NFTABLES } from "../../../kernel/nftables-message.ts";
import { CarryReceiver } from "../../../threads/carry.ts";
import { giveBack } from "../../../threads/give-back.ts";
import { serve } from "../../../threads/rpc.ts";
import { KernelTable } from "../apply/kernel-table.ts";
import { mutedSets } from "../apply/muted-ports.ts";
import { probeFeatures } from "../apply/probes.ts";
import {
	type CutFlow,
	earlierRefusedSets,
	refusedForwardedSets,
	refusedSets,
} from "../apply/refused-flows.ts";
import type { NetworkPlan } from "../compile/plan.ts";
import { adoptConnections } from "../flows/adopt-connections.ts";
import { type CounterValue, readCounters } from "../observe/counters.ts";
import { probeCommands } from "../observe/drift-filter.ts";
import { readGuests } from "../observe/guests/read-guests.ts";
import { readQuotas } from "../observe/quotas.ts";
import { readMutedPorts, readTuples } from "../observe/tuple-set.ts";
import { UnitFinder } from "../observe/unit-finder.ts";
import { BootStore } from "./boot-state.ts";
import type { NftCalls, NftOpened, Unwatched } from "./calls.ts";

declare const self: Worker;

interface Kernel {
	readonly nftables: Nftables;
	readonly nf: NftKernel;
	readonly table: KernelTable;
	readonly name: string;
	/** Kept open for reading counters; null when the kernel gives none. */
	readonly netlink: NetlinkSocket | null;
	/** For what is written without libnftables. */
	readonly writing: NetlinkSocket | null;
}

let kernel: Kernel | null = null;

/** The main thread has the other end: see nft-client.ts. */
const carry = new CarryReceiver();

/** To be saved for the next boot: the main thread has no use for its many megabytes. */
let inForce: NetworkPlan | null = null;
let boot: BootStore | null = null;

/** The observer of the table, whichever socket it has now. */
let membership: SharedMembership | null = null;
let quiet: QuietLoads | null = null;

/** Milliseconds without a ruleset. */
const restMs = 3000;

/** Sets of 200 000 elements go into one message. */
const sendBuffer = 16 * 1024 * 1024;

const unitWatch = new UnitFinder();

const notOpen = { ok: false, reason: "refused", error: "libnftables is not open" } as const;

function open({ table, form }: Parameters<NftCalls["open"]>[0]): NftOpened {
	kernel?.nftables.close();
	kernel?.netlink?.close();
	kernel?.writing?.close();
	kernel = null;
	const opened = Nftables.open();
	if (!opened.ok) return { ok: false, reason: opened.reason, remedy: opened.remedy };
	const writing = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, sendBuffer });
	const nf = nftKernel(opened.nftables, writing.ok ? writing.socket : null, () => quiet);
	const netlink = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer: 4 * 1024 * 1024 });
	const kernelTable = new KernelTable(nf, table, adoptConnections, (units) => unitWatch.find(units));
	kernel = {
		nftables: opened.nftables,
		nf,
		table: kernelTable,
		name: table,
		netlink: netlink.ok ? netlink.socket : null,
		writing: writing.ok ? writing.socket : null,
	};
	watchQuietly();
	const listed = kernelTable.inspect();
	if (!listed.ok) {
		if (/EPERM|EACCES/.test(listed.error)) {
			return {
				ok: false,
				reason: "the kernel refuses this process nf_tables (operation not permitted)",
				remedy: "run portward as root, with CAP_NET_ADMIN",
			};
		}
		return {
			ok: false,
			reason: `nf_tables does not answer: ${listed.error}`,
			remedy: "run a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET (modprobe nf_tables)",
		};
	}
	return { ok: true, form: kernelTable.probe(form), ...probeFeatures(nf, `${table}_probe`) };
}

function watchQuietly(): void {
	const writing = kernel?.writing ?? null;
	quiet = membership === null || writing === null ? null : new QuietLoads(writing, membership);
}

function withUnseen<Result extends object>(result: Result): Result & Unwatched {
	return quiet?.takeUnseen() === true ? { ...result, unseen: true } : result;
}

const calls: NftCalls = {
	open,
	observed: (socket) => {
		membership?.close();
		const shared = socket && SharedMembership.of(socket.fd, socket.portId, NFNLGRP_NFTABLES);
		membership = shared?.ok === true ? shared.membership : null;
		watchQuietly();
	},
	probe: ({ table }) => {
		const result = kernel?.nf.run(table, probeCommands) ?? notOpen;
		return result.ok ? null : result.error;
	},
	apply: (packed) => {
		const { plan, distrust, used } = carry.unpack(packed);
		if (!kernel) return notOpen;
		if (distrust) kernel.table.distrust();
		const result = kernel.table.apply(plan, used);
		inForce = result.ok ? plan : null;
		return withUnseen(result);
	},
	saveBoot: (request) => {
		const plan = inForce;
		inForce = null;
		if (request === null) return null;
		const { stateDirectory, filtered, kept, ...facts } = request;
		boot ??= new BootStore(stateDirectory);
		return filtered && plan === null ? null : boot.save(filtered ? plan : null, facts, kept);
	},
	collect: () => {
		const garbage = kernel?.table.collect() ?? "";
		// Hundreds of megabytes, after 100 000 elements were loaded.
		giveBack();
		restSoon();
		return garbage;
	},
	guard: ({ lostRules, ...plan }) => {
		if (!kernel) return notOpen;
		const result = kernel.table.guard(plan, lostRules);
		return { ...result, anew: kernel.table.anew };
	},
	openTable: () => {
		inForce = null;
		return kernel?.table.letAllPass() ?? notOpen;
	},
	closeTable: () => kernel?.table.close() ?? notOpen,
	setUplinks: (names) => {
		const result = kernel?.table.setUplinks(names) ?? notOpen;
		return result.ok ? null : result.error;
	},
	refreshUnits: () => {
		const result = kernel?.table.refreshUnits() ?? notOpen;
		return withUnseen({ ...unitWatch.seen, error: result.ok ? "" : result.error });
	},
	cut: ({ flows, muted }) => withUnseen(kernel?.table.cut(flows, muted) ?? notOpen),
	cuts: () => {
		if (!kernel?.netlink) return null;
		const flows: CutFlow[] = [];
		for (const set of [...earlierRefusedSets, ...refusedSets, ...refusedForwardedSets]) {
			const read = readTuples(kernel.netlink, kernel.name, set);
			if (!read.ok) return null;
			for (const tuple of read.tuples) flows.push(tuple);
		}
		const mutedPorts = new Set<number>();
		for (const set of mutedSets) {
			const read = readMutedPorts(kernel.netlink, kernel.name, set);
			if (!read.ok) return null;
			for (const port of read.ports) mutedPorts.add(port);
		}
		const listed = listTable(kernel.name);
		const names = listed.ok && listed.listing !== null ? listed.listing.sets : [];
		// Rules of an earlier version may still name its sets, which would keep them from being collected.
		const earlier = earlierRefusedSets.some(({ name }) => names.includes(name));
		if (earlier && flows.length === 0) kernel.table.cut([]);
		const judged = refusedSets.every(({ name }) => names.includes(name));
		const present = !listed.ok || listed.listing !== null;
		return { flows, mutedPorts: [...mutedPorts], present, judged };
	},
	quotas: (request) => (kernel?.netlink ? readQuotas(kernel.netlink, kernel.name, request) : null),
	guests: ({ table, ...named }) => readGuests(table, named),
	counters: () => {
		if (!kernel?.netlink) return null;
		const read = readCounters(kernel.netlink, kernel.name);
		if (!read.ok) return null;
		const counters: Record<string, CounterValue> = Object.create(null);
		for (const [name, value] of read.counters) counters[name] = value;
		return counters;
	},
};

let resting: ReturnType<typeof setTimeout> | null = null;

/** Once there has been no ruleset for a while, its code goes too, which is made again from what lies in the executable. */
function restSoon(): void {
	if (resting !== null) clearTimeout(resting);
	resting = setTimeout(() => {
		Bun.shrink();
		giveBack();
	}, restMs);
}

serve(self, calls);
