/** Quotas with real packets: what counts, what becomes of the rest, and what a restart or a crash changes. */

import { describe, expect, test } from "bun:test";
import type { QuotaStatus } from "../../../src/enforcers/network/report/quota-windows.ts";
import { executable } from "../support/built.ts";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import type { Probe } from "../support/probe.ts";
import { eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();

const limit = 1024;
const hour = { limit: "1KB", duration: "1h" };

async function quotas(daemon: Daemon): Promise<readonly QuotaStatus[]> {
	const { network } = JSON.parse(await (await daemon.get("/v1/status")).text()).enforcers;
	return network.quotas;
}

async function quotaOf(daemon: Daemon, name: string): Promise<QuotaStatus> {
	const found = (await quotas(daemon)).find(({ policy }) => policy === name);
	if (found === undefined) throw new Error(`no quota of ${name}`);
	return found;
}

/** The quota once so many packets came beyond it: an answer waits for the kernel's numbers a moment only. */
function beyond(daemon: Daemon, name: string, packets: number): Promise<QuotaStatus> {
	return eventually(`${packets} packets beyond the quota of ${name}`, async () => {
		const quota = await quotaOf(daemon, name);
		return quota.beyond.packets === packets ? quota : null;
	});
}

/** How many of so many packets pass. */
async function passing(probe: Probe, count: number): Promise<number> {
	const passed = await rig.prober.send(Array.from({ length: count }, () => probe));
	return passed.filter(Boolean).length;
}

const udp = (
	direction: "ingress" | "egress",
	remote: string,
	to: number,
	more: Partial<Probe> = {},
): Probe => ({
	direction,
	protocol: "udp",
	remote,
	port: to,
	sourcePort: 40_000,
	...more,
});

const remotes = ["10.1.0.10", "2001:db8::1"] as const;
const blocks = [block("10.1.0.0/16"), block("2001:db8::/32")];
const capped = (name: string, action: string, direction: "ingress" | "egress", more: object = {}) =>
	policy(name, {
		action,
		[direction]: [
			{ [direction === "ingress" ? "from" : "to"]: blocks, ports: [port("UDP", 5000)], ...hour, ...more },
		],
	});

describe("at the edge", () => {
	// The form changes nothing of what counts.
	test.each([
		["ingress", "concatenated"],
		["egress", "nested"],
	] as const)(
		"%s (%s): a Block lets by what fits into its limit, open flows included, and nothing else counts",
		async (direction, rulesetForm) => {
			const policies = { "q.yaml": capped("cap", "Block", direction, { iface: ["eth0"] }) };
			await using daemon = await Daemon.start(
				rig.lab.guarded,
				{ config: { rulesetForm }, policies },
				rig.home,
			);
			const others = [
				udp(direction, "10.2.0.10", 5000),
				udp(direction, "10.1.0.10", 5001),
				udp(direction, "2001:db9::1", 5000),
			];
			for (const other of others) expect(await passing(other, 50)).toBe(50);
			expect(await quotaOf(daemon, "cap")).toMatchObject({
				usedBytes: 0,
				exhausted: false,
				limitBytes: limit,
			});
			const answered = direction === "ingress" ? "egress" : "ingress";
			let left = limit;
			for (const remote of remotes) {
				const packet = udp(direction, remote, 5000);
				expect(await passing(packet, 1)).toBe(1);
				// From here on the flow is open.
				expect(await passing(udp(answered, remote, 40_000, { sourcePort: 5000 }), 1)).toBe(1);
				const size: number = await eventually("a packet that counts", async () => {
					const { usedBytes } = await quotaOf(daemon, "cap");
					const counted = left - (limit - usedBytes);
					return counted > 0 ? counted : null;
				});
				left -= size;
				if (remote === remotes[0]) continue;
				// At the edge, and one beyond it.
				const fit = Math.floor(left / size);
				expect(await passing(packet, fit)).toBe(fit);
				expect(await passing(packet, 20)).toBe(0);
			}
			for (const remote of remotes) expect(await passing(udp(direction, remote, 5000), 5)).toBe(0);
			for (const other of others) expect(await passing(other, 5)).toBe(5);
			const alert = await daemon.alert("of the quota", ({ PolicyName }) => PolicyName === "cap");
			expect(alert).toMatchObject({
				Action: "Block",
				Result: "Permission denied",
				EventData: { QuotaLimit: "1KB", QuotaDuration: "3600s", RuleIndex: "0" },
			});
			const told = await beyond(daemon, "cap", 30);
			expect(told).toMatchObject({ usedBytes: limit, exhausted: true });
			expect(daemon.alerts.filter(({ PolicyName }) => PolicyName === "cap")).toHaveLength(1);
			const labels = `{policy="cap",rule="0",direction="${direction}",action="Block"}`;
			const metrics = await daemon.metrics();
			expect(metrics.get(`portward_quota_used_bytes${labels}`)).toBe(limit);
			expect(metrics.get(`portward_quota_limit_bytes${labels}`)).toBe(limit);
		},
	);
});

/** Of the lab's UDP packets. */
const size = 44;

/** Bytes that a quota has used, once they are as many. */
const used = (daemon: Daemon, name: string, bytes: number) =>
	eventually(`${bytes} used bytes`, async () => {
		const quota = await quotaOf(daemon, name);
		return quota.usedBytes === bytes ? quota : null;
	});

const flow = udp("ingress", "10.1.0.10", 5000);

/** How many of them fit. */
const fits = Math.floor(limit / size);

test("an Audit lets everything by and tells once; an Allow is an allow-list and blocks what comes beyond", async () => {
	const policies = {
		"a.yaml": capped("watched", "Audit", "ingress"),
		"b.yaml": capped("let", "Allow", "egress"),
	};
	await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
	expect(await passing(flow, 200)).toBe(200);
	const audit = await daemon.alert("of the Audit", ({ PolicyName }) => PolicyName === "watched");
	expect(audit).toMatchObject({ Action: "Audit", Result: "Passed", EventData: { QuotaLimit: "1KB" } });
	expect(await passing(udp("egress", "10.2.0.10", 5000), 1)).toBe(0);
	const { network } = (await daemon.status()).enforcers;
	expect(network).toMatchObject({ allowlistMode: { ingress: false, egress: true } });
	expect(await passing(udp("egress", "10.1.0.11", 5000), 100)).toBe(fits);
	await daemon.alert("of the Allow", ({ PolicyName, Action }) => PolicyName === "let" && Action === "Block");
	await used(daemon, "let", limit);
	expect(daemon.alerts.filter(({ PolicyName }) => PolicyName === "watched")).toHaveLength(1);
});

test("a reload, a restart and a crash keep what was used; another limit goes on from there", async () => {
	const policies = { "q.yaml": capped("cap", "Block", "ingress") };
	{
		await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
		expect(await passing(flow, 10)).toBe(10);
		await daemon.after(() =>
			rig.home.put("other.yaml", policy("other", { ingress: [{ ports: [port("TCP", 9)] }] })),
		);
		expect(await passing(flow, 2)).toBe(2);
		await used(daemon, "cap", 12 * size);
		// The kernel goes on counting while nobody watches.
		await daemon.stop("SIGKILL");
		expect(await passing(flow, 3)).toBe(3);
	}
	{
		await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
		await used(daemon, "cap", 15 * size);
		await daemon.after(() => rig.home.put("q.yaml", capped("cap", "Block", "ingress", { limit: "2KB" })));
		const { limitBytes } = await used(daemon, "cap", 15 * size);
		expect(limitBytes).toBe(2 * limit);
		expect(await passing(flow, 10)).toBe(10);
		await used(daemon, "cap", 25 * size);
		await daemon.stop("SIGTERM");
	}
	// A boot: the kernel knows nothing any more.
	rig.lab.guarded.run(["nft", "delete", "table", "inet", "kubearmor"]);
	expect(rig.portward("restore").code).toBe(0);
	expect(await passing(flow, 100)).toBe(2 * fits - 25);
	rig.lab.guarded.run(["nft", "delete", "table", "inet", "kubearmor"]);
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	await used(daemon, "cap", 25 * size);
	expect(await passing(flow, 100)).toBe(2 * fits - 25);
	// Somebody takes the table away: what was seen last is what it begins with.
	await used(daemon, "cap", 2 * limit);
	rig.lab.guarded.run(["nft", "delete", "table", "inet", "kubearmor"]);
	await eventually("what is exhausted", async () => (await passing(flow, 5)) === 0);
	expect(await quotaOf(daemon, "cap")).toMatchObject({ usedBytes: 2 * limit, exhausted: true });
});

test("a window that ends lets packets by again, with an alert of its own, also where it ended while nobody ran", async () => {
	const policies = { "q.yaml": capped("cap", "Block", "ingress", { duration: "3s" }) };
	{
		await using daemon = await Daemon.start(rig.lab.guarded, { policies }, rig.home);
		const told = () => daemon.alerts.filter(({ PolicyName }) => PolicyName === "cap").length;
		const { windowStart } = await quotaOf(daemon, "cap");
		await passing(flow, fits + 5);
		await daemon.alert("of the first window", ({ PolicyName }) => PolicyName === "cap");
		await eventually(
			"another window",
			async () => (await quotaOf(daemon, "cap")).windowStart !== windowStart,
		);
		expect(told()).toBe(1);
		await passing(flow, fits + 5);
		await eventually("the alert of another window", () => told() >= 2);
		const { drift } = JSON.parse(await (await daemon.get("/v1/status")).text());
		expect(drift).toBe(0);
		await daemon.stop("SIGKILL");
	}
	await passing(flow, 2 * fits);
	expect(await passing(flow, 5)).toBe(0);
	await Bun.sleep(3000);
	expect(await passing(flow, 5)).toBe(0);
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	await eventually("a packet that passes", async () => (await passing(flow, 1)) === 1);
	expect(daemon.log).not.toContain("quota");
});

test("failsafe flows and their answers know no quota", async () => {
	const all = { ...hour, limit: "1KB" };
	const policies = {
		"in.yaml": policy("in", { action: "Block", ingress: [all] }),
		"out.yaml": policy("out", { action: "Block", egress: [all] }),
	};
	const failsafe = { ingress: [{ protocol: "UDP", port: 7000 }] };
	await using _daemon = await Daemon.start(rig.lab.guarded, { config: { failsafe }, policies }, rig.home);
	for (const direction of ["ingress", "egress"] as const) {
		expect(await passing(udp(direction, "10.1.0.10", 1234), 100)).toBe(fits);
	}
	const asked = udp("ingress", "10.3.0.10", 7000);
	const answer = udp("egress", "10.3.0.10", 40_000, { sourcePort: 7000 });
	for (const packet of [asked, answer, asked, answer]) expect(await passing(packet, 10)).toBe(10);
});

test("a staged quota counts and tells, refuses nothing, and begins anew where it is enforced", async () => {
	const staged = (mode: string) => {
		const { metadata, ...rest } = JSON.parse(capped("later", "Block", "ingress"));
		return JSON.stringify({ ...rest, metadata: { ...metadata, annotations: { "portward.io/mode": mode } } });
	};
	await using daemon = await Daemon.start(
		rig.lab.guarded,
		{ policies: { "a.yaml": staged("staged") } },
		rig.home,
	);
	const flow = udp("ingress", "10.1.0.10", 5000);
	expect(await passing(flow, fits + 10)).toBe(fits + 10);
	await eventually("its alert", () => daemon.alerts.some(({ PolicyName }) => PolicyName === "later"));
	const told = daemon.alerts.filter(({ PolicyName }) => PolicyName === "later");
	expect(told).toMatchObject([
		{ Action: "Audit (Block)", EventData: { Staged: "later", QuotaLimit: "1KB" } },
	]);
	expect(await beyond(daemon, "later", 10)).toMatchObject({ action: "Audit", staged: true });
	const promote = [executable(), "promote", "later", "--config", daemon.home.config];
	const shown = rig.lab.guarded.try(promote);
	expect(shown).toMatchObject({ code: 2 });
	expect(shown.out).toMatch(
		/^later: .*\n {2}quota of ingress\[0\]: [\d,]+ bytes of 1KB used, until .*; it is used up, and 10 packets \(.* bytes\) came beyond it$/mu,
	);
	expect(JSON.parse(rig.lab.guarded.try([...promote, "--json"]).out)).toMatchObject({
		policies: [
			{ name: "later", quotas: [{ direction: "ingress", exhausted: true, beyond: { packets: 10 } }] },
		],
	});
	await daemon.after(() => rig.home.put("a.yaml", staged("enforced")));
	expect(await quotaOf(daemon, "later")).toMatchObject({ action: "Block", staged: false, usedBytes: 0 });
	expect(await passing(flow, fits + 10)).toBe(fits);
});

test("what is dropped where packets leave counts for no quota", async () => {
	const ssh = policy("ssh", { action: "Allow", ingress: [{ ports: [port("TCP", 22)] }] });
	await using _ = await Daemon.start(
		rig.lab.guarded,
		{
			policies: { "a.yaml": ssh, "b.yaml": capped("all", "Audit", "egress") },
			config: { allowlistScope: "host" },
		},
		rig.home,
	);
	// It is judged there, so that what this host sends to guests can be spared.
	expect(rig.lab.guarded.run(["nft", "list", "chain", "inet", "kubearmor", "leaving"])).toContain(
		"postrouting",
	);
	expect(await passing(udp("egress", "10.1.0.10", 5000), 10)).toBe(0);
	// The kernel's own number: what the daemon tells may be some moments old.
	const used = rig.lab.guarded.run(["nft", "list", "quotas", "table", "inet", "kubearmor"]);
	expect(used).toContain("over 1 kbytes");
	expect(used).not.toContain("used");
});
