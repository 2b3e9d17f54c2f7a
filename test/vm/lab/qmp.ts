import { Lines } from "./lines.ts";
import { Stream, within } from "./wait.ts";

export type QmpValue = string | number | boolean | null | QmpValue[] | { [key: string]: QmpValue };

/** An event that QEMU reports by itself, such as DEVICE_DELETED. */
export interface QmpEvent {
	readonly event: string;
	readonly data?: { readonly [key: string]: QmpValue };
}

interface QmpMessage extends Partial<QmpEvent> {
	readonly QMP?: QmpValue;
	readonly id?: number;
	readonly return?: QmpValue;
	readonly error?: { readonly class: string; readonly desc: string };
}

/** QEMU's monitor (docs/interop/qmp-spec.txt). */
export class Qmp {
	readonly events = new Stream<QmpEvent>();
	private readonly waiting = new Map<number, (message: QmpMessage) => void>();
	private lines: Lines | undefined;
	private last = 0;

	static async open(path: string, ms: number, gone: () => string | undefined): Promise<Qmp> {
		const qmp = new Qmp();
		qmp.lines = await Lines.open(path, ms, gone, (line) => qmp.receive(JSON.parse(line) as QmpMessage));
		await qmp.execute("qmp_capabilities");
		return qmp;
	}

	private receive(message: QmpMessage): void {
		if (message.event !== undefined) {
			this.events.push({ event: message.event, ...(message.data && { data: message.data }) });
			return;
		}
		if (message.id === undefined) return;
		this.waiting.get(message.id)?.(message);
		this.waiting.delete(message.id);
	}

	/** Runs a command and returns its result; throws with QEMU's description when it fails. */
	async execute(
		command: string,
		args: { readonly [key: string]: QmpValue } = {},
		ms = 30_000,
	): Promise<QmpValue> {
		const id = ++this.last;
		const reply = new Promise<QmpMessage>((resolve) => this.waiting.set(id, resolve));
		this.lines?.send(JSON.stringify({ execute: command, arguments: args, id }));
		const message = await within(ms, `the answer to ${command}`, reply);
		if (message.error) throw new Error(`${command} ${JSON.stringify(args)}: ${message.error.desc}`);
		return message.return ?? null;
	}

	close(): void {
		this.lines?.close();
	}
}
