/**
 * The host of a container engine: namespaces of its own for the network, mounts,
 * processes and control groups, in which a real engine runs and the machine's
 * own engine, rules and files are not touched. Outside of it are `outside`, with
 * an allowed neighbour and a stranger on the first link, and `beyond` on the second.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, type Finished, Namespace, spawnBound } from "../../system/support/netns.ts";
import { lines } from "../../system/support/probe.ts";

const script = join(import.meta.dir, "world.sh");

/** The addresses on both sides of the two links. */
export const addresses = {
	host4: "192.0.2.1",
	host6: "2001:db8::1",
	allowed4: "192.0.2.2",
	allowed6: "2001:db8::2",
	stranger4: "192.0.2.3",
	stranger6: "2001:db8::3",
	/** The host's and the neighbour's on the second link. */
	second4: "10.0.0.1",
	second6: "2001:db8:1::1",
	beyond4: "10.0.0.2",
	beyond6: "2001:db8:1::2",
} as const;

/** Never the directories of engines that Debian does not know of. */
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/run", LC_ALL: "C" };

export class World implements AsyncDisposable {
	readonly #holder: ReturnType<typeof spawnBound>;
	readonly #name: string;
	/** The first process in there, as this side numbers it. */
	readonly pid: number;
	readonly outside: Namespace;
	readonly beyond: Namespace;

	private constructor(
		holder: ReturnType<typeof spawnBound>,
		name: string,
		pid: number,
		outside: Namespace,
		beyond: Namespace,
	) {
		this.#holder = holder;
		this.#name = name;
		this.pid = pid;
		this.outside = outside;
		this.beyond = beyond;
	}

	static async create(): Promise<World> {
		const name = `portward-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
		const holder = spawnBound(["bash", script, "create", name]);
		const first = await lines(holder.stdout).next();
		if (first.done || first.value !== "ready") {
			await holder.exited;
			removeGroups(name);
			throw new Error(`no world for an engine: ${await new Response(holder.stderr).text()}`);
		}
		const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8");
		const world = new World(
			holder,
			name,
			Number(children.trim()),
			await Namespace.create(),
			await Namespace.create(),
		);
		try {
			world.#connect();
		} catch (error) {
			await world[Symbol.asyncDispose]();
			throw error;
		}
		return world;
	}

	/** What setns takes. */
	get path(): string {
		return `/proc/${this.pid}/ns/net`;
	}

	/** `argv` as it has to be started to run in here. It ends with the process that it is started as. */
	inside(argv: readonly string[]): string[] {
		const into = ["--net", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--wd=/"];
		return ["nsenter", "--target", `${this.pid}`, ...into, "setpriv", "--pdeathsig", "KILL", ...argv];
	}

	/** Runs a command in here and waits for it. */
	try(argv: readonly string[], input = ""): Finished {
		const result = Bun.spawnSync(this.inside(argv), {
			stdin: Buffer.from(input),
			stdout: "pipe",
			stderr: "pipe",
			env: environment,
		});
		return { code: result.exitCode, out: result.stdout.toString(), error: result.stderr.toString() };
	}

	/** Its output; throws with its error text when it fails. */
	run(argv: readonly string[], input = ""): string {
		const { code, out, error } = this.try(argv, input);
		if (code !== 0) throw new Error(`${argv.join(" ")}: exit ${code}: ${error}${out}`);
		return out;
	}

	/** Runs a script of bash in here; it stops at the first command that fails. */
	script(text: string): string {
		return this.run(["bash", "-euo", "pipefail", "-c", text]);
	}

	/** Starts a program in here that stays; its output goes to /run/NAME.log. */
	start(name: string, argv: readonly string[]): void {
		spawnBound(this.inside(["sh", "-c", `exec "$@" >/run/${name}.log 2>&1`, "sh", ...argv]), {
			env: environment,
		});
	}

	/** The network namespace of a process, as it is numbered in here. */
	namespaceOf(pid: number): string {
		return `/proc/${this.pid}/root/proc/${pid}/ns/net`;
	}

	#connect(): void {
		const a = addresses;
		// By the number that this side knows, so without the namespace of processes.
		const network = (batch: string) => {
			const argv = ["nsenter", `--net=${this.path}`, "ip", "-batch", "-"];
			const { exitCode, stderr } = Bun.spawnSync(argv, { stdin: Buffer.from(batch) });
			if (exitCode !== 0) throw new Error(stderr.toString());
		};
		network(`
			link add eth0 type veth peer name eth0 netns ${this.outside.pid}
			link add eth1 type veth peer name eth0 netns ${this.beyond.pid}
			address add ${a.host4}/24 dev eth0
			address add ${a.host6}/64 dev eth0 nodad
			address add ${a.second4}/24 dev eth1
			address add ${a.second6}/64 dev eth1 nodad
			link set eth0 up
			link set eth1 up
			route add default via ${a.allowed4}
			route add ::/0 via ${a.allowed6}
		`);
		this.outside.run(
			["ip", "-batch", "-"],
			`
			address add ${a.allowed4}/24 dev eth0
			address add ${a.stranger4}/24 dev eth0
			address add ${a.allowed6}/64 dev eth0 nodad
			address add ${a.stranger6}/64 dev eth0 nodad
			link set eth0 up
			route add default via ${a.host4}
			route add ::/0 via ${a.host6}
		`,
		);
		this.beyond.run(
			["ip", "-batch", "-"],
			`
			address add ${a.beyond4}/24 dev eth0
			address add ${a.beyond6}/64 dev eth0 nodad
			link set eth0 up
			route add default via ${a.second4}
			route add ::/0 via ${a.second6}
		`,
		);
		this.script("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#holder.kill("SIGKILL");
		await this.#holder.exited;
		this.outside[Symbol.dispose]();
		this.beyond[Symbol.dispose]();
		await eventually("empty control groups", () => removeGroups(this.#name), 20_000);
	}
}

/** Removes the control groups of that name with all below them, and says whether all are gone. */
function removeGroups(name: string): boolean {
	return Bun.spawnSync(["bash", script, "remove", name]).success;
}
