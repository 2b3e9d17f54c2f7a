/**
 * Shows Portward at work between throw-away network namespaces: the published
 * example policies to the letter, then what they were meant to say. Every line
 * of the tables is a real connection, and is compared with what `portward
 * explain` says about it.
 */

import { cpSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { executable } from "../test/system/support/built.ts";
import { Daemon, Home } from "../test/system/support/daemon.ts";
import { eventually, Lab } from "../test/system/support/netns.ts";
import { Conversation } from "../test/system/support/traffic.ts";
import { containerScene } from "./demo-container.ts";
import { dim, green, heading, red, say, yellow } from "./demo-text.ts";

const root = resolve(import.meta.dir, "..");

interface Connection {
	readonly who: string;
	readonly direction: "ingress" | "egress";
	readonly protocol: "tcp" | "udp";
	readonly remote: string;
	readonly port: number;
	readonly interface: string;
}

const connections: readonly Connection[] = [
	{
		who: "the application's subnet asks the database",
		direction: "ingress",
		protocol: "tcp",
		remote: "10.0.1.7",
		port: 5432,
		interface: "eth0",
	},
	{
		who: "a stranger asks the database",
		direction: "ingress",
		protocol: "tcp",
		remote: "203.0.113.66",
		port: 5432,
		interface: "eth0",
	},
	{
		who: "the jump host logs in",
		direction: "ingress",
		protocol: "tcp",
		remote: "192.168.10.3",
		port: 22,
		interface: "eth0",
	},
	{
		who: "a stranger logs in",
		direction: "ingress",
		protocol: "tcp",
		remote: "203.0.113.66",
		port: 22,
		interface: "eth0",
	},
	{
		who: "a stranger logs in over IPv6",
		direction: "ingress",
		protocol: "tcp",
		remote: "2001:db8:66::1",
		port: 22,
		interface: "eth0",
	},
	{
		who: "the mesh calls the backend",
		direction: "ingress",
		protocol: "tcp",
		remote: "172.16.3.4",
		port: 8080,
		interface: "eth1",
	},
	{
		who: "this host asks a public resolver",
		direction: "egress",
		protocol: "udp",
		remote: "8.8.8.8",
		port: 53,
		interface: "eth0",
	},
	{
		who: "this host asks its own resolver",
		direction: "egress",
		protocol: "udp",
		remote: "10.0.0.53",
		port: 53,
		interface: "eth0",
	},
];

const settings = {
	nodeLabels: {
		role: "database",
		env: "production",
		tier: "backend",
		"kubernetes.io/hostname": "prod-worker-01",
	},
	clusterName: "demo",
};

/** Runs a command of the executable and gives what it printed. */
function portward(...argv: string[]): string {
	say(dim(`$ portward ${argv.join(" ")}`));
	const { stdout, stderr } = Bun.spawnSync([executable(), ...argv], { cwd: root });
	return stdout.toString() + stderr.toString();
}

function explain(home: Home, connection: Connection): { action: string; policy: string | null } {
	const { direction, protocol, remote, port } = connection;
	const argv = ["explain", "--config", home.config, "--json", direction, protocol, remote, `${port}`];
	const { stdout, stderr } = Bun.spawnSync([executable(), ...argv, "--iface", connection.interface]);
	if (stdout.length === 0) throw new Error(stderr.toString());
	return JSON.parse(stdout.toString());
}

/** Whether a byte goes there and back. */
async function works(lab: Lab, connection: Connection): Promise<boolean> {
	const { direction, protocol, remote, port } = connection;
	const link = lab.link(connection.interface);
	const v6 = remote.includes(":");
	using conversation =
		direction === "ingress"
			? await Conversation.open(lab.peer, lab.guarded, protocol, v6 ? link.local6 : link.local4, port, remote)
			: await Conversation.open(lab.guarded, lab.peer, protocol, remote, port);
	return conversation.opened && (await conversation.say(1000)) === "echo";
}

async function showConnections(lab: Lab, daemon: Daemon): Promise<void> {
	const paint: Record<string, (text: string) => string> = { Allow: green, Audit: yellow, Block: red };
	const alerting = new Set<string | null>();
	for (const connection of connections) {
		const passed = await works(lab, connection);
		const expected = explain(daemon.home, connection);
		if (expected.action !== "Allow") alerting.add(expected.policy);
		const { direction, protocol, remote, port } = connection;
		const action = (paint[expected.action] ?? dim)(expected.action.padEnd(5));
		const what = `${direction} ${protocol} ${remote} ${port} ${connection.interface}`;
		say(
			`  ${passed ? green("connected") : red("dropped  ")}  ${action}  ${connection.who.padEnd(43)}${dim(what.padEnd(41))}${dim(expected.policy ?? "no rule")}`,
		);
		if (passed !== (expected.action !== "Block")) throw new Error(`explain says ${expected.action}: ${what}`);
	}
	await eventually("an alert of each", () =>
		[...alerting].every((name) => daemon.alerts.some((alert) => alert.PolicyName === name)),
	);
}

function showAlerts(daemon: Daemon): void {
	const shown = new Set<string>();
	for (const alert of daemon.alerts) {
		if (shown.has(alert.PolicyName)) continue;
		shown.add(alert.PolicyName);
		say(`  ${alert.Action.padEnd(5)} ${alert.PolicyName}: ${alert.Message || "(no message)"}`);
		say(dim(`        ${alert.Data}`));
	}
	const first = daemon.alerts[0];
	if (first !== undefined) say(`\nAs a SIEM gets it, one line:\n${dim(JSON.stringify(first))}`);
}

async function showMetrics(daemon: Daemon): Promise<void> {
	for (const [name, value] of await daemon.metrics()) {
		if (/^portward_(policy_packets_total|alerts_total|enforcer_up|allowlist_mode)/u.test(name) && value > 0) {
			say(`  ${name} ${value}`);
		}
	}
}

/** One directory of policies, from its validation to the release of the rules. */
async function scene(title: string, directory: string): Promise<void> {
	heading(title);
	const source = join(root, "policies", directory);
	using lab = await Lab.create(["eth0", "eth1"]);
	// The peer plays everybody in the table.
	for (const { remote, interface: name } of connections) {
		const { peerName } = lab.link(name);
		lab.peer.run([
			"ip",
			"address",
			"replace",
			remote.includes(":") ? `${remote}/128` : `${remote}/32`,
			"dev",
			peerName,
			...(remote.includes(":") ? ["nodad"] : []),
		]);
		if (name !== "eth0") lab.guarded.run(["ip", "route", "replace", remote, "dev", name]);
	}
	using home = new Home();
	cpSync(source, home.policies, { recursive: true });
	writeFileSync(home.config, JSON.stringify(settings));
	say(portward("validate", "--config", home.config, `policies/${directory}`).trimEnd());
	await using daemon = await Daemon.start(lab.guarded, { config: settings }, home);
	say(
		dim(
			`\n$ portward run --policy-dir ${directory}    # in a network namespace, ${readdirSync(source).length} files`,
		),
	);
	say("\nConnections, as they went:\n");
	await showConnections(lab, daemon);
	say("\nAlerts, the first of each policy:\n");
	showAlerts(daemon);
	say("\nMetrics:\n");
	await showMetrics(daemon);
	await daemon.stop();
	const kept = lab.guarded.run(["nft", "list", "tables"]).trim();
	say(`\nAfter the daemon's end the rules stay: ${kept}`);
}

await scene("The published examples, to the letter", "as-published");
await scene("What they were meant to say", "as-meant");
await containerScene();
heading(
	"Everything above happened in network namespaces that are gone now. The machine's own firewall was not touched.",
);
if (!existsSync("/sys/bus/usb"))
	say("This machine has no USB; npm run demo:usb shows device policies in a virtual machine.");
