/** Which UDP servers of this host must not speak first, by the policies. Pure. */

import { formatAddress } from "../../../base/cidr.ts";
import type { MutedPort } from "../apply/muted-ports.ts";
import type { CompiledRule } from "../compile/plan.ts";
import type { NetworkModel } from "../compile/program.ts";
import { blockedRegions, type Region } from "../compile/verdict/blocked-regions.ts";
import { otherInterface } from "./open-flows.ts";

/** Bounds of the regions of one port, and elements in all. */
const maxBounds = 2048;
const maxMuted = 8192;

export interface MuteRequest {
	/** Ports that UDP sockets without a peer wait on. */
	readonly ports: readonly number[];
	/** Interfaces that rules can mean, and one that no rule names. */
	readonly interfaces: readonly string[];
	/** Counters of the rules that were in force before: what they block had to begin under them. */
	readonly before: ReadonlySet<string>;
	/** Ports that are muted already. */
	readonly muted: ReadonlySet<number>;
}

export interface Muted {
	readonly ports: readonly MutedPort[];
	/** Ports for which there was no room. */
	readonly overflow: number;
}

/** A port is muted towards those whom an explicit Block that is new shuts out from it, and stays so while they are. */
export function mutePorts(model: NetworkModel, { ports, interfaces, before, muted }: MuteRequest): Muted {
	const found: MutedPort[] = [];
	let overflow = 0;
	const blocks = model.ingress.rules.some(({ action }) => action === "Block");
	for (const port of blocks ? ports : []) {
		const counts = (rule: CompiledRule) => !before.has(rule.counter) || muted.has(port);
		const of = [4, 6].map((family) => mutePort(model, family === 4 ? 4 : 6, port, interfaces, counts));
		const all = of.every((one) => one !== null) ? of.flat() : null;
		if (all === null || found.length + all.length > maxMuted) overflow += 1;
		else found.push(...all);
	}
	return { ports: found, overflow };
}

/** Null where there is too much of it. */
function mutePort(
	model: NetworkModel,
	family: 4 | 6,
	port: number,
	interfaces: readonly string[],
	counts: (rule: CompiledRule) => boolean,
): MutedPort[] | null {
	const by = new Map<string, readonly Region[]>();
	for (const name of interfaces) {
		const kind = { direction: "ingress", family, protocol: "udp", port, interface: name } as const;
		const regions = blockedRegions(model, kind, counts, maxBounds);
		if (regions === null) return null;
		by.set(name, regions);
	}
	const told = (name: string | null, regions: readonly Region[]): MutedPort[] =>
		regions.map(({ first, last }) => ({
			family,
			interface: name,
			port,
			first: formatAddress(family, first),
			last: formatAddress(family, last),
		}));
	const [one = []] = by.values();
	const alike = [...by.values()].every((regions) => Bun.deepEquals(regions, one));
	if (alike) return told(null, one);
	return [...by].flatMap(([name, regions]) => (name === otherInterface ? [] : told(name, regions)));
}
