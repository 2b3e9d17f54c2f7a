import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, type GuestProcess, type Result } from "./agent.ts";
import { Recorder } from "./events.ts";
import { filesDisk } from "./files-disk.ts";
import { Hammer } from "./hammer.ts";
import { cacheDir, readyImages } from "./images.ts";
import { Qmp, type QmpValue } from "./qmp.ts";
import { until, within } from "./wait.ts";

/** "fast": an initramfs with busybox, libnftables and libudev. "real": Debian 12 with systemd on a disk. */
export type Flavour = "fast" | "real";

export interface BootOptions {
	readonly flavour: Flavour;
	/** Added to the kernel's command line, such as "usbcore.authorized_default=0". */
	readonly append?: string;
	/** MiB. */
	readonly memory?: number;
	/** Files for the guest: name below /host there (read-only) → path here. */
	readonly files?: { readonly [name: string]: string };
	/** "fast" only: run systemd-udevd, which loads drivers on demand, in place of loading them all first. */
	readonly udev?: boolean;
	/** Milliseconds from the start of QEMU to a guest that answers. */
	readonly timeout?: number;
}

function disk(id: string, file: string, options: string): string[] {
	const drive = `file=${file},format=raw,if=none,id=${id},${options}`;
	return ["-drive", drive, "-device", `virtio-blk-pci,drive=${id},serial=${id}`];
}

// Another VM of this checkout may be running; there is one in each slot at a time.
const lockSeconds = 1200;
const slot = Number(process.env.PORTWARD_VM_SLOT ?? 0);
function consoleOf(dir: string): string {
	const path = join(dir, "console");
	return existsSync(path) ? readFileSync(path, "latin1") : "";
}

/** How a QEMU that has ended did so, and its last words. */
function endOf(qemu: Bun.Subprocess, log: string): string {
	const how = qemu.signalCode ?? `exit ${qemu.exitCode}`;
	return `QEMU has ended (${how}): ${existsSync(log) ? readFileSync(log, "utf8").slice(-2000) : ""}`;
}

const living = new Set<Vm>();
// A QEMU that outlives its test would hold the lock; --pdeathsig covers a SIGKILL of this process.
process.on("exit", () => {
	for (const vm of living) vm.kill();
});

/** A guest under QEMU's emulation, without any network device. Always stop() it, or boot it with `await using`. */
export class Vm implements AsyncDisposable {
	/** Milliseconds from the start of QEMU to the agent's first word. */
	bootTime = 0;

	private constructor(
		readonly flavour: Flavour,
		private readonly dir: string,
		private readonly qemu: Bun.Subprocess,
		readonly qmp: Qmp,
		private readonly agent: Agent,
		/** Uevents and the kernel's log, from before the first USB bus on, of every boot. */
		readonly events: Recorder,
		/** What `traffic hammer` reports, where a test has the guest run it. */
		readonly hammer: Hammer,
	) {}

	/** QEMU's process. */
	get qemuPid(): number {
		return this.qemu.pid;
	}

