/**
 * Two network namespaces joined by veth pairs: `guarded`, where portward runs,
 * and `peer`, the rest of the world. They have no names, so they vanish with
 * the processes that hold them, however the test ends; the machine's own
 * network is never touched.
 */

import { readlinkSync } from "node:fs";

/** One finished command. */
export interface Finished {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

/** Starts a program that dies with this process. */
export function spawnBound(
	argv: readonly string[],
	options: { env?: Record<string, string>; cwd?: string } = {},
) {
	return Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...argv], {
		stdin: "pipe",
		stdout: "pipe",
		stderr: "pipe",
		...options,
	});
}

/**
 * Waits until `look` gives something else than null, false or undefined; throws after `milliseconds`, which are many: how
 * soon something is done depends on what else the machine does, and is no claim of a test.
 */
export async function eventually<T>(
	what: string,
	look: () => T | Promise<T>,
	milliseconds = 60_000,
): Promise<NonNullable<T>> {
	const start = performance.now();
	for (;;) {
		const found = await look();
		if (found !== null && found !== undefined && found !== false) return found;
		const waited = performance.now() - start;
		if (waited > milliseconds) throw new Error(`not within ${milliseconds} ms: ${what}`);
		// Looking costs the daemon and the test time of a core, which what is waited for may need: the longer, the seldomer.
		await Bun.sleep(Math.min(Math.max(waited / 10, 5), 100));
	}
}

export class Namespace implements Disposable {
	readonly #holder: ReturnType<typeof spawnBound>;

	private constructor(holder: ReturnType<typeof spawnBound>) {
		this.#holder = holder;
	}

	static async create(): Promise<Namespace> {
		const holder = spawnBound(["unshare", "--net", "sleep", "infinity"]);
		const created = new Namespace(holder);
		const own = readlinkSync("/proc/self/ns/net");
		await eventually("a new network namespace", () => readlinkSync(created.path) !== own);
		created.run(["ip", "link", "set", "lo", "up"]);
		return created;
	}

	/** Process that holds the namespace. */
	get pid(): number {
		return this.#holder.pid;
	}

	/** What setns takes. */
	get path(): string {
		return `/proc/${this.pid}/ns/net`;
	}

	/** `argv` as it has to be started to run in here; no process stands between. */
	inside(argv: readonly string[]): string[] {
		return ["nsenter", `--net=${this.path}`, ...argv];
	}

	/** Runs a command in here and waits for it. */
	try(argv: readonly string[], input = ""): Finished {
		const result = Bun.spawnSync(this.inside(argv), {
			stdin: Buffer.from(input),
			stdout: "pipe",
			stderr: "pipe",
		});
		return { code: result.exitCode, out: result.stdout.toString(), error: result.stderr.toString() };
	}

	/** Its output; throws with its error text when it fails. */
	run(argv: readonly string[], input = ""): string {
		const { code, out, error } = this.try(argv, input);
		if (code !== 0) throw new Error(`${argv.join(" ")}: exit ${code}: ${error}${out}`);
		return out;
	}

	/** Loads an nftables script in here. */
	nft(script: string): void {
		this.run(["nft", "-f", "-"], script);
	}

	/** Writes settings below /proc/sys/net, which shows the namespace of who opens it. */
	sysctl(settings: Readonly<Record<string, string>>): void {
		const script = Object.entries(settings).map(([name, value]) => `echo ${value} > /proc/sys/net/${name}`);
		this.run(["sh", "-ec", script.join("\n")]);
	}

	[Symbol.dispose](): void {
		this.#holder.kill("SIGKILL");
	}
}

/** One veth pair. */
export interface Link {
	/** The guarded end's name. */
	readonly name: string;
	readonly peerName: string;
	/** Addresses of the guarded end. */
	readonly local4: string;
	readonly local6: string;
	/** Addresses of the peer's end. */
	readonly remote4: string;
	readonly remote6: string;
}

