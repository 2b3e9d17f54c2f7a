/** Who watches what, and a bounded queue for each of them. What one reads slowly holds up nobody else. */

import { type ApiDrop, type Feed, feeds, noFeeds } from "../../report/kubearmor-api-status.ts";

/** Messages that wait for one client, and their bytes; what comes beyond is dropped. */
const mostQueued = 1000;
const mostBytes = 1024 * 1024;
/** Clients of all feeds together, each of which may have a full queue. */
const mostSubscribers = 128;

/** Where a client's messages go. */
export interface FeedCall {
	/** The other end, as a connection names it. */
	readonly peer: string;
	/** Returns whether there is room for more; where there is none, `drained` is called when there is again. */
	write(message: Buffer): boolean;
}

class Subscriber {
	readonly call: FeedCall;
	readonly #written: () => void;
	readonly #waiting: Buffer[] = [];
	/** The first of `waiting` that was not written. */
	#next = 0;
	#bytes = 0;
	#full = false;

	/** @param written called for each message that is on its way */
	constructor(call: FeedCall, written: () => void) {
		this.call = call;
		this.#written = written;
	}

	/** False: there is no room for it. */
	offer(message: Buffer): boolean {
		if (!this.#full) {
			this.#write(message);
			return true;
		}
		if (this.#waiting.length - this.#next >= mostQueued || this.#bytes + message.length > mostBytes)
			return false;
		this.#waiting.push(message);
		this.#bytes += message.length;
		return true;
	}

	drained(): void {
		this.#full = false;
		while (!this.#full && this.#next < this.#waiting.length) {
			const message = this.#waiting[this.#next++];
			if (message === undefined) break;
			this.#bytes -= message.length;
			this.#write(message);
		}
		this.#waiting.splice(0, this.#next);
		this.#next = 0;
	}

	#write(message: Buffer): void {
		this.#full = !this.call.write(message);
		this.#written();
	}
}

/** What a client got when it came. */
export interface Subscription {
	/** There is room for more. */
	drained(): void;
	/** It is gone. May be called again. */
	end(): void;
}

export class FeedHub {
	readonly #changed: () => void;
	readonly #subscribers: Readonly<Record<Feed, Set<Subscriber>>> = {
		alerts: new Set(),
		logs: new Set(),
		messages: new Set(),
	};
	readonly #sent = noFeeds();
	readonly #dropped: Record<ApiDrop, number> = { slow: 0, busy: 0 };

	/** `changed` is called when a count is another. */
	constructor(changed: () => void) {
		this.#changed = changed;
	}

	/** Null: there are too many already. */
	subscribe(feed: Feed, call: FeedCall): Subscription | null {
		if (feeds.reduce((all, each) => all + this.#subscribers[each].size, 0) >= mostSubscribers) return null;
		const subscriber = new Subscriber(call, () => {
			this.#sent[feed]++;
		});
		const subscribers = this.#subscribers[feed];
		subscribers.add(subscriber);
		this.#changed();
		return {
			drained: () => {
				subscriber.drained();
				this.#changed();
			},
			end: () => {
				if (subscribers.delete(subscriber)) this.#changed();
			},
		};
	}

	isWatched(feed: Feed): boolean {
		return this.#subscribers[feed].size > 0;
	}

	/** The other ends of those who watch something. */
	peers(): ReadonlySet<string> {
		return new Set(feeds.flatMap((feed) => [...this.#subscribers[feed]].map(({ call }) => call.peer)));
	}

	/** Gives all who watch `feed` the same bytes. */
	publish(feed: Feed, message: Buffer): void {
		for (const subscriber of this.#subscribers[feed]) {
			if (!subscriber.offer(message)) this.#dropped.slow++;
		}
		this.#changed();
	}

	get counts() {
		const { alerts, logs, messages } = this.#subscribers;
		return {
			subscribers: { alerts: alerts.size, logs: logs.size, messages: messages.size },
			sent: { ...this.#sent },
			dropped: { ...this.#dropped },
		};
	}
}
