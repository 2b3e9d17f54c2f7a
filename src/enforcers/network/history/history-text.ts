/**
 * The text of an answer with very many flows, as bytes and piece by piece: the same as that of `historyJson`, which as
 * objects and then as one text takes ten times the memory. Pure.
 */

import { formatAddress } from "../../../base/cidr.ts";
import { protocolText } from "../../../base/protocol.ts";
import { escapeJson } from "../../../base/terminal.ts";
import { remoteText, type SeenFlow, type SeenHistory } from "./seen-flow.ts";

/** Characters of a piece. */
const pieceLength = 32_768;

/** Bytes that a flow takes where nothing in it is long. */
const usualBytes = 300;

/** A character has at most so many bytes of UTF-8: one of four bytes is two characters of a string. */
const mostBytes = 3;

/** Text of which all that is kept is its bytes. */
class TextBytes {
	readonly #encoder = new TextEncoder();
	#bytes: Uint8Array<ArrayBuffer>;
	#length = 0;
	#piece = "";

	constructor(expected: number) {
		this.#bytes = new Uint8Array(expected);
	}

	add(text: string): void {
		this.#piece += text;
		if (this.#piece.length >= pieceLength) this.#flush();
	}

	/** The bytes, in a buffer that may be longer. */
	end(): Uint8Array<ArrayBuffer> {
		this.#flush();
		return this.#bytes.subarray(0, this.#length);
	}

	#flush(): void {
		const needed = this.#length + this.#piece.length * mostBytes;
		if (needed > this.#bytes.length) {
			const longer = new Uint8Array(Math.ceil(needed * 1.25));
			longer.set(this.#bytes.subarray(0, this.#length));
			this.#bytes = longer;
		}
		this.#length += this.#encoder.encodeInto(this.#piece, this.#bytes.subarray(this.#length)).written;
		this.#piece = "";
	}
}

/** Texts of times, of which many lie in the same second. */
class Times {
	#second = Number.NaN;
	#start = "";

	text(time: number): string {
		const second = Math.floor(time / 1000);
		if (second !== this.#second) {
			this.#second = second;
			this.#start = new Date(second * 1000).toISOString().slice(0, -"000Z".length);
		}
		return `${this.#start}${String(time - second * 1000).padStart(3, "0")}Z`;
	}
}

/** JSON of names, of which there are few. */
class NameTexts {
	readonly #texts = new Map<string, string>();

	text(name: string | null): string {
		if (name === null) return "null";
		const known = this.#texts.get(name);
		if (known !== undefined) return known;
		const text = escapeJson(JSON.stringify(name));
		this.#texts.set(name, text);
		return text;
	}
}

/**
 * A line of JSON. No terminal obeys what is in it.
 * @param flows as many as `count` says, each looked at once @param since and all times: whole milliseconds since the epoch
 */
export function historyText(
	{ since, merged, lost }: Omit<SeenHistory, "flows">,
	flows: Iterable<SeenFlow>,
	count: number,
): Uint8Array<ArrayBuffer> {
	const out = new TextBytes(count * usualBytes + pieceLength * (mostBytes + 1));
	const names = new NameTexts();
	const firsts = new Times();
	const lasts = new Times();
	out.add(`{"since":"${new Date(since).toISOString()}","flows":[`);
	let comma = "";
	for (const flow of flows) {
		const { direction, hook, guest, action, count: times, bytes } = flow;
		const who = guest === null ? "null" : `"${formatAddress(guest.family, guest.value)}"`;
		out.add(
			`${comma}{"direction":"${direction}","protocol":${names.text(protocolText(flow.protocol))},"remote":"${remoteText(flow.remote)}","port":${flow.port},"interface":${names.text(flow.interface)},"hook":"${hook}","guest":${who},"action":"${action}","policy":${names.text(flow.policy)},"count":${times},"bytes":${bytes},"firstSeen":"${firsts.text(flow.firstSeen)}","lastSeen":"${lasts.text(flow.lastSeen)}","new":${flow.isNew}}`,
		);
		comma = ",";
	}
	out.add(`],"merged":${merged},"lost":${lost}}\n`);
	return out.end();
}
