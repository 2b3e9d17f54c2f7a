/** One service on one interface: who used it, who must not get in by it, and which blocks of addresses come of that. */

import type { Cidr } from "../../../../base/model.ts";
import type { SeenFlow } from "../seen-flow.ts";
import { BlockMap } from "./block-set.ts";
import { type Aggregate, blocksOf, isAddress, networksOf } from "./blocks.ts";
import {
	blockText,
	type Candidate,
	compareBlocks,
	compareTexts,
	holdsBlock,
	type Service,
	serviceText,
} from "./candidate.ts";
import type { Chosen, Evidence, Learnt } from "./model.ts";

/** A block as it was seen. */
export interface Total {
	readonly block: Cidr;
	/** How often it passed. */
	readonly count: number;
	readonly newest: SeenFlow;
}

/** Blocks of one service and interface in its rules; what more there is needs wider ones. */
export const mostBlocks = 500;
/** A service that is used out of so many networks may be for everybody. */
const manyNetworks = 32;
const mostExamples = 3;

interface Taken {
	readonly candidate: Candidate;
	readonly why: string | null;
	readonly holes: readonly Cidr[];
	readonly before: Evidence | null;
	seen: Evidence | null;
	readonly addresses: Set<string>;
	examples: SeenFlow[];
}

export class Place {
	readonly #seen = new Map<string, Total>();
	readonly #refused = new Map<string, Cidr>();
	readonly #asked = new Map<string, { readonly candidate: Candidate; readonly evidence: Evidence | null }>();
	readonly #ignored: (Cidr | null)[] = [];
	readonly #taken: Taken[] = [];
	readonly #byBlock = new BlockMap<Taken>();
	readonly #holes = new BlockMap<true>();
	#tooMany = false;

	constructor(
		readonly service: Service,
		readonly name: string | null,
		private readonly options: { readonly minCount: number; readonly aggregate: Aggregate },
	) {}

	see(total: Total): void {
		this.#seen.set(blockText(total.block), total);
	}

	refuse(block: Cidr): void {
		this.#refused.set(blockText(block), block);
	}

	/** An operator, or an earlier run, wants it in. */
	ask(candidate: Candidate, evidence: Evidence | null): void {
		this.#asked.set(blockText(candidate.block), { candidate, evidence });
	}

	/** Heeded where it is about this service, and this interface or any. */
	ignore({ service, interface: name, block }: Candidate): void {
		const mine = serviceText(service) === serviceText(this.service) && (name === null || name === this.name);
		if (mine) this.#ignored.push(block);
	}

	isIgnored({ service, interface: name, block }: Candidate): boolean {
		const mine = serviceText(service) === serviceText(this.service) && name === this.name;
		return mine && this.#isIgnoredBlock(block);
	}

