/**
 * Turns NFLOG records into few enough events. The first packet of a flow is an
 * event; later ones within the window are folded into it. Every record is
 * counted exactly once: it became an event, was aggregated, or overflowed.
 */

import { type LogRecord, OriginalTuple } from "../../../kernel/nflog-message.ts";
import { logPrefix } from "../names.ts";
import type { ForwardedPacket, PacketBatch, PacketEvent, PacketSummary, RuleTally } from "./event.ts";
import { emptyLayout, locate, type PacketLayout, summarize } from "./packet.ts";

export interface AggregateLimits {
	/** Milliseconds for which later packets of a flow are folded into its event. */
	readonly foldMs: number;
	/** Flows remembered; the oldest is forgotten first. */
	readonly flows: number;
	/** Rules counted; records of further ones count as foreign, as no plan has that many. */
	readonly rules: number;
	/** Events of one rule in a batch, so that no rule crowds out another. */
	readonly eventsPerRule: number;
	/** Events in a batch. */
	readonly events: number;
	/** Events a second over all rules; half of that at once after a pause. */
	readonly perSecond: number;
}

export const DEFAULT_LIMITS: AggregateLimits = {
	foldMs: 10_000,
	flows: 8192,
	rules: 262_144,
	eventsPerRule: 128,
	events: 1024,
	perSecond: 1000,
};

interface RuleState {
	readonly id: string;
	/** Stands for the rule in flow keys. */
	readonly number: number;
	received: number;
	aggregated: number;
	overflow: number;
	/** Events of this rule that are candidates for the batch that is being gathered. */
	pending: number;
	/** The batch that last had an event of this rule; who waited longest comes first. */
	served: number;
	changed: boolean;
}

/** The window of one flow. */
interface Flow {
	readonly since: number;
	/** Its event, while that is not posted yet. */
	candidate: Candidate | null;
}

/** An event that goes out if the budget has room for it. */
interface Candidate {
	readonly event: PacketEvent;
	readonly rule: RuleState;
	readonly key: string;
	readonly flow: Flow;
	/** Later packets of its flow. */
	folded: number;
}

const ruleIdForm = /^[a-z0-9_]{1,32}$/;
/** Rule, interface, family, protocol, ports and two IPv6 addresses. */
const KEY_BYTES = 4 + 4 + 1 + 1 + 1 + 4 + 32;

export class Aggregator {
	readonly #limits: AggregateLimits;
	/** By log prefix. */
	readonly #rules = new Map<string, RuleState>();
	/** Each flow's window by its key, oldest first. */
	readonly #flows = new Map<string, Flow>();
	readonly #budget: EventBudget;
	readonly #layout: PacketLayout = emptyLayout();
	readonly #tuple = new OriginalTuple();
	readonly #key = Buffer.alloc(KEY_BYTES);
	#candidates: Candidate[] = [];
	/** The time of the newest record, on the clock of `add`. */
	#newest = 0;
	#changed: RuleState[] = [];
	#dirty = false;
	#batch = 0;
	#nextSequence = 0;
	#lost = 0;
	#foreign = 0;
	#overruns = 0;

	constructor(limits: AggregateLimits = DEFAULT_LIMITS) {
		this.#limits = limits;
		this.#budget = new EventBudget(limits.perSecond);
	}

	/** Whether there is anything to tell since the last `take`. */
	get dirty(): boolean {
		return this.#dirty;
	}

