/**
 * Reads a large file of flows as it comes: neither its text nor the values of all of it are in memory at once, and to fill
 * memory is what takes longest. Only what is right in all its parts is read here; of all else `readFlows` tells what is wrong.
 * Pure.
 */

import type { SeenFlow, SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { flowOf, plainFlow, readSums } from "./flows-file.ts";

/** What stands before the first flow, as `portward flows --json` prints it. */
const beginning = /^\s*\{\s*"since"\s*:\s*"[^"\\]{0,40}"\s*,\s*"flows"\s*:\s*\[/;

/** No flow has more characters than a fraction of this: what does not end by then is read as a whole. */
const longestFlow = 65_536;

export class FlowPieces {
	readonly #flows: SeenFlow[] = [];
	/** Up to the list of flows; null until it was met. */
	#head: string | null = null;
	/** What was not read yet. */
	#rest = "";
	/** A comma stood before what was not read yet. */
	#continues = false;
	#failed = false;

	/** False: there is no use in reading on. */
	take(text: string): boolean {
		if (this.#failed) return false;
		this.#rest += text;
		if (this.#head === null) {
			const [head] = beginning.exec(this.#rest) ?? [];
			if (head === undefined) return this.#giveUpIf(this.#rest.length > longestFlow);
			this.#head = head;
			this.#rest = this.#rest.slice(head.length);
		}
		const end = this.#rest.lastIndexOf("},");
		if (end < 0) return this.#giveUpIf(this.#rest.length > longestFlow);
		const read = this.#read(this.#rest.slice(0, end + 1));
		this.#rest = this.#rest.slice(end + 2);
		this.#continues = true;
		return this.#giveUpIf(!read);
	}

	/** What all pieces said; null where anything is out of the ordinary. */
	end(): SeenHistory | null {
		const end = this.#rest.lastIndexOf("]");
		if (this.#failed || this.#head === null || end < 0) return null;
		const list = this.#rest.slice(0, end);
		if ((this.#continues && list.trim() === "") || !this.#read(list)) return null;
		const sums = readSums(`${this.#head}${this.#rest.slice(end)}`);
		return sums && { ...sums, flows: this.#flows };
	}

	/**
	 * @param list Flows and the commas between them. Where it is cut within a flow, or within a text, it is no JSON: both ends
	 * of a piece lie between two flows, or it is not read.
	 */
	#read(list: string): boolean {
		let entries: readonly unknown[];
		try {
			entries = JSON.parse(`[${list}]`);
		} catch {
			return false;
		}
		for (const entry of entries) {
			const flow = plainFlow(entry) ?? flowOf(entry);
			if ("message" in flow) return false;
			this.#flows.push(flow);
		}
		return true;
	}

	#giveUpIf(failed: boolean): boolean {
		this.#failed = failed;
		return !failed;
	}
}