	#isIgnoredBlock(block: Cidr | null): boolean {
		return this.#ignored.some((outer) => holdsBlock(outer, block));
	}

	/** Decides which blocks are in. Nothing is added after that. */
	settle(): void {
		const regular = this.#regular().filter(({ block }) => !this.#isIgnoredBlock(block));
		const kept = new Set(regular.map(({ block }) => blockText(block)));
		const refused = [...this.#refused.values()].filter(
			(block) => !kept.has(blockText(block)) && !(isAddress(block) && this.#asked.has(blockText(block))),
		);
		const fresh = blocksOf(
			regular.map(({ block }) => block),
			this.options.aggregate,
			refused,
		).filter(({ cidr }) => !this.#isIgnoredBlock(cidr));
		this.#tooMany = fresh.length > mostBlocks;
		const { service, name } = this;
		const wanted = new Map<string, Omit<Taken, "holes" | "seen" | "addresses" | "examples">>();
		for (const { cidr, why } of fresh.slice(0, mostBlocks)) {
			const candidate = { service, interface: name, block: cidr };
			const before = this.#asked.get(blockText(cidr))?.evidence ?? null;
			wanted.set(blockText(cidr), { candidate, why, before });
		}
		for (const [text, { candidate, evidence }] of this.#asked) {
			const why = candidate.block === null || !isAddress(candidate.block) ? "set in recommend.states" : null;
			if (!wanted.has(text)) wanted.set(text, { candidate, why, before: evidence });
		}
		this.#fill([...wanted.values()], refused);
	}

	/** By falling count, so that the rarest are those for which there is no room. */
	#regular(): readonly Total[] {
		const { minCount, aggregate } = this.options;
		const least = (block: Cidr) =>
			typeof aggregate === "object" ? aggregate[block.family] : block.family === 4 ? 32 : 128;
		return [...this.#seen.values()]
			.filter(({ block, count }) => count >= minCount && block.prefix >= least(block))
			.sort((a, b) => b.count - a.count || compareBlocks(a.block, b.block));
	}

	#fill(wanted: readonly Pick<Taken, "candidate" | "why" | "before">[], refused: readonly Cidr[]): void {
		const outer = new BlockMap<true>();
		for (const { candidate } of wanted) outer.set(candidate.block, true);
		const ignored = this.#ignored.filter((block) => block !== null);
		for (const hole of [...refused, ...ignored]) this.#holes.set(hole, true);
		for (const one of wanted) {
			const { block } = one.candidate;
			// Inside a wider one it says nothing, unless it brings back what is a hole there.
			if (block !== null && outer.holding(block, true) && this.#holes.holding(block) === null) continue;
			const inside = (hole: Cidr) =>
				holdsBlock(block, hole) && (block === null || hole.prefix > block.prefix);
			// Who allows everybody has seen that there are such addresses.
			const among = block === null ? ignored : [...refused, ...ignored];
			const holes = withoutNested(among.filter(inside));
			const taken = { ...one, holes, seen: null, addresses: new Set<string>(), examples: [] };
			this.#taken.push(taken);
			this.#byBlock.set(block, taken);
		}
	}

	/** The block that lets the flow in, which counts it; null where none does. */
	take(flow: SeenFlow): Candidate | null {
		const found = this.#byBlock.holding(flow.remote);
		if (found === null || found.holes.some((hole) => overlaps(hole, flow.remote))) return null;
		// What was blocked before it passed is no evidence.
		if (flow.action !== "Block") count(found, flow);
		return found.candidate;
	}

	chosen(): readonly Chosen[] {
		return this.#taken.map(({ candidate, why, holes, before, seen, addresses, examples }) => ({
			candidate,
			why,
			holes,
			evidence: joined(before, seen),
			examples,
			addresses: addresses.size,
		}));
	}

	/** Why a flow that nothing speaks against is in no block. */
	whyNot({ remote, count: times }: SeenFlow): string {
		if (this.#ignored.some((block) => holdsBlock(block, remote)))
			return "is to be ignored, by recommend.states";
		if (!isAddress(remote))
			return "addresses that were too many to be kept apart: nobody can say which; --aggregate with that size takes them";
		const total = this.#seen.get(blockText(remote));
		if ((total?.count ?? times) < this.options.minCount)
			return `a one-off: seen ${times === 1 ? "once" : `${times} times`}, and --min-count is ${this.options.minCount}`;
		if (this.#tooMany)
			return `more than ${mostBlocks} blocks use this service; --aggregate /24 makes them fewer`;
		return "lies in a hole of a wider block";
	}

	/** That everybody may be meant: never set unasked. */
	widely(): Learnt | null {
		if (this.service.direction !== "ingress" || this.#byBlock.holding(everything) !== null) return null;
		const regular = this.#regular();
		const networks = networksOf(regular.map(({ block }) => block));
		if (networks < manyNetworks || this.#ignored.includes(null)) return null;
		const evidence = {
			count: regular.reduce((sum, total) => sum + total.count, 0),
			firstSeen: regular.reduce(
				(first, { newest }) => Math.min(first, newest.firstSeen),
				Number.POSITIVE_INFINITY,
			),
			lastSeen: regular.reduce((last, { newest }) => Math.max(last, newest.lastSeen), 0),
		};
		const candidate = { service: this.service, interface: this.name, block: null };
		const reason = `${regular.length} addresses in ${networks} networks use it; set this where it is for everybody`;
		return { candidate, evidence, reason };
	}
}

const everything: Cidr = { family: 4, base: 0n, prefix: 0 };

function overlaps(a: Cidr, b: Cidr): boolean {
	return holdsBlock(a, b) || holdsBlock(b, a);
}

/** In order, without those that lie in another one. */
function withoutNested(blocks: readonly Cidr[]): readonly Cidr[] {
	const unique = [...new Map(blocks.map((block) => [blockText(block), block])).values()];
	const outer = new BlockMap<true>();
	for (const block of unique) outer.set(block, true);
	return unique.filter((block) => outer.holding(block, true) === null).sort(compareBlocks);
}

function count(taken: Taken, flow: SeenFlow): void {
	const { count: more, firstSeen, lastSeen } = flow;
	const { seen } = taken;
	taken.seen = {
		count: (seen?.count ?? 0) + more,
		firstSeen: Math.min(seen?.firstSeen ?? firstSeen, firstSeen),
		lastSeen: Math.max(seen?.lastSeen ?? lastSeen, lastSeen),
	};
	taken.addresses.add(blockText(flow.remote));
	taken.examples = [...taken.examples, flow].sort(byCount).slice(0, mostExamples);
}

function byCount(a: SeenFlow, b: SeenFlow): number {
	return (
		b.count - a.count ||
		compareBlocks(a.remote, b.remote) ||
		compareTexts(
			`${a.interface} ${a.guest?.value} ${a.lastSeen}`,
			`${b.interface} ${b.guest?.value} ${b.lastSeen}`,
		)
	);
}

/** What is seen twice is counted once: the later look has the whole count, and perhaps not the beginning. */
function joined(before: Evidence | null, now: Evidence | null): Evidence | null {
	if (before === null || now === null) return before ?? now;
	return {
		count: Math.max(before.count, now.count),
		firstSeen: Math.min(before.firstSeen, now.firstSeen),
		lastSeen: Math.max(before.lastSeen, now.lastSeen),
	};
}