	/** Boots a guest and waits until it runs commands ("real": systemd may still be starting services). */
	static async boot(options: BootOptions): Promise<Vm> {
		const images = readyImages();
		const dir = mkdtempSync(join(tmpdir(), "portward-vm."));
		const socket = (name: string) => `${join(dir, name)},server=on,wait=off`;
		const append = ["console=ttyS0 panic=-1 oops=panic mitigations=off quiet loglevel=4"];
		if (options.udev) append.push("lab.udev=1");
		if (options.flavour === "real") append.push("lab.root=/dev/vda");
		if (options.append) append.push(options.append);
		const real = options.flavour === "real";
		const files = options.files ? await filesDisk(join(dir, "files.ext4"), options.files) : undefined;
		// The root disk comes first: it is /dev/vda.
		const disks = [
			...(real ? disk("root", images.real, "snapshot=on,cache=unsafe") : []),
			...(files ? disk("files", files, "readonly=on") : []),
		];
		// biome-ignore format: one option a line
		const qemu = [
			"qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none",
			"-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2",
			"-m", String(options.memory ?? (real ? 1536 : 1024)),
			...(real ? [] : ["-no-reboot"]),
			"-kernel", images.kernel, "-initrd", real ? images.boot : images.fast, "-append", append.join(" "),
			"-serial", `file:${join(dir, "console")}`,
			"-qmp", `unix:${socket("qmp")}`,
			"-device", "virtio-serial-pci",
			"-chardev", `socket,id=rpc,path=${socket("rpc")}`, "-device", "virtserialport,chardev=rpc,name=lab.rpc",
			"-chardev", `socket,id=events,path=${socket("events")}`, "-device", "virtserialport,chardev=events,name=lab.events",
			"-chardev", `socket,id=hammer,path=${socket("hammer")}`, "-device", "virtserialport,chardev=hammer,name=lab.hammer",
			"-object", "rng-random,filename=/dev/urandom,id=rng", "-device", "virtio-rng-pci,rng=rng",
			"-device", "qemu-xhci,id=hc,p2=15,p3=15", "-audiodev", "none,id=sound",
			...disks,
		];
		const log = join(dir, "qemu.log");
		const lock = ["flock", "--no-fork", "-w", String(lockSeconds), join(cacheDir, `vm-${slot}.lock`)];
		const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...lock, ...qemu], {
			stdin: "ignore",
			stdout: Bun.file(log),
			stderr: Bun.file(log),
		});
		const gone = () => (child.exitCode === null && child.signalCode === null ? undefined : endOf(child, log));
		// Beside other work the emulated processor takes minutes.
		const timeout = options.timeout ?? 300_000;
		const open: { close(): void }[] = [];
		const opened = <T extends { close(): void }>(channel: T): T => {
			open.push(channel);
			return channel;
		};
		try {
			const qmp = opened(await Qmp.open(join(dir, "qmp"), lockSeconds * 1000, gone));
			const started = performance.now();
			const events = opened(await Recorder.open(join(dir, "events"), 15_000, gone));
			const hammer = opened(await Hammer.open(join(dir, "hammer"), 15_000, gone));
			const agent = opened(await Agent.open(join(dir, "rpc"), 15_000, gone));
			await until(timeout, "the guest's agent", () => {
				const end = gone();
				if (end !== undefined) throw new Error(end);
				if (consoleOf(dir).includes("Kernel panic")) throw new Error("the guest's kernel has panicked");
				return agent.boots.items.length > 0;
			});
			const vm = new Vm(options.flavour, dir, child, qmp, agent, events, hammer);
			living.add(vm);
			if (!real) await vm.run("until [ -e /run/lab/ready ]; do usleep 20000; done", { timeout });
			vm.bootTime = performance.now() - started;
			return vm;
		} catch (error) {
			for (const channel of open) channel.close();
			child.kill("SIGKILL");
			await child.exited;
			const console = consoleOf(dir);
			rmSync(dir, { recursive: true, force: true });
			throw new Error(`the VM did not boot; end of its console:\n${console.slice(-3000)}`, { cause: error });
		}
	}

	/** Runs a shell script in the guest to its end; `timeout` in milliseconds. A failure is a result. */
	async run(script: string, options: { timeout?: number } = {}): Promise<Result> {
		const ended = this.qemu.exited.then(() => {
			throw new Error(`${endOf(this.qemu, this.path("qemu.log"))}\nduring: ${script}`);
		});
		return await Promise.race([this.agent.run(script, options.timeout ?? 180_000), ended]);
	}

	/** As run(), but throws unless it ends with 0; returns standard output without the last newline. */
	async sh(script: string, options: { timeout?: number } = {}): Promise<string> {
		const { code, reason, stdout, stderr } = await this.run(script, options);
		if (code !== 0) throw new Error(`${script}\nended with ${code} (${reason})\n${stdout}${stderr}`);
		return stdout.replace(/\n$/, "");
	}

	/** Starts a shell script that goes on in the background; stop it with kill(). */
	spawn(script: string): GuestProcess {
		return this.agent.spawn(script);
	}

	/** Writes a file in the guest. For large files give them to boot(). */
	put(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
		return this.agent.put(path, content, mode);
	}

	/** Runs a script until it ends with 0; returns its output. Throws TimedOut with its last words. */
	async waitFor(script: string, options: { timeout?: number; every?: number } = {}): Promise<string> {
		let last: Result | undefined;
		return await until(
			options.timeout ?? 60_000,
			() => `${script}\nlast: ${JSON.stringify(last)}`,
			async () => {
				last = await this.run(script);
				return last.code === 0 ? last.stdout.replace(/\n$/, "") : undefined;
			},
			options.every ?? 100,
		);
	}

	/** Waits until the recorder has delivered whatever the kernel had sent or logged before this call. */
	async barrier(): Promise<void> {
		const mark = this.events.mark();
		const uuid = randomUUID();
		await this.sh(`echo change ${uuid} > /sys/class/mem/null/uevent; echo ${uuid} > /dev/kmsg`);
		await this.events.uevent(({ properties }) => properties.get("SYNTH_UUID") === uuid, "the marker", {
			mark,
		});
		await this.events.find((event) => event.kind === "log" && event.text === uuid, "the marker", { mark });
	}

	/** A command of QEMU's monitor. */
	monitor(command: string, args: { readonly [key: string]: QmpValue } = {}): Promise<QmpValue> {
		return this.qmp.execute(command, args);
	}

	/** What the guest has written to its serial console. */
	console(): string {
		return consoleOf(this.dir);
	}

	/** A path in the VM's own folder, which goes when it stops. */
	path(name: string): string {
		return join(this.dir, name);
	}

	/**
	 * Reboots a "real" guest and waits for the agent of the next boot. The disk is kept. With `hard`, as the reset
	 * button does: nothing is shut down or synced.
	 */
	async reboot(options: { hard?: boolean; timeout?: number } = {}): Promise<void> {
		const mark = this.agent.boots.mark();
		if (options.hard) await this.monitor("system_reset");
		else this.spawn("systemctl reboot");
		await this.agent.boots.find(() => true, "the guest to come back", {
			mark,
			ms: options.timeout ?? 180_000,
		});
	}

	/** Waits until systemd has started everything; returns "running", or "degraded" when a unit failed. */
	async systemReady(timeout = 180_000): Promise<string> {
		return (await this.run("systemctl is-system-running --wait", { timeout })).stdout.trim();
	}

	/** Ends QEMU and removes the VM's folder. */
	async stop(): Promise<void> {
		for (const channel of [this.qmp, this.agent, this.events, this.hammer]) channel.close();
		this.qemu.kill("SIGTERM");
		try {
			await within(5_000, "QEMU to end", this.qemu.exited);
		} catch {
			this.qemu.kill("SIGKILL");
			await this.qemu.exited;
		}
		living.delete(this);
		rmSync(this.dir, { recursive: true, force: true });
	}

	/** Kills QEMU without waiting: for a process that is about to exit. */
	kill(): void {
		this.qemu.kill("SIGKILL");
		rmSync(this.dir, { recursive: true, force: true });
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.stop();
	}
}
