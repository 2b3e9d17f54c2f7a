/** The terminal while `top` has it: a screen of its own, keys as they are pressed, and everything back as it was in the end. */

import type { Size } from "./view.ts";

/** What a terminal is asked for: xterm's alternate screen, the cursor, the place to write, and what to wipe. */
const enter = "\x1b[?1049h\x1b[?25l";
const leave = "\x1b[?25h\x1b[?1049l";
const home = "\x1b[H";
const wipeLine = "\x1b[K";
const wipeBelow = "\x1b[J";

/** The terminal at both ends, as far as it is used. */
export interface Terminal {
	write(text: string): void;
	readonly size: Size;
	/** Keys come one by one and unseen; null where there is no keyboard. */
	readonly keyboard: {
		setRawMode(raw: boolean): unknown;
		on(event: "data", take: (bytes: Uint8Array) => void): unknown;
		off(event: "data", take: (bytes: Uint8Array) => void): unknown;
		pause(): unknown;
	} | null;
}

export class Screen {
	readonly #terminal: Terminal;
	readonly #take: (bytes: Uint8Array) => void;
	/** Where the process ends in another way than it should. */
	readonly #ending = () => this.close();
	#open = true;

	/** @param pressed gets each key */
	constructor(terminal: Terminal, pressed: (key: string) => void) {
		this.#terminal = terminal;
		this.#take = (bytes) => {
			for (const key of Buffer.from(bytes).toString("latin1")) pressed(key);
		};
		process.on("exit", this.#ending);
		terminal.keyboard?.setRawMode(true);
		terminal.keyboard?.on("data", this.#take);
		terminal.write(enter);
	}

	get size(): Size {
		return this.#terminal.size;
	}

	/** @param lines that no terminal obeys, and that fit */
	draw(lines: readonly string[]): void {
		// In raw mode a newline does not go back to the left edge.
		this.#terminal.write(`${home}${lines.map((line) => `${line}${wipeLine}`).join("\r\n")}${wipeBelow}`);
	}

	close(): void {
		if (!this.#open) return;
		this.#open = false;
		process.off("exit", this.#ending);
		this.#terminal.write(leave);
		this.#terminal.keyboard?.setRawMode(false);
		this.#terminal.keyboard?.off("data", this.#take);
		this.#terminal.keyboard?.pause();
	}
}