/** RFC 2544's range for tests of devices, and a unique local prefix: no policy in the tests means them by chance. */
function linkOf(name: string, index: number): Link {
	return {
		name,
		peerName: `peer${index}`,
		local4: `198.18.${index}.1`,
		remote4: `198.18.${index}.2`,
		local6: `fd98:18:${index}::1`,
		remote6: `fd98:18:${index}::2`,
	};
}

export class Lab implements Disposable {
	readonly guarded: Namespace;
	readonly peer: Namespace;
	readonly links: readonly Link[];

	private constructor(guarded: Namespace, peer: Namespace, links: readonly Link[]) {
		this.guarded = guarded;
		this.peer = peer;
		this.links = links;
	}

	/** A lab whose guarded host has these interfaces. Any remote address can be reached over each. */
	static async create(interfaces: readonly string[] = ["eth0"]): Promise<Lab> {
		const guarded = await Namespace.create();
		const peer = await Namespace.create();
		const lab = new Lab(guarded, peer, interfaces.map(linkOf));
		try {
			for (const [index, link] of lab.links.entries()) lab.#connect(link, index);
		} catch (error) {
			lab[Symbol.dispose]();
			throw error;
		}
		return lab;
	}

	/** Of namespaces that are joined already, and that somebody else ends. */
	static between(guarded: Namespace, peer: Namespace, link: Link): Lab {
		return new Lab(guarded, peer, [link]);
	}

	#connect(link: Link, index: number): void {
		const { guarded, peer } = this;
		guarded.run([
			"ip",
			"link",
			"add",
			link.name,
			"type",
			"veth",
			"peer",
			"name",
			link.peerName,
			"netns",
			`${peer.pid}`,
		]);
		// Packets come from any address, and a disabled check of their way back is per interface or "all", whichever is stricter.
		const settings = (name: string) => ({
			"ipv4/conf/all/rp_filter": "0",
			[`ipv4/conf/${name}/rp_filter`]: "0",
			[`ipv6/conf/${name}/accept_dad`]: "0",
			[`ipv6/conf/${name}/router_solicitations`]: "0",
		});
		guarded.sysctl(settings(link.name));
		peer.sysctl(settings(link.peerName));
		const configure = (name: string, own4: string, own6: string, other4: string, other6: string) => `
			address add ${own4}/24 dev ${name}
			address add ${own6}/64 dev ${name} nodad
			link set ${name} up
			route add default via ${other4} dev ${name} metric ${100 + index}
			route add ::/0 via ${other6} dev ${name} metric ${100 + index}
		`;
		guarded.run(
			["ip", "-batch", "-"],
			configure(link.name, link.local4, link.local6, link.remote4, link.remote6),
		);
		peer.run(
			["ip", "-batch", "-"],
			configure(link.peerName, link.remote4, link.remote6, link.local4, link.local6),
		);
		// Neighbours are fixed, so that probes never wait for, or depend on, their discovery.
		this.fixNeighbours(link);
	}

	/** Enters the other end of a link as a permanent neighbour at both ends. */
	fixNeighbours(link: Link): void {
		const enter = (namespace: Namespace, name: string, address4: string, address6: string, to: string) =>
			namespace.run(
				["ip", "-batch", "-"],
				`neighbour replace ${address4} lladdr ${to} nud permanent dev ${name}\nneighbour replace ${address6} lladdr ${to} nud permanent dev ${name}\n`,
			);
		enter(this.guarded, link.name, link.remote4, link.remote6, hardwareAddress(this.peer, link.peerName));
		enter(this.peer, link.peerName, link.local4, link.local6, hardwareAddress(this.guarded, link.name));
	}

	/** The link of a guarded interface. */
	link(name: string): Link {
		const found = this.links.find((link) => link.name === name);
		if (found === undefined) throw new Error(`no interface ${name} in this lab`);
		return found;
	}

	[Symbol.dispose](): void {
		this.guarded[Symbol.dispose]();
		this.peer[Symbol.dispose]();
	}
}

export function hardwareAddress(namespace: Namespace, name: string): string {
	const found: { address: string }[] = JSON.parse(
		namespace.run(["ip", "-json", "link", "show", "dev", name]),
	);
	const first = found[0];
	if (first === undefined) throw new Error(`no interface ${name}`);
	return first.address;
}
