/** Limits of rules in a running daemon: what was used outlives reloads and restarts, and what was beyond is told. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import type { Probe } from "../support/probe.ts";
import { eachOnRig } from "../support/rig.ts";
import { Conversation } from "../support/traffic.ts";

const rig = eachOnRig();

const ssh = (more: object = {}) =>
	policy("ssh", {
		ingress: [
			{
				action: "Allow",
				message: "SSH",
				ports: [port("TCP", 2201, 2999)],
				rateLimit: { connections: "1/day", burst: 6, per: "source", prefix6: 64 },
				connectionLimit: { max: 2 },
				...more,
			},
		],
	});

const udp = policy("names", {
	ingress: [
		{
			action: "Allow",
			ports: [port("UDP", 53)],
			rateLimit: { connections: "1/day", burst: 3 },
			exceedAction: "Audit",
		},
	],
});

/** The same without its last word. */
const refused = udp.replace(',"exceedAction":"Audit"', "");

let used = 2000;

/** How many new connections of a source pass, of so many. */
async function passing(protocol: "tcp" | "udp", remote: string, destination: number, count: number) {
	const probes = Array.from({ length: count }, (): Probe => {
		used += 1;
		return { direction: "ingress", protocol, remote, port: destination, sourcePort: used };
	});
	return (await rig.prober.send(probes)).filter((passed) => passed).length;
}

test("what was used stays used over a reload, and over the daemon's death and restart", async () => {
	const { home, lab } = rig;
	const start = () => Daemon.start(lab.guarded, { policies: { "n.yaml": refused } }, home);
	const daemon = await start();
	expect(await passing("udp", "10.1.0.1", 53, 1)).toBe(1);
	expect(await passing("udp", "2001:db8:1::1", 53, 2)).toBe(2);
	await daemon.after(() =>
		home.put("other.yaml", policy("other", { ingress: [{ action: "Allow", ports: [port("TCP", 443)] }] })),
	);
	expect(await passing("udp", "10.1.0.1", 53, 1)).toBe(1);
	await daemon.stop("SIGKILL");
	expect(await passing("udp", "10.1.0.2", 53, 4)).toBe(3);
	await using second = await start();
	expect(await passing("udp", "10.1.0.1", 53, 2)).toBe(1);
	expect(await passing("udp", "2001:db8:1::2", 53, 2)).toBe(1);
	const series = 'policy="names",rule="0",direction="ingress",limit="rateLimit",action="Block"';
	await eventually("the count of what was beyond", async () => {
		const metrics = await second.metrics();
		const [exceeded, full] = ["exceeded", "full"].map((what) =>
			metrics.get(`portward_limit_${what}_packets_total{${series}}`),
		);
		return exceeded === 3 && full === 0;
	});
});

test("open connections count while they are open, and what is beyond is refused and told", async () => {
	const { home, lab } = rig;
	const [link] = lab.links;
	if (link === undefined) throw new Error("no link");
	await using daemon = await Daemon.start(
		lab.guarded,
		{ policies: { "s.yaml": ssh(), "n.yaml": udp } },
		home,
	);
	let at = 2200;
	const open = () => {
		at += 1;
		return Conversation.open(lab.peer, lab.guarded, "tcp", link.local4, at);
	};
	const first = await open();
	const second = await open();
	{
		using third = await open();
		expect([first.opened, second.opened, third.opened]).toEqual([true, true, false]);
	}
	const text = "2 open connections from each source (IPv6: each /64)";
	const alert = await daemon.alert("of the limit", ({ PolicyName }) => PolicyName === "ssh");
	expect(alert).toMatchObject({
		Action: "Block",
		Message: `SSH: beyond connectionLimit ${text}`,
		EventData: { RuleIndex: "0", Limit: `connectionLimit ${text}`, LimitReason: "exceeded" },
	});
	// What is open goes on, and what has ended makes room.
	expect([await first.say(), await second.say()]).toEqual(["echo", "echo"]);
	first[Symbol.dispose]();
	await eventually("room for another", async () => {
		using again = await open();
		return again.opened;
	});
	second[Symbol.dispose]();

	expect(await passing("udp", "10.1.0.1", 53, 5)).toBe(5);
	const audited = await daemon.alert("of the audited limit", ({ PolicyName }) => PolicyName === "names");
	expect(audited).toMatchObject({
		Action: "Audit (Block)",
		Result: "Passed",
		EventData: { WouldBe: "Block" },
	});
	const { limits } = (await daemon.status()).enforcers.network;
	expect(limits).toContainEqual({
		policy: "names",
		rule: 0,
		direction: "ingress",
		limit: "rateLimit",
		text: "1/day (burst 3) from each source (IPv6: each /64)",
		action: "Audit",
		exceeded: 2,
		full: 0,
	});
	// What the rules themselves put into sets is no change by somebody else.
	expect((await daemon.metrics()).get("portward_drift_total")).toBe(0);
	const status = rig.portward("status");
	expect(status.out).toContain(
		"limit of names ingress[0] rateLimit 1/day (burst 3) from each source (IPv6: each /64): 2 packets beyond it",
	);
	const explained = rig.portward("explain", "ingress", "udp", "10.1.0.1", "53");
	expect(explained.out).toContain(
		"within rateLimit 1/day (burst 3) from each source (IPv6: each /64); beyond it Audit",
	);
	const line = JSON.stringify(alert);
	const told = JSON.parse(rig.portward("explain", "--json", "--from-alert", line).out);
	expect(told.alert).toMatchObject({ agrees: true, limit: `connectionLimit ${text}` });
});

test("a boot without the daemon holds them, and the daemon goes on with what was used", async () => {
	const { home, lab } = rig;
	const start = () => Daemon.start(lab.guarded, { policies: { "n.yaml": refused } }, home);
	const daemon = await start();
	await eventually("the saved ruleset", () => existsSync(join(home.state, "boot.json")));
	await daemon.stop("SIGKILL");
	lab.guarded.run(["nft", "flush", "ruleset"]);
	expect(rig.portward("restore").code).toBe(0);
	expect(await passing("udp", "10.1.0.1", 53, 2)).toBe(2);
	await using _second = await start();
	expect(await passing("udp", "10.1.0.1", 53, 4)).toBe(1);
});
