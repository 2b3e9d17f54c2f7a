/**
 * Sends the packets of test cases at this kernel's own rules, in a network namespace that this thread makes and that
 * ends with the process, and holds what becomes of them against the model. The host's network is left before anything
 * is written; where that cannot be proved, nothing is.
 */

import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { leaveNetwork } from "../../../ffi/namespace.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { parseCidr } from "../../base/cidr.ts";
import type { Cidr, Family } from "../../base/model.ts";
import type { Config } from "../../config/model.ts";
import { KernelTable } from "../../enforcers/network/apply/kernel-table.ts";
import type { CompiledRule, RulesetForm } from "../../enforcers/network/compile/plan.ts";
import {
	decidePacket,
	type NetworkModel,
	type Packet,
	type Verdict,
} from "../../enforcers/network/compile/program.ts";
import { decides } from "../../enforcers/network/compile/quota.ts";
import { networkEnforcer } from "../../enforcers/network/enforcer.ts";
import type { NetworkPolicy, NetworkRule } from "../../enforcers/network/model.ts";
import { readCounters } from "../../enforcers/network/observe/counters.ts";
import type { PacketRun } from "../../engine/testing/run.ts";
import { deleteTable } from "../../kernel/nftables/commands.ts";
import type { NftKernel } from "../../kernel/nftables/kernel.ts";
import { type Probe, ProbeError, ProbeNetwork } from "../../kernel/probe/network.ts";
import { ownSender } from "../../kernel/senders/own-sender.ts";
import { withKernelTable } from "../kernel.ts";
import { probeInterface, probeOf, unprobeable } from "./probe-case.ts";

/** Who says what about a packet. */
export interface Outcome {
	readonly action: Verdict["action"];
	readonly policy: string | null;
}

export interface Disagreement {
	readonly test: string;
	readonly name: string;
	readonly form: RulesetForm;
	readonly model: Outcome;
	readonly kernel: Outcome;
	readonly file: string;
	readonly line: number;
}

export interface ProbeReport {
	readonly forms: readonly RulesetForm[];
	/** Packets about which both said the same, over all forms. */
	readonly agreed: number;
	readonly disagreements: readonly Disagreement[];
	/** Cases of which no packet can be sent, and why. */
	readonly skipped: readonly { readonly test: string; readonly name: string; readonly reason: string }[];
}

export type ProbeResult =
	| { readonly ok: true; readonly report: ProbeReport }
	| { readonly ok: false; readonly message: string };

/** How the model decides; another one is given to see a disagreement found. */
export type Decide = (model: NetworkModel, packet: Packet) => Verdict;

/** Leaves this thread's network for good, so it is the last that a process does. */
export function probeTests(packets: readonly PacketRun[], decide: Decide = decidePacket): ProbeResult {
	const left = leaveNetwork();
	if (!left.ok) {
		const hint = "run portward test --probe as root, where network namespaces can be made";
		return { ok: false, message: `no network of its own: ${left.error}; ${hint}` };
	}
	try {
		const opened = withKernelTable("portward_probe", (_, kernel) => probeAll(packets, kernel, decide));
		return opened.ok ? { ok: true, report: opened.value } : opened;
	} catch (error) {
		if (error instanceof ProbeError) return { ok: false, message: error.message };
		throw error;
	}
}

function probeAll(packets: readonly PacketRun[], kernel: NftKernel, decide: Decide): ProbeReport {
	const skipped = new Map<PacketRun, string>();
	for (const run of packets) {
		const reason = unprobeable(run.case);
		if (reason !== null) skipped.set(run, reason);
	}
	const probed = packets.filter(({ case: one }) => unprobeable(one) === null);
	const spare = probeInterface(probed.map(({ case: one }) => one.interface));
	const interfaces = new Set([spare, ...probed.flatMap(({ case: one }) => one.interface || [])]);
	const blocks = localBlocks(probed);
	using network = new ProbeNetwork([...interfaces], [...blocks.values()]);
	const counters = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
	if (!counters.ok) throw new ProbeError(counters.error);
	const found: Found = { forms: new Set(), agreed: 0, disagreements: [], skipped };
	let sent = 0n;
	const bench: Bench = {
		network,
		decide,
		next: () => {
			sent += 1n;
			return sent;
		},
		blocks,
		spare,
		count: (table) => {
			const read = readCounters(counters.socket, table);
			if (!read.ok) throw new ProbeError(read.error);
			return read.counters;
		},
	};
	try {
		// Each list is that of one configuration.
		for (const group of Map.groupBy(probed, ({ policies }) => policies).values())
			probeGroup(group, kernel, bench, found);
	} finally {
		counters.socket.close();
	}
	const told = [...skipped].map(([{ test, case: one }, reason]) => ({ test, name: one.name, reason }));
	return { ...found, forms: [...found.forms], skipped: told };
}

interface Found {
	readonly forms: Set<RulesetForm>;
	agreed: number;
	readonly disagreements: Disagreement[];
	readonly skipped: Map<PacketRun, string>;
}

/** What every packet needs. */
interface Bench {
	readonly network: ProbeNetwork;
	readonly decide: Decide;
	/** A number that no packet had before, so that each opens a flow of its own. */
	readonly next: () => bigint;
	readonly blocks: ReadonlyMap<Family, Cidr>;
	readonly spare: string;
	readonly count: (table: string) => ReadonlyMap<string, { readonly packets: number }>;
}

