/** `enforcement: audit`: everything passes, alerts tell what would not, and one reload enforces. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { block, cross, documents, expand, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

let lab: Lab;
let prober: Prober;

beforeAll(async () => {
	lab = await Lab.create(["eth0"]);
	prober = new Prober(lab);
});
afterAll(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const policies = {
	"all.yaml": documents(
		policy("ssh", { action: "Allow", ingress: [{ from: [block("10.1.0.0/16")], ports: [port("TCP", 22)] }] }),
		policy("no-dns", { action: "Block", egress: [{ ports: [port("UDP", 53)] }] }),
	),
};

const { lines, probes, passes } = expand({
	pass: cross("ingress tcp 10.1.0.10 22", "egress udp 10.1.0.10 54"),
	drop: cross("egress udp 10.1.0.10|2001:db8::1 53", "ingress tcp 10.1.0.10|2001:db8::1 80"),
});

test("explicit Blocks and the posture let pass and alert, until enforcing is asked for", async () => {
	await using daemon = await Daemon.start(lab.guarded, { config: { enforcement: "audit" }, policies });
	const passed = await prober.send(probes);
	expect(lines.filter((_, index) => !passed[index])).toEqual([]);
	for (const name of ["no-dns", "DefaultPosture"]) {
		const alert = await daemon.alert(`of ${name}`, ({ PolicyName }) => PolicyName === name);
		expect(alert).toMatchObject({ Action: "Audit", Result: "Passed", EventData: { WouldBe: "Block" } });
	}
	const { warnings, enforcers } = await daemon.status();
	expect(warnings).toContainEqual(expect.stringContaining("enforcement is audit"));
	expect(enforcers.network).toMatchObject({ posture: "audit", allowlistMode: { ingress: true } });
	expect(await (await daemon.get("/readyz")).text()).toContain("enforcement is audit, so nothing is refused");

	const { home } = daemon;
	const settings = {
		policyDir: home.policies,
		stateDir: home.state,
		status: { address: `unix:${home.socket}` },
	};
	await daemon.after(() => {
		writeFileSync(home.config, JSON.stringify(settings));
		daemon.signal("SIGHUP");
	});
	await eventually("enforcing", async () => (await daemon.status()).enforcers.network.posture === "block");
	const enforced = await prober.send(probes);
	expect(lines.filter((_, index) => enforced[index] !== passes[index])).toEqual([]);
});
