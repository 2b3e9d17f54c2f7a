/** What this kernel and library take, tried with transactions that leave nothing behind. */

import type { Config } from "../../../config/model.ts";
import { addTable, type Command, declare, deleteTable } from "../../../kernel/nftables/commands.ts";
import {
	addressKey,
	addressType,
	byInterface,
	concatenation,
	controlGroupType,
	countedBy,
	destinationPort,
	inControlGroup,
	portType,
	protocolKey,
	protocolType,
	tallied,
} from "../../../kernel/nftables/expressions.ts";
import type { NftKernel } from "../../../kernel/nftables/kernel.ts";
import type { Chain, NftMap, Rule } from "../../../kernel/nftables/objects.ts";
import type { RulesetForm } from "../compile/plan.ts";

/** What not every kernel can. */
export interface Features {
	/** Flows can be counted in sets. */
	readonly counts: boolean;
	/** The control groups of sockets are told (Linux 5.13). */
	readonly units: boolean;
}

/** What of it a kernel cannot, where that is known. */
export function lacking({ counts, units }: Partial<Features>): Partial<Features> {
	return { ...(counts === false ? { counts } : {}), ...(units === false ? { units } : {}) };
}

/** Which form of ruleset they take, of those that the settings leave to choose from. @param table a name that nobody has */
export function probeForm(
	kernel: Pick<NftKernel, "run">,
	table: string,
	wanted: Config["rulesetForm"],
): RulesetForm {
	if (wanted === "concatenated") return wanted;
	if (wanted === "auto" && kernel.run(table, probeConcatenation).ok) return "concatenated";
	return kernel.run(table, probeMembers).ok ? "nested-members" : "nested";
}

/** @param table a name that nobody has */
export function probeFeatures(kernel: Pick<NftKernel, "run">, table: string): Features {
	return { counts: kernel.run(table, probeTally).ok, units: kernel.run(table, probeControlGroups).ok };
}

function chainOf(name: string, rules: readonly Rule[] = []): Chain {
	return { kind: "chain", name, rules };
}

const probeControlGroups: readonly Command[] = [
	addTable,
	declare([
		{ kind: "set", name: "s", type: controlGroupType, size: 1, keys: "" },
		chainOf("c", [inControlGroup(1, "s", "accept")]),
	]),
	deleteTable,
];

const memberRule = `${byInterface("meta sdifname", "x")} accept`;

/** Whether the names of a VRF's members load; made and deleted in one transaction. */
const probeMembers: readonly Command[] = [addTable, declare([chainOf("c", [memberRule])]), deleteTable];

/** Whether rules can count in a set; made and deleted in one transaction. */
const probeTally: readonly Command[] = [
	addTable,
	declare([
		{
			kind: "set",
			name: "s",
			type: concatenation("iface_index", addressType(4), protocolType, portType),
			flags: ["dynamic", "timeout"],
			timeout: 1,
			size: 1,
			keys: "",
		},
		chainOf("c", [
			tallied(
				"tcp flags & (syn | ack) == syn",
				"s",
				concatenation("meta iif", addressKey(4, "saddr"), protocolKey, destinationPort),
			),
		]),
	]),
	deleteTable,
];

/** Whether concatenated interval maps, maps of counters by keys under a netmask, and the names of a VRF's members load; made and deleted in one transaction, so that nobody ever sees it. */
export const probeConcatenation: readonly Command[] = probeOfConcatenation();

function probeOfConcatenation(): readonly Command[] {
	const type = concatenation(addressType(4), protocolType, portType);
	const ranges: NftMap = {
		kind: "map",
		name: "m",
		type,
		to: "verdict",
		flags: ["interval"],
		keys: concatenation("192.0.2.0/24", "6", "1-2"),
		values: [{ verdict: "goto", chain: "c" }],
		leads: [0],
	};
	const counters: NftMap = {
		kind: "map",
		name: "h",
		type,
		to: "counter",
		size: 1,
		keys: "",
		values: [],
		leads: [],
	};
	const masked = countedBy(concatenation("ip saddr & 255.255.255.0", protocolKey, destinationPort), "h");
	const chains = [chainOf("c"), chainOf("d", [masked, memberRule])];
	return [addTable, declare([...chains, ranges, counters]), deleteTable];
}
