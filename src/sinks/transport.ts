/** What a sink wants of whoever carries its alerts to a receiver. */

import type { Alert } from "../report/alert.ts";

/** An alert on its way, and its text in the sink's format. */
export interface Outgoing {
	readonly alert: Alert;
	readonly text: string;
}

/** What became of a batch. */
export interface Sent {
	/** The first so many are done with: the receiver has them, or will never take them. */
	readonly done: number;
	/** Of these, how many the receiver will never take. */
	readonly refused: number;
	/** Of these, how many were made shorter, as no message may be so long. */
	readonly cut: number;
	/** Why the rest was not sent; "" where nothing is wrong and there is no room for the moment. */
	readonly error: string;
	/** Milliseconds after which the receiver wants to be asked again; null where it did not say. */
	readonly wait: number | null;
}

export interface Transport {
	/** At most so many alerts, and about so many bytes of them, go together. */
	readonly most: { readonly alerts: number; readonly bytes: number };
	/** Milliseconds that the first alert of a batch waits for others. */
	readonly gather: number;
	/** When the certificate ends that was last shown to the receiver, in milliseconds since the epoch; null for none. */
	readonly certificateExpires?: number | null;
	/** What the receiver's name led to when it was last looked up; absent where there is no name, and before. */
	readonly addresses?: readonly string[];
	/** Sends a batch, one after the other. Ends within a bounded time, and never rejects. */
	send(batch: readonly Outgoing[]): Promise<Sent>;
	/** Ends at once what is under way. */
	close(): void;
}

export function allSent(count: number): Sent {
	return { done: count, refused: 0, cut: 0, error: "", wait: null };
}

export function notSent(error: unknown): Sent {
	return { done: 0, refused: 0, cut: 0, error: reasonOf(error), wait: null };
}

/** What went wrong, in one line of a bounded length. */
export function reasonOf(error: unknown): string {
	const text = error instanceof Error ? error.message || error.name : String(error);
	return text.replace(/\s+/g, " ").trim().slice(0, 300) || "it failed without a word";
}

/** The beginning of a text that has at most `bytes` in UTF-8, without half a character. */
export function cutText(text: string, bytes: number): string {
	const encoded = Buffer.from(text);
	if (encoded.length <= bytes) return text;
	let end = bytes;
	while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end--;
	return encoded.toString("utf8", 0, end);
}
