/** A world with an engine, its containers and servers everywhere: what the situations are asked in. */

import type { spawnBound } from "../../system/support/netns.ts";
import { ask, type Question, serve, untilServed } from "./asking.ts";
import { type Container, type Engine, Image } from "./engine.ts";
import { type Asker, one, peer4, type Situation, second4, two, web4, web6 } from "./situations.ts";
import { addresses as a, World } from "./world.ts";

export class Site implements AsyncDisposable {
	readonly world: World;
	readonly engine: Engine;
	readonly web: Container;
	readonly peer: Container;
	readonly #servers: ReturnType<typeof spawnBound>[] = [];

	private constructor(world: World, engine: Engine, web: Container, peer: Container) {
		this.world = world;
		this.engine = engine;
		this.web = web;
		this.peer = peer;
	}

	static async create(engine: Engine): Promise<Site> {
		using image = new Image();
		const world = await World.create();
		try {
			await engine.start(world, image.path);
			const { web, peer } = await populate(world, engine);
			const site = new Site(world, engine, web, peer);
			// Podman's own name server has the port of DNS.
			const own = [22, 67, ...(engine.name === "docker" ? [53] : [])];
			site.#servers.push(await serve(world.inside([]), own));
			for (const outside of [world.outside, world.beyond])
				site.#servers.push(await serve(outside.inside([]), [53, 80, 443, 8053]));
			return site;
		} catch (error) {
			await world[Symbol.asyncDispose]();
			throw error;
		}
	}

	question({
		who,
		protocol,
		address,
		port,
	}: Pick<Situation, "who" | "protocol" | "address" | "port">): Question {
		return { protocol, address, port, ...this.#asker(who) };
	}

	/** For each situation whether it was answered. */
	async answered(situations: readonly Situation[]): Promise<boolean[]> {
		// What an earlier round opened over UDP would be established.
		this.world.run(["conntrack", "-F"]);
		const answers = await ask(situations.map((situation) => this.question(situation)));
		return answers.map((answer) => answer.startsWith("answer "));
	}

	#asker(who: Asker): Pick<Question, "from" | "source" | "sourcePort"> {
		const { world } = this;
		const outside = world.outside.path;
		switch (who) {
			case "allowed":
				return { from: outside, source: a.allowed4 };
			case "stranger":
				return { from: outside, source: a.stranger4 };
			case "allowed6":
				return { from: outside, source: a.allowed6 };
			case "stranger6":
				return { from: outside, source: a.stranger6 };
			case "beyond":
				return { from: world.beyond.path };
			case "host":
				return { from: world.path };
			case "web":
				return { from: this.web.path };
			case "dhcp":
				return { from: this.web.path, source: web4, sourcePort: 68 };
			case "peer":
				return { from: this.peer.path };
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const server of this.#servers) server.kill("SIGKILL");
		await this.world[Symbol.asyncDispose]();
	}
}

async function populate(world: World, engine: Engine) {
	engine.createNetwork(world, one);
	engine.createNetwork(world, two);
	const web = engine.runContainer(world, "web", {
		network: one.name,
		address4: web4,
		address6: web6,
		publish: ["5432:5432", "15432:5433", "127.0.0.1:8080:80", `${a.second4}:9000:9000/udp`],
		ports: [80, 5432, 5433, 6000, 9000],
	});
	const peer = engine.runContainer(world, "peer", { network: one.name, address4: peer4, ports: [6000] });
	const second = engine.runContainer(world, "second", {
		network: two.name,
		address4: second4,
		publish: ["7000:7000"],
		ports: [7000],
	});
	const hosted = engine.runContainer(world, "hosted", { network: "host", ports: [7777] });
	await untilServed(web.path, 9000);
	await untilServed(peer.path, 6000);
	await untilServed(second.path, 7000);
	await untilServed(hosted.path, 7777);
	return { web, peer };
}
