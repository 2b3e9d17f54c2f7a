import { Lines } from "./lines.ts";
import { Stream } from "./wait.ts";

/** Counts since the hammer's start. */
export interface FlowCount {
	readonly sent: number;
	readonly arrived: number;
}

/** What `traffic hammer` (test/tools/hammer.c) says about ten times a second. */
export interface HammerReport {
	readonly boot: string;
	/** CLOCK_BOOTTIME in microseconds. */
	readonly at: number;
	/** Whether the late link carries packets. */
	readonly up: boolean;
	/** Longest time without sending since the last report, in microseconds. */
	readonly gap: number;
	/** By "LINK/DIRECTION/CLASS/PROTOCOL", such as "late/in/blocked/tcp4". */
	readonly flows: ReadonlyMap<string, FlowCount>;
}

/** The host's side of `traffic hammer`, port "lab.hammer"; it outlives the guest's boots. */
export class Hammer extends Stream<HammerReport> {
	private lines: Lines | undefined;
	private boot = "";
	private names: readonly string[] = [];

	static async open(path: string, ms: number, gone: () => string | undefined): Promise<Hammer> {
		const hammer = new Hammer();
		hammer.lines = await Lines.open(path, ms, gone, (line) => hammer.receive(line));
		return hammer;
	}

	private receive(line: string): void {
		const [kind, ...words] = line.split(" ");
		if (kind === "BOOT") [this.boot = "", ...this.names] = words;
		const [at, up, gap, ...counts] = words.map(Number);
		// A line may end with the machine.
		if (kind !== "AT" || counts.length !== 2 * this.names.length || gap === undefined) return;
		const flows = this.names.map((name, index): [string, FlowCount] => [
			name,
			{ sent: counts[2 * index] ?? 0, arrived: counts[2 * index + 1] ?? 0 },
		]);
		this.push({ boot: this.boot, at: at ?? 0, up: up === 1, gap, flows: new Map(flows) });
	}

	close(): void {
		this.lines?.close();
	}
}

/** Sums of the flows that `pattern` names, from the first report to the last, which are of one boot. */
export function between(first: HammerReport, last: HammerReport, pattern: RegExp): FlowCount {
	let sent = 0;
	let arrived = 0;
	for (const [name, count] of last.flows) {
		if (!pattern.test(name)) continue;
		const before = first.flows.get(name);
		sent += count.sent - (before?.sent ?? 0);
		arrived += count.arrived - (before?.arrived ?? 0);
	}
	return { sent, arrived };
}
