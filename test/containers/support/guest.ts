/**
 * A guest on a bridge as libvirt and LXD make it, emulated: a tap device as the
 * bridge's port, frames carried to a network namespace that plays the guest.
 * No hypervisor runs; the kernel sees the same kinds of devices.
 */

import { trafficProgram } from "../../system/support/built.ts";
import { Namespace, spawnBound } from "../../system/support/netns.ts";
import { lines } from "../../system/support/probe.ts";
import { serve } from "./asking.ts";
import type { World } from "./world.ts";

export interface GuestOptions {
	/** Of the tap device on the host, such as `vnet0`. */
	readonly port: string;
	readonly bridge: string;
	/** With the length of its network. */
	readonly address4: string;
	readonly address6: string;
	readonly gateway4: string;
	readonly gateway6: string;
	/** Ports that a server in it answers on, over TCP and UDP. */
	readonly ports: readonly number[];
}

export class Guest implements Disposable {
	readonly #namespace: Namespace;
	readonly #processes: readonly ReturnType<typeof spawnBound>[];

	private constructor(namespace: Namespace, processes: readonly ReturnType<typeof spawnBound>[]) {
		this.#namespace = namespace;
		this.#processes = processes;
	}

	static async create(world: World, options: GuestOptions): Promise<Guest> {
		const namespace = await Namespace.create();
		const wire = spawnBound([trafficProgram(), "wire", world.path, options.port, namespace.path, "eth0"]);
		const first = await lines(wire.stdout).next();
		if (first.done) throw new Error(await new Response(wire.stderr).text());
		world.script(`ip link set ${options.port} master ${options.bridge} up`);
		namespace.run(
			["ip", "-batch", "-"],
			`
			address add ${options.address4} dev eth0
			address add ${options.address6} dev eth0 nodad
			link set eth0 up
			route add default via ${options.gateway4}
			route add ::/0 via ${options.gateway6}
		`,
		);
		const server = await serve(namespace.inside([]), options.ports);
		return new Guest(namespace, [wire, server]);
	}

	/** What setns takes. */
	get path(): string {
		return this.#namespace.path;
	}

	/** Runs a command in it and gives its output. */
	run(argv: readonly string[]): string {
		return this.#namespace.run(argv);
	}

	[Symbol.dispose](): void {
		for (const process of this.#processes) process.kill("SIGKILL");
		this.#namespace[Symbol.dispose]();
	}
}
