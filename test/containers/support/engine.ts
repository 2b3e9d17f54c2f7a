/** What the situations need of a container engine, and the image that its containers run. */

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trafficProgram } from "../../system/support/built.ts";
import type { World } from "./world.ts";

export interface Network {
	readonly name: string;
	readonly subnet4: string;
	readonly subnet6: string;
}

export interface ContainerOptions {
	/** `host`, or a network that was created. */
	readonly network: string;
	/** Its addresses there, unless it has the host's. */
	readonly address4?: string;
	readonly address6?: string;
	/** As the engines' option -p takes them. */
	readonly publish?: readonly string[];
	/** Ports that a server in it answers on, over TCP and UDP. */
	readonly ports: readonly number[];
}

/** A container that runs. */
export interface Container {
	readonly id: string;
	/** Of its network namespace. */
	readonly path: string;
}

export interface Engine {
	readonly name: "podman" | "docker";
	/** Gets it ready in a world, with the image. */
	start(world: World, image: string): Promise<void>;
	createNetwork(world: World, network: Network): void;
	/** A network whose containers are on the link of `parent` beside the host, with addresses of `subnet4`. */
	createMacvlan(world: World, name: string, parent: string, subnet4: string): void;
	runContainer(world: World, name: string, options: ContainerOptions): Container;
}

export const imageName = "portward-test:1";

/** A file system with a static busybox and the traffic program, as `import` takes it; its owner removes it. */
export class Image implements Disposable {
	readonly #directory = mkdtempSync(join(tmpdir(), "portward-image-"));
	readonly path = join(this.#directory, "image.tar");

	constructor() {
		const root = join(this.#directory, "root");
		for (const folder of ["bin", "etc", "proc", "sys", "dev", "tmp"])
			mkdirSync(join(root, folder), { recursive: true });
		copyFileSync("/bin/busybox", join(root, "bin/busybox"));
		copyFileSync(trafficProgram(), join(root, "bin/traffic"));
		chmodSync(join(root, "bin/traffic"), 0o755);
		for (const applet of ["sh", "sleep", "nslookup"]) symlinkSync("busybox", join(root, "bin", applet));
		const { exitCode, stderr } = Bun.spawnSync(["tar", "-C", root, "-cf", this.path, "."]);
		if (exitCode !== 0) throw new Error(stderr.toString());
	}

	[Symbol.dispose](): void {
		rmSync(this.#directory, { recursive: true });
	}
}

/** The options of `run` that both engines share. */
export function runArguments(name: string, options: ContainerOptions): string[] {
	return [
		"run",
		"--detach",
		`--name=${name}`,
		`--network=${options.network}`,
		...(options.address4 === undefined ? [] : [`--ip=${options.address4}`]),
		...(options.address6 === undefined ? [] : [`--ip6=${options.address6}`]),
		...(options.publish ?? []).map((published) => `--publish=${published}`),
		imageName,
		"/bin/traffic",
		"answer",
		...options.ports.map(String),
	];
}

/** What `inspect` of either engine says about a container that was just started as `id`. */
export function container(world: World, command: readonly string[], id: string): Container {
	const pid = Number(world.run([...command, "inspect", "--format={{.State.Pid}}", id]));
	if (!Number.isSafeInteger(pid) || pid < 1) throw new Error(`container ${id} does not run`);
	return { id, path: world.namespaceOf(pid) };
}
