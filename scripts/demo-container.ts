/**
 * The end of the demo: a container of podman that publishes a database's port,
 * in namespaces of its own, first without Portward and then with it.
 */

import { join, resolve } from "node:path";
import { ask, type Question, serve, untilServed } from "../test/containers/support/asking.ts";
import { type Container, Image } from "../test/containers/support/engine.ts";
import { podmanEngine } from "../test/containers/support/podman.ts";
import { addresses, World } from "../test/containers/support/world.ts";
import { Daemon } from "../test/system/support/daemon.ts";
import { dim, green, heading, red, say } from "./demo-text.ts";

const root = resolve(import.meta.dir, "..");

/** What bringing podman may take, in milliseconds. */
const bringLimit = 180_000;

const subnet = "10.0.1.7";
const stranger = "203.0.113.66";
const network = { name: "app", subnet4: "172.30.1.0/24", subnet6: "fd00:30:1::/64" };
const container4 = "172.30.1.2";

/** Block styles of YAML, to be read on a screen. */
const policies = {
	"database.yaml": `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: { name: database-for-the-subnet }
spec:
  nodeSelector: { matchLabels: { kubernetes.io/hostname: "*" } }
  action: Allow
  ingress:
  - from: [{ ipBlock: { cidr: 10.0.1.0/24 } }]
    ports: [{ protocol: TCP, port: 5432 }]
`,
	"mail.yaml": `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: { name: no-mail }
spec:
  nodeSelector: { matchLabels: { kubernetes.io/hostname: "*" } }
  action: Block
  egress:
  - ports: [{ protocol: TCP, port: 25 }]
`,
};

/** Who asks, whom, and whether it works with the policies. */
type Line = readonly [what: string, question: Question, allowed: boolean];

function connections(world: World, { path }: Container): Line[] {
	const outside = { from: world.outside.path, protocol: "tcp" } as const;
	const inside = { from: path, protocol: "tcp", address: subnet } as const;
	const published = { address: addresses.host4, port: 5432 };
	return [
		["the subnet asks the published port", { ...outside, source: subnet, ...published }, true],
		["a stranger asks the published port", { ...outside, source: stranger, ...published }, false],
		[
			"a stranger asks the container's address",
			{ ...outside, source: stranger, address: container4, port: 5433 },
			false,
		],
		["the container asks a web server", { ...inside, port: 443 }, true],
		["the container sends mail", { ...inside, port: 25 }, false],
	];
}

/** Prints what becomes of each; throws where that is not what is said. */
async function show(lines: readonly Line[], enforced: boolean): Promise<void> {
	const answers = await ask(lines.map(([, question]) => question));
	for (const [index, [what, , allowed]] of lines.entries()) {
		const passed = answers[index]?.startsWith("answer ") === true;
		say(`  ${passed ? green("connected") : red("dropped  ")}  ${what}`);
		if (passed !== (allowed || !enforced)) throw new Error(`${what}: ${answers[index]}`);
	}
}

/** Whether podman is there, or apt has brought it. */
function bringPodman(): boolean {
	const setup = Bun.spawnSync(["bash", join(root, "scripts/setup.sh"), "podman"], {
		stdout: "ignore",
		stderr: "ignore",
		timeout: bringLimit,
	});
	return setup.success;
}

async function play(world: World, image: string): Promise<void> {
	await podmanEngine.start(world, image);
	podmanEngine.createNetwork(world, network);
	const container = podmanEngine.runContainer(world, "database", {
		network: network.name,
		address4: container4,
		publish: ["5432:5433"],
		ports: [5433],
	});
	await untilServed(container.path, 5433);
	for (const address of [subnet, stranger])
		world.outside.run(["ip", "address", "add", `${address}/32`, "dev", "eth0"]);
	const server = await serve(world.outside.inside([]), [25, 443]);
	try {
		const lines = connections(world, container);
		say(dim("$ podman run --publish 5432:5433 database\n"));
		say("Without Portward:\n");
		await show(lines, false);
		for (const text of Object.values(policies)) say(`\n${dim(text.trimEnd())}`);
		say("\nWith these two policies, and guests: {forwarded: enforce}:\n");
		await using daemon = await Daemon.start(world, {
			policies,
			config: { guests: { forwarded: "enforce" } },
		});
		await show(lines, true);
		const alert = await daemon.alert("the container's mail", ({ PolicyName }) => PolicyName === "no-mail");
		say(`\nThe alert of the mail names the container:\n${dim(alert.Data)}`);
	} finally {
		server.kill("SIGKILL");
	}
}

export async function containerScene(): Promise<void> {
	heading("A container, and the port that it publishes");
	if (!bringPodman()) {
		say("Not shown: podman is not on this machine, and apt could not bring it.");
		return;
	}
	using image = new Image();
	await using world = await World.create().catch((error: unknown) => {
		say(`Not shown: ${error}`);
		return null;
	});
	if (world !== null) await play(world, image.path);
}