/** The packets of one set of policies and its settings, with every form of ruleset that the settings leave and the kernel takes. */
function probeGroup(group: readonly PacketRun[], kernel: NftKernel, bench: Bench, found: Found): void {
	const [first] = group;
	if (first === undefined) return;
	// What policies say is held against the kernel, so nothing is softened.
	const config: Config = { ...first.config, enforcement: "enforce" };
	const policies = first.policies.map(unlimited);
	for (const form of formsFor(new KernelTable(kernel, config.table), config)) {
		const request = { config, purpose: "enforce", wish: { epoch: "0", form } } as const;
		const compiled = networkEnforcer.compile(policies, request);
		if (!compiled.ok) throw new ProbeError(compiled.diagnostics[0]?.message ?? "the policies do not compile");
		const applied = new KernelTable(kernel, config.table).apply(compiled.plan);
		if (!applied.ok) throw new ProbeError(`the kernel refuses the form ${form}: ${applied.error}`);
		found.forms.add(form);
		for (const run of group) probeCase(run, compiled.kept, { form, table: config.table }, bench, found);
		const deleted = kernel.run(config.table, [deleteTable]);
		if (!deleted.ok) throw new ProbeError(deleted.error);
	}
}

/** The same policy for who is within every limit and quota, which the probes together may not be. */
function unlimited(policy: NetworkPolicy): NetworkPolicy {
	const lifted = (rules: readonly NetworkRule[]) =>
		rules.filter(decides).map(({ limits: _, quota: __, ...rule }) => rule);
	return { ...policy, ingress: lifted(policy.ingress), egress: lifted(policy.egress) };
}

function formsFor(table: KernelTable, { rulesetForm }: Config): ReadonlySet<RulesetForm> {
	if (rulesetForm !== "auto") return new Set([table.probe(rulesetForm)]);
	return new Set([table.probe("auto"), table.probe("nested")]);
}

function probeCase(
	run: PacketRun,
	model: NetworkModel,
	{ form, table }: { readonly form: RulesetForm; readonly table: string },
	{ network, decide, next, blocks, spare, count }: Bench,
	found: Found,
): void {
	const { test, case: one } = run;
	const expected = decide(model, one);
	if (
		one.direction === "egress" &&
		decidePacket(model, { ...one, sender: ownSender() }).rule !== decidePacket(model, one).rule
	) {
		found.skipped.set(run, "other rules decide about what root sends, as probes do");
		return;
	}
	const block = blocks.get(one.family);
	const probe = block && probeOf(one, model, { spare, local: block.base + next() });
	if (probe === undefined || probe === null) {
		found.skipped.set(run, "no source port and interface are free that no rule names");
		return;
	}
	const kernel = kernelOutcome(probe, model, () => count(table), network);
	const said = { action: expected.action, policy: expected.rule?.policy ?? null };
	if (said.action === kernel.action && said.policy === kernel.policy) {
		found.agreed += 1;
		return;
	}
	const { file, line } = one.place;
	found.disagreements.push({ test, name: one.name, form, model: said, kernel, file, line });
}

/** What became of a packet, and which rule of its direction counted it. */
function kernelOutcome(
	probe: Probe,
	model: NetworkModel,
	count: () => ReadonlyMap<string, { readonly packets: number }>,
	network: ProbeNetwork,
): Outcome {
	const { rules, posture, failsafe } = model[probe.direction];
	const all: CompiledRule[] = [...rules, ...(posture ? [posture] : []), ...failsafe.map(({ rule }) => rule)];
	const before = count();
	const passed = network.passes(probe);
	const after = count();
	const counted = all.find(({ counter }) => after.get(counter)?.packets !== before.get(counter)?.packets);
	const policy = counted?.policy ?? null;
	if (!passed) return { action: "Block", policy };
	return { action: counted === undefined || counted.action === "Block" ? "Allow" : counted.action, policy };
}

/** Blocks that no case speaks of; every address of them is this host's. */
const candidates = {
	4: ["198.18.0.0/15", "100.126.0.0/15", "172.30.0.0/15", "10.212.0.0/15"],
	6: ["fd98:18::/64", "fd99:19::/64", "fd9a:1a::/64"],
} as const;

function localBlocks(packets: readonly PacketRun[]): ReadonlyMap<Family, Cidr> {
	const blocks = new Map<Family, Cidr>();
	for (const family of [4, 6] as const) {
		const addresses = packets.flatMap(({ case: one }) => (one.family === family ? [one.address] : []));
		if (addresses.length === 0) continue;
		const free = candidates[family]
			.map(blockOf)
			.find((block) => !addresses.some((one) => inside(block, one)));
		if (free === undefined)
			throw new ProbeError(`the cases have addresses in all of ${candidates[family].join(", ")}`);
		blocks.set(family, free);
	}
	return blocks;
}

function blockOf(text: string): Cidr {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.cidr;
}

function inside({ family, base, prefix }: Cidr, address: bigint): boolean {
	const rest = BigInt((family === 4 ? 32 : 128) - prefix);
	return address >> rest === base >> rest;
}
