import type { GuestProcess } from "./agent.ts";
import { stringDescriptor } from "./descriptors.ts";
import type { Vm } from "./vm.ts";

/** What to answer: bytes, an error, nothing at all, or an empty success. */
export type Reply = Uint8Array | "stall" | "hang";

/** The answer to control requests whose 8 setup bytes match: hex digits, "." for any. */
export interface Rule {
	readonly setup: string;
	readonly reply: Reply;
	/** True: only for the first match. */
	readonly once?: boolean;
}

/** A USB device that answers whatever the test wants; see test/vm/guest/hostile. */
export interface HostileDevice {
	readonly device: Uint8Array;
	readonly configurations: readonly Uint8Array[];
	/** By index. Texts become string descriptors; bytes are sent as they are. */
	readonly strings?: { readonly [index: number]: string | Uint8Array };
	readonly speed?: "low" | "full" | "high" | "super";
	/** Looked at in order, before what the descriptors above would answer. */
	readonly rules?: readonly Rule[];
	/** By address (0x81); an endpoint that is not named hangs, as an idle one does. */
	readonly endpoints?: { readonly [address: number]: "stall" | "hang" | "zero" };
	/** A bulk-only disk on 0x81 and 0x02, or on these: obeys this many SCSI commands, then stops answering. */
	readonly disk?: { readonly commands: number; readonly in?: number; readonly out?: number };
	/** Report every control request, see Hostile.requests(). */
	readonly trace?: boolean;
	/** A port of vhci_hcd; otherwise the first free one. */
	readonly port?: number;
}

export interface HostilePlugged {
	readonly id: string;
	/** Its name in the guest's sysfs, "9-1", if the kernel accepts it. */
	readonly name: string;
	readonly port: number;
	/** Its place in the event stream: before it was plugged. */
	readonly mark: number;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const reply = (value: Reply) => (typeof value === "string" ? value : hex(value));

function words(device: HostileDevice): string {
	const list = [`speed=${device.speed ?? "high"}`, `device=${hex(device.device)}`];
	if (device.port !== undefined) list.push(`port=${device.port}`);
	for (const bytes of device.configurations) list.push(`config=${hex(bytes)}`);
	if (device.strings) list.push(`string.0=${hex(Uint8Array.of(4, 3, 9, 4))}`);
	for (const [index, text] of Object.entries(device.strings ?? {}))
		list.push(`string.${index}=${hex(typeof text === "string" ? stringDescriptor(text) : text)}`);
	for (const rule of device.rules ?? [])
		list.push(`${rule.once ? "once" : "on"}=${rule.setup}:${reply(rule.reply)}`);
	for (const [address, action] of Object.entries(device.endpoints ?? {}))
		list.push(`ep.${Number(address).toString(16)}=${action}`);
	if (device.disk) {
		const { commands, in: input = 0x81, out = 0x02 } = device.disk;
		list.push(`bot=${commands}`, `bot.in=${input.toString(16)}`, `bot.out=${out.toString(16)}`);
	}
	if (device.trace) list.push("trace=1");
	return list.join(" ");
}

/** The program in the guest that is all the hostile devices of a test. When it ends they are unplugged. */
export class Hostile {
	private count = 0;

	private constructor(
		private readonly vm: Vm,
		private readonly process: GuestProcess,
	) {}

	/** Loads the virtual host controllers (8 with 15 ports for each of two speeds) and starts the program. */
	static async start(vm: Vm): Promise<Hostile> {
		await vm.sh("modprobe vhci_hcd");
		const process = vm.spawn("exec /run/lab/hostile");
		process.write("count\n");
		await process.lines.find((line) => line === "ok count 0", "the device program");
		return new Hostile(vm, process);
	}

	/** The program's answer about a device: what follows "ok", or the reason of an "error". */
	private async answer(id: string, mark: number): Promise<{ words: string[] } | { error: string }> {
		const mine = (line: string) => /^(ok|error) /.test(line) && line.split(" ")[1] === id;
		const line = await this.process.lines.find(mine, `an answer for ${id}`, { mark });
		const [verdict, , ...words] = line.split(" ");
		return verdict === "ok" ? { words } : { error: words.join(" ") };
	}

	private async done(id: string, mark: number): Promise<string[]> {
		const answer = await this.answer(id, mark);
		if ("error" in answer) throw new Error(answer.error);
		return answer.words;
	}

	/** Plugs a device in. Does not wait for the kernel, which may never accept it. */
	async plug(device: HostileDevice): Promise<HostilePlugged> {
		const [plugged] = await this.plugAll([device]);
		if (plugged === undefined) throw new Error("unreachable");
		return plugged;
	}

	/** Plugs devices in as fast as the guest takes them. */
	async plugAll(devices: readonly HostileDevice[]): Promise<HostilePlugged[]> {
		const mark = this.vm.events.mark();
		const lines = this.process.lines.mark();
		const plan = devices.map((device) => ({ id: `h${++this.count}`, words: words(device) }));
		this.process.write(plan.map(({ id, words }) => `plug ${id} ${words}\n`).join(""));
		const plugged: HostilePlugged[] = [];
		for (const { id } of plan) {
			const [name = "", port = ""] = await this.done(id, lines);
			plugged.push({ id, name, port: Number(port), mark });
		}
		return plugged;
	}

	async unplug(device: HostilePlugged): Promise<void> {
		await this.unplugAll([device]);
	}

	/** Unplugs devices as fast as the guest takes it. */
	async unplugAll(devices: readonly HostilePlugged[]): Promise<void> {
		const lines = this.process.lines.mark();
		this.process.write(devices.map(({ id }) => `unplug ${id}\n`).join(""));
		for (const { id } of devices) await this.done(id, lines);
	}

	/** Sends bytes on an IN endpoint, such as a key report; false if no driver of the guest is listening there. */
	async send(device: HostilePlugged, address: number, bytes: Uint8Array): Promise<boolean> {
		const mark = this.process.lines.mark();
		this.process.write(`send ${device.id} ${address.toString(16)} ${hex(bytes)}\n`);
		return "words" in (await this.answer(device.id, mark));
	}

	/** Waits until a disk has been sent a command that it will not answer. */
	async hung(device: HostilePlugged): Promise<void> {
		await this.process.lines.find((line) => line === `hung ${device.id}`, "the disk to hang");
	}

	/** The setup bytes, in hex, of the control requests that a device with `trace` has received. */
	requests(device: HostilePlugged): string[] {
		return this.process.lines.items.flatMap((line) => {
			const [kind, id, setup = ""] = line.split(" ");
			return kind === "ctrl" && id === device.id ? [setup] : [];
		});
	}

	/** Unplugs everything. */
	async stop(): Promise<void> {
		this.process.closeInput();
		await this.process.exited;
	}
}
