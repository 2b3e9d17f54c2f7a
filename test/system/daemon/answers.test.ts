/** What a real daemon answers is as docs/schema says, and what its alerts are as well. */

import { expect, test } from "bun:test";
import { violations } from "../../support/json-schema.ts";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();

interface Rule {
	readonly index: number;
	readonly packets: number;
	readonly since: string;
	readonly lastMatch: string | null;
}

test("status, devices, alerts, their stream, and errors", async () => {
	const policies = {
		"a.yaml": blocks("a", 80),
		"broken.yaml": blocks("b", 81).replace("Block", "Blok"),
		"elsewhere.yaml": policy("c", {
			nodeSelector: { matchLabels: { role: "elsewhere" } },
			action: "Allow",
			ingress: [{ ports: [port("TCP", 82)], iface: ["eth9"] }],
		}),
	};
	const failsafe = { ingress: [{ protocol: "TCP", port: 22 }] };
	await using daemon = Daemon.spawn(rig.lab.guarded, { policies, config: { failsafe } }, rig.home);
	await daemon.active();
	const stop = new AbortController();
	const stream = await fetch("http://localhost/v1/alerts/stream", {
		unix: rig.home.socket,
		signal: stop.signal,
	});
	expect(await rig.blockedPorts(80)).toEqual([80]);
	await daemon.alert("of the blocked packet", ({ PolicyName }) => PolicyName === "a");
	const json = async (path: string): Promise<unknown> => await (await daemon.get(path)).json();
	expect(violations(await json("/v1/status"), "status")).toEqual([]);
	expect(violations(await json("/v1/usb/devices"), "usb-devices")).toEqual([]);
	expect(violations(await json("/v1/usb/history"), "usb-history")).toEqual([]);
	const graph = await daemon.get("/v1/graph");
	expect(graph.headers.get("Content-Type")).toStartWith("image/svg+xml");
	expect(await graph.text()).toContain(">tcp 80</text>");
	// The thread that compiled tells of it when the policies are in force.
	await eventually("the history", async () => {
		const document = await json("/v1/history");
		expect(violations(document, "history")).toEqual([]);
		return JSON.stringify(document).includes('"ports":[80,80]');
	});
	const history = rig.portward("history");
	expect([history.code, history.out]).toEqual([0, expect.stringContaining("Allow → Block: ingress tcp 80")]);
	const answer = await json("/v1/alerts");
	expect(violations(answer, "alerts")).toEqual([]);
	expect(answer).toMatchObject({
		alerts: expect.arrayContaining([expect.objectContaining({ PolicyName: "a" })]),
	});
	expect(violations(await json("/v1/nowhere"), "error")).toEqual([]);
	for (const alert of daemon.alerts) expect(violations(alert, "alert")).toEqual([]);
	const reader = stream.body?.getReader();
	let text = "";
	while (reader !== undefined && !text.includes("\n\n"))
		text += new TextDecoder().decode((await reader.read()).value);
	const event = text.split("\n").find((line) => line.startsWith("data: ")) ?? "";
	expect(violations(JSON.parse(event.slice("data: ".length)), "alert")).toEqual([]);
	stop.abort();
	const { code, out } = rig.portward("status", "--json");
	expect([code, violations(JSON.parse(out), "status")]).toEqual([0, []]);
	expect(rig.portward("status").out).toMatch(/^a: enforced, Block, .*, last matched /mu);
	const before = await ruleOf("a");
	expect(before.map(({ index, lastMatch }) => [index, lastMatch === null])).toEqual([[0, false]]);
	expect(await daemon.stop()).toBe(0);
	await using again = Daemon.spawn(rig.lab.guarded, { policies, config: { failsafe } }, rig.home);
	await again.active();
	// A packet that was sent once more may have matched meanwhile.
	await eventually("what was kept", async () => {
		const [rule] = await ruleOf("a");
		return rule?.since === before[0]?.since && (rule?.lastMatch ?? "") >= (before[0]?.lastMatch ?? "-");
	});

	async function ruleOf(name: string): Promise<readonly Rule[]> {
		const reply = await fetch("http://localhost/v1/status", { unix: rig.home.socket });
		const shape: { policies: { name: string; rules: Rule[] }[] } = JSON.parse(await reply.text());
		return shape.policies.find((policy) => policy.name === name)?.rules ?? [];
	}
});
