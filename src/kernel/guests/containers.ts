/**
 * Which container has an address: that of a process whose network namespace
 * has it, by the name of its cgroup. Nobody's socket is asked. `/proc/PID/cgroup`
 * and `/proc/PID/net` may be read without the right to trace the process.
 */

import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { formatIpv6 } from "../../base/address.ts";

/** As Docker, Podman, containerd and CRI-O name a container's cgroup: `docker-ID.scope`, `libpod-ID`, `/docker/ID`. */
const idInCgroup = /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?=\/|$)/m;
/** A namespace with many routes has a long table; of what is longer the rest is not read. */
const tableBytes = 256 * 1024;
const cgroupBytes = 16 * 1024;
/** Processes of one container that are looked at: some may share the host's network. */
const processesOfContainer = 4;

export interface ContainerLimits {
	/** Milliseconds from one scan to the next. */
	readonly pauseMs: number;
	/** Milliseconds after which a scan stops; the next one goes on from there. */
	readonly scanMs: number;
	/** Milliseconds for which what was found, or not found, is believed. */
	readonly lifeMs: number;
	/** Addresses remembered, found or not. */
	readonly addresses: number;
	/** Containers named for one address. */
	readonly owners: number;
}

export const containerLimits: ContainerLimits = {
	pauseMs: 2000,
	scanMs: 100,
	lifeMs: 30_000,
	addresses: 4096,
	owners: 4,
};

interface Known {
	readonly owners: readonly string[];
	readonly until: number;
}

export class Containers {
	readonly #limits: ContainerLimits;
	readonly #now: () => number;
	readonly #proc: string;
	/** By address. */
	readonly #known = new Map<string, Known>();
	#nextScan = Number.NEGATIVE_INFINITY;
	/** Where a scan that took too long goes on; 0 where it came to the end. */
	#nextPid = 0;

	/**
	 * @param now milliseconds on a clock that only goes forward.
	 * @param proc where proc(5) is mounted.
	 */
	constructor(now: () => number, limits = containerLimits, proc = "/proc") {
		this.#now = now;
		this.#limits = limits;
		this.#proc = proc;
	}

	/** The ids of the containers that have a canonical address, in alphabetical order; none where nobody knows. */
	ownersOf(address: string): readonly string[] {
		const now = this.#now();
		const known = this.#known.get(address);
		if (known !== undefined && now < known.until) return known.owners;
		if (now < this.#nextScan) return known?.owners ?? [];
		this.#nextScan = now + this.#limits.pauseMs;
		const found = this.#scan();
		const until = now + this.#limits.lifeMs;
		for (const [one, owners] of found)
			this.#remember(one, { owners: [...owners].sort().slice(0, this.#limits.owners), until });
		if (!found.has(address) && this.#nextPid === 0) this.#remember(address, { owners: [], until });
		return this.#known.get(address)?.owners ?? [];
	}

	#remember(address: string, known: Known): void {
		if (this.#known.size >= this.#limits.addresses) this.#known.clear();
		this.#known.set(address, known);
	}

	#scan(): Map<string, Set<string>> {
		const found = new Map<string, Set<string>>();
		const looked = new Map<string, number>();
		const own = this.#namespaceOf("thread-self");
		const pids = this.#pids();
		const after = pids.findIndex((pid) => pid >= this.#nextPid);
		const stop = this.#now() + this.#limits.scanMs;
		this.#nextPid = 0;
		for (const pid of after < 0 ? pids : [...pids.slice(after), ...pids.slice(0, after)]) {
			if (this.#now() >= stop) {
				this.#nextPid = pid;
				break;
			}
			const id = containerOf(readStart(`${this.#proc}/${pid}/cgroup`, cgroupBytes));
			const before = id === null ? processesOfContainer : (looked.get(id) ?? 0);
			if (id === null || before >= processesOfContainer) continue;
			looked.set(id, before + 1);
			const namespace = this.#namespaceOf(`${pid}`);
			if (namespace === null || namespace === own) continue;
			looked.set(id, processesOfContainer);
			for (const address of this.#addressesOf(pid)) {
				const owners = found.get(address) ?? new Set();
				found.set(address, owners.add(id));
			}
		}
		return found;
	}

	#pids(): number[] {
		try {
			const names = readdirSync(this.#proc).filter((name) => /^[0-9]+$/.test(name));
			return names.map(Number).sort((a, b) => a - b);
		} catch {
			return [];
		}
	}

	/** Each network namespace has files of its own in proc, whose numbers tell it from others. */
	#namespaceOf(pid: string): number | null {
		try {
			return statSync(`${this.#proc}/${pid}/net/dev`).ino;
		} catch {
			return null;
		}
	}

	#addressesOf(pid: number): string[] {
		const net = `${this.#proc}/${pid}/net`;
		return [
			...ipv4Addresses(readStart(`${net}/fib_trie`, tableBytes)),
			...ipv6Addresses(readStart(`${net}/if_inet6`, tableBytes)),
		];
	}
}

/** The outermost container in the text of /proc/PID/cgroup. */
export function containerOf(cgroups: string): string | null {
	return idInCgroup.exec(cgroups)?.[1] ?? null;
}

/** The addresses of a namespace but the loopback's, out of /proc/PID/net/fib_trie. */
export function ipv4Addresses(table: string): string[] {
	const found = new Set<string>();
	let leaf = "";
	for (const line of table.split("\n")) {
		const [, address] = /^ *\|-- (\d+\.\d+\.\d+\.\d+)$/.exec(line) ?? [];
		if (address !== undefined) leaf = address;
		else if (/^ *\/32 host LOCAL$/.test(line) && leaf !== "" && !leaf.startsWith("127.")) found.add(leaf);
	}
	return [...found];
}

/** The addresses of a namespace that others can reach, out of /proc/PID/net/if_inet6. */
export function ipv6Addresses(table: string): string[] {
	return table.split("\n").flatMap((line) => {
		const [, digits] = /^([0-9a-f]{32}) /.exec(line) ?? [];
		if (digits === undefined) return [];
		const address = formatIpv6(Uint8Array.fromHex(digits), 0);
		return address === "::1" || digits.startsWith("fe8") ? [] : [address];
	});
}

/** The beginning of a file of proc, whose length nobody knows before it is read; "" where it cannot be read. */
function readStart(path: string, most: number): string {
	let descriptor: number | null = null;
	try {
		descriptor = openSync(path, "r");
		const bytes = Buffer.allocUnsafe(most);
		let length = 0;
		for (let read = -1; read !== 0 && length < most; length += read)
			read = readSync(descriptor, bytes, length, most - length, null);
		return bytes.toString("latin1", 0, length);
	} catch {
		return "";
	} finally {
		if (descriptor !== null) closeSync(descriptor);
	}
}
