/**
 * Turns NFLOG records into few enough events. The first packet of a flow is an
 * event; later ones within the window are folded into it. Every record is
 * counted exactly once: it became an event, was aggregated, or overflowed.
 */

import type { PacketBatch, PacketEvent, RuleTally } from "./event.ts";
import type { LogRecord } from "./nflog-message.ts";
import { emptyLayout, locate, type PacketLayout, summarize } from "./packet.ts";

/** What our log prefixes start with; the rule's id follows. */
export const PREFIX = "pw:";

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
}

export const DEFAULT_LIMITS: AggregateLimits = {
	foldMs: 10_000,
	flows: 8192,
	rules: 262_144,
	eventsPerRule: 128,
	events: 1024,
};

interface RuleState {
	readonly id: string;
	/** Stands for the rule in flow keys. */
	readonly number: number;
	received: number;
	aggregated: number;
	overflow: number;
	/** Events of this rule in the batch that is being gathered. */
	pending: number;
	changed: boolean;
}

const ruleIdForm = /^[a-z0-9_]{1,32}$/;
/** Rule, interface, family, protocol, ports and two IPv6 addresses. */
const KEY_BYTES = 4 + 4 + 1 + 1 + 1 + 4 + 32;

export class Aggregator {
	readonly #limits: AggregateLimits;
	/** By log prefix. */
	readonly #rules = new Map<string, RuleState>();
	/** Start of each flow's window by its key, oldest first. */
	readonly #flows = new Map<string, number>();
	readonly #layout: PacketLayout = emptyLayout();
	readonly #key = Buffer.alloc(KEY_BYTES);
	#events: PacketEvent[] = [];
	#changed: RuleState[] = [];
	#dirty = false;
	#nextSequence = 0;
	#lost = 0;
	#foreign = 0;
	#overruns = 0;

	constructor(limits: AggregateLimits = DEFAULT_LIMITS) {
		this.#limits = limits;
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
		const since = this.#flows.get(key);
		if (since !== undefined && now - since < this.#limits.foldMs) {
			rule.aggregated++;
			return;
		}
		if (rule.pending >= this.#limits.eventsPerRule || this.#events.length >= this.#limits.events) {
			// The flow is not remembered, so that its next packet has another chance.
			rule.overflow++;
			return;
		}
		this.#remember(key, now);
		rule.pending++;
		this.#events.push({
			time: record.time ?? wallTime,
			ruleId: rule.id,
			packet: summarize(bytes, this.#layout),
			interface: record.interfaceIndex === 0 ? "" : interfaceName(record.interfaceIndex),
		});
	}

	/** Notes that the kernel reported a full receive buffer. */
	overrun(): void {
		this.#overruns++;
		this.#dirty = true;
	}

	/** The batch gathered so far; the next one starts empty. */
	take(): PacketBatch {
		// Without a prototype, `__proto__` is an id like any other.
		const tallies: Record<string, RuleTally> = Object.create(null);
		for (const rule of this.#changed) {
			tallies[rule.id] = { received: rule.received, aggregated: rule.aggregated, overflow: rule.overflow };
			rule.changed = false;
			rule.pending = 0;
		}
		const batch: PacketBatch = {
			events: this.#events,
			tallies,
			lost: this.#lost,
			foreign: this.#foreign,
			overruns: this.#overruns,
		};
		this.#events = [];
		this.#changed = [];
		this.#dirty = false;
		return batch;
	}

	#rule(prefix: string): RuleState | null {
		const known = this.#rules.get(prefix);
		if (known !== undefined) return known;
		const id = prefix.slice(PREFIX.length);
		if (!prefix.startsWith(PREFIX) || !ruleIdForm.test(id)) return null;
		if (this.#rules.size >= this.#limits.rules) return null;
		const rule: RuleState = {
			id,
			number: this.#rules.size,
			received: 0,
			aggregated: 0,
			overflow: 0,
			pending: 0,
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

	#remember(key: string, now: number): void {
		this.#flows.delete(key);
		this.#flows.set(key, now);
		if (this.#flows.size <= this.#limits.flows) return;
		for (const oldest of this.#flows.keys()) {
			this.#flows.delete(oldest);
			return;
		}
	}
}
