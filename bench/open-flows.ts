/** How soon a new Block has ended thousands of connections that are open. */

import { policy, port } from "../test/system/support/case.ts";
import { Daemon } from "../test/system/support/daemon.ts";
import { eventually, Lab, spawnBound } from "../test/system/support/netns.ts";
import { type Figure, quantity } from "./report.ts";

const connections = 10_000;
/** A client has some 28 000 ports for each port of a server; these are spread over two. */
const ports = [7000, 7001] as const;
/** src/source/watch.ts waits this long for a burst of changes to end; it is no part of the work. */
const debounceMs = 100;

const server = `
const held = [];
for (const port of [${ports.join()}])
	Bun.listen({ hostname: "0.0.0.0", port, socket: { open: (socket) => void held.push(socket), data() {} } });
console.log("ready");
`;

const client = `
const held = [];
for (let made = 0; made < ${connections}; made += 100)
	held.push(...await Promise.all(Array.from({ length: 100 }, (_, index) =>
		Bun.connect({ hostname: process.argv[1], port: [${ports.join()}][index % 2], socket: { data() {} } }))));
console.log("ready");
await new Promise(() => {});
`;

/** Runs a script with room for all descriptors, and waits for its first word. */
async function run(inside: (argv: readonly string[]) => string[], script: string, ...rest: string[]) {
	const argv = ["prlimit", `--nofile=${connections * 2}`, process.execPath, "-e", script, ...rest];
	const child = spawnBound(inside(argv));
	const said = await child.stdout.getReader().read();
	if (said.done) throw new Error(await new Response(child.stderr).text());
	return child;
}

/** Real connections with a socket at both ends. */
export async function openFlowFigures(): Promise<Figure[]> {
	using lab = await Lab.create();
	await using daemon = await Daemon.start(lab.guarded);
	const [link] = lab.links;
	if (link === undefined) throw new Error("a lab without links");
	const children = [
		await run((argv) => lab.guarded.inside(argv), server),
		await run((argv) => lab.peer.inside(argv), client, link.local4),
	];
	const ended = async () =>
		(await daemon.metrics()).get('portward_open_connections_ended_total{reason="block"}') ?? 0;
	try {
		// Asking costs time as well.
		const looks = () => Bun.sleep(20).then(async () => (await ended()) >= connections);
		const start = performance.now();
		daemon.home.put(
			"cut.yaml",
			policy("cut", { action: "Block", ingress: [{ ports: [port("TCP", ...ports)] }] }),
		);
		await eventually("the end of all", looks, 60_000);
		const took = performance.now() - start - debounceMs;
		const alive = Number(lab.guarded.run(["ss", "-Htn", "state", "established"]).split("\n").length - 1);
		if (alive > 0) throw new Error(`${alive} connections live on`);
		return [quantity(`${connections} open connections ended, without the debounce`, took, "ms", 1000)];
	} finally {
		for (const child of children) child.kill("SIGKILL");
	}
}