	/**
	 * Takes one record in.
	 * @param now milliseconds on a clock that only goes forward.
	 * @param wallTime milliseconds since the epoch, for records without a time of their own.
	 */
	add(
		bytes: Buffer,
		record: LogRecord,
		now: number,
		wallTime: number,
		interfaceName: (index: number) => string,
	): void {
		this.#dirty = true;
		this.#newest = now;
		if (record.sequence !== null) {
			this.#lost += (record.sequence - this.#nextSequence) >>> 0;
			this.#nextSequence = (record.sequence + 1) >>> 0;
		}
		const rule = this.#rule(record.prefix);
		if (rule === null) {
			this.#foreign++;
			return;
		}
		rule.received++;
		if (!rule.changed) {
			rule.changed = true;
			this.#changed.push(rule);
		}
		locate(bytes, record.payloadStart, record.payloadEnd, this.#layout);
		const key = this.#flowKey(bytes, rule.number, record.interfaceIndex);
		const flow = this.#flows.get(key);
		if (flow !== undefined && now - flow.since < this.#limits.foldMs) {
			rule.aggregated++;
			if (flow.candidate !== null) flow.candidate.folded++;
			return;
		}
		// A rule that has nothing in the batch yet always gets in: which of them go out is decided in fairness later.
		const crowded = this.#candidates.length >= this.#limits.events && rule.pending > 0;
		if (rule.pending >= this.#limits.eventsPerRule || crowded) {
			// The flow is not remembered, so that its next packet has another chance.
			rule.overflow++;
			return;
		}
		const packet = summarize(bytes, this.#layout);
		const named = {
			time: record.time ?? wallTime,
			ruleId: rule.id,
			packet,
			interface: record.interfaceIndex === 0 ? "" : interfaceName(record.interfaceIndex),
		};
		const event: PacketEvent =
			record.forwardIndex === 0
				? named
				: { ...named, forwarded: this.#forwarded(bytes, record, packet, interfaceName) };
		rule.pending++;
		const opened: Flow = { since: now, candidate: null };
		opened.candidate = { event, rule, key, flow: opened, folded: 0 };
		this.#candidates.push(opened.candidate);
		this.#remember(key, opened);
	}

	/** Notes that the kernel reported a full receive buffer. */
	overrun(): void {
		this.#overruns++;
		this.#dirty = true;
	}

	/** The batch gathered so far; the next one starts empty. @param now on the clock of `add`. */
	take(now = this.#newest): PacketBatch {
		const events = this.#select(now);
		// Without a prototype, `__proto__` is an id like any other.
		const tallies: Record<string, RuleTally> = Object.create(null);
		for (const rule of this.#changed) {
			tallies[rule.id] = { received: rule.received, aggregated: rule.aggregated, overflow: rule.overflow };
			rule.changed = false;
			rule.pending = 0;
		}
		const batch: PacketBatch = {
			events,
			tallies,
			lost: this.#lost,
			foreign: this.#foreign,
			overruns: this.#overruns,
		};
		this.#changed = [];
		this.#dirty = false;
		return batch;
	}

	#forwarded(
		bytes: Buffer,
		record: LogRecord,
		{ family, source, sourcePort }: PacketSummary,
		interfaceName: (index: number) => string,
	): ForwardedPacket {
		const outInterface = interfaceName(record.forwardIndex);
		const tuple = family === null ? null : this.#tuple.read(bytes, record, family);
		// Of an answer, or an error about a flow, the tuple is not the packet's own.
		const own = tuple !== null && tuple.source === source && tuple.sourcePort === (sourcePort ?? 0);
		if (!own) return { outInterface, original: null };
		const { destination, destinationPort } = tuple;
		return { outInterface, original: { destination, destinationPort } };
	}

	/** The candidates that the budget has room for, in their order. The others, with what was folded into them, overflow. */
	#select(now: number): PacketEvent[] {
		const candidates = this.#candidates;
		this.#candidates = [];
		const room = Math.min(this.#limits.events, this.#budget.room(now));
		const chosen = candidates.length <= room ? new Set(candidates) : fairly(candidates, room);
		this.#batch++;
		this.#budget.spend(chosen.size);
		for (const candidate of candidates) {
			const { rule, flow, folded, key } = candidate;
			flow.candidate = null;
			if (chosen.has(candidate)) {
				rule.served = this.#batch;
				continue;
			}
			rule.overflow += 1 + folded;
			rule.aggregated -= folded;
			if (this.#flows.get(key) === flow) this.#flows.delete(key);
		}
		return candidates.flatMap((candidate) => (chosen.has(candidate) ? [candidate.event] : []));
	}

	#rule(prefix: string): RuleState | null {
		const known = this.#rules.get(prefix);
		if (known !== undefined) return known;
		const id = prefix.slice(logPrefix.length);
		if (!prefix.startsWith(logPrefix) || !ruleIdForm.test(id)) return null;
		if (this.#rules.size >= this.#limits.rules) return null;
		const rule: RuleState = {
			id,
			number: this.#rules.size,
			received: 0,
			aggregated: 0,
			overflow: 0,
			pending: 0,
			served: 0,
			changed: false,
		};
		this.#rules.set(prefix, rule);
		return rule;
	}

	/** Rule, interface, addresses, protocol and ports in a fixed layout: two flows never share a key. */
	#flowKey(bytes: Buffer, rule: number, interfaceIndex: number): string {
		const { family, source, destination, protocol, ports } = this.#layout;
		const key = this.#key;
		key.fill(0);
		key.writeUInt32LE(rule, 0);
		key.writeUInt32LE(interfaceIndex, 4);
		key[8] = family ?? 0;
		key[9] = protocol & 0xff;
		// Distinguishes what is absent from what is zero.
		key[10] = (source < 0 ? 1 : 0) | (destination < 0 ? 2 : 0) | (protocol < 0 ? 4 : 0) | (ports < 0 ? 8 : 0);
		if (ports >= 0) bytes.copy(key, 11, ports, ports + 4);
		const addressBytes = family === 6 ? 16 : 4;
		if (source >= 0) bytes.copy(key, 15, source, source + addressBytes);
		if (destination >= 0) bytes.copy(key, 15 + addressBytes, destination, destination + addressBytes);
		return key.toString("latin1", 0, 15 + 2 * addressBytes);
	}

	#remember(key: string, flow: Flow): void {
		this.#flows.delete(key);
		this.#flows.set(key, flow);
		if (this.#flows.size <= this.#limits.flows) return;
		for (const oldest of this.#flows.keys()) {
			this.#flows.delete(oldest);
			return;
		}
	}
}

/** `room` of the candidates: a round gives each rule one, and who was served longest ago comes first. */
function fairly(candidates: readonly Candidate[], room: number): Set<Candidate> {
	const byRule = Map.groupBy(candidates, ({ rule }) => rule);
	let waiting = [...byRule].toSorted(([a], [b]) => a.served - b.served).map(([, own]) => own);
	const chosen = new Set<Candidate>();
	for (let round = 0; chosen.size < room && waiting.length > 0; round++) {
		waiting = waiting.filter((own) => round < own.length);
		for (const own of waiting) {
			const candidate = own[round];
			if (candidate !== undefined && chosen.size < room) chosen.add(candidate);
		}
	}
	return chosen;
}

/** Tokens for events: so many a second, and half of that at most to spare. */
class EventBudget {
	readonly #perSecond: number;
	#tokens: number;
	#time = Number.NEGATIVE_INFINITY;

	constructor(perSecond: number) {
		this.#perSecond = perSecond;
		this.#tokens = this.#most;
	}

	/** Whole events that may go out at `now` (milliseconds). */
	room(now: number): number {
		if (now > this.#time) {
			const gained = Number.isFinite(this.#time) ? ((now - this.#time) / 1000) * this.#perSecond : 0;
			this.#tokens = Math.min(this.#most, this.#tokens + gained);
			this.#time = now;
		}
		return Math.floor(this.#tokens);
	}

	spend(events: number): void {
		this.#tokens -= events;
	}

	get #most(): number {
		return Math.max(1, this.#perSecond / 2);
	}
}
