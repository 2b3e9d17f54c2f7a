/** The pictures of the page in README.md: PORTWARD_PICTURES=1 writes them anew. */

import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { sampleGeneration } from "../report/generations/sample-generations.ts";
import { sampleAlert, sampleDevice, sampleNetwork, sampleState } from "../report/sample.ts";
import { eventually } from "./chromium.ts";
import { closeAll, openState } from "./support.ts";

setDefaultTimeout(180_000);
afterEach(closeAll);

/** A host as an operator has it. */
function host() {
	const { state } = sampleNetwork;
	const guests = { ...state.guests, forwarded: "enforce", published: [], more: 0, unjudged: [] } as const;
	const [policy] = sampleState().policies;
	if (policy === undefined) throw new Error("the sample has a policy");
	const named = (name: string, action: "Allow" | "Block", packets: number) => ({
		policy: { ...policy, name, action, file: `/etc/portward/policies/${name}.yaml` },
		rule: { policy: name, index: 0, direction: "ingress", action, packets, bytes: packets * 60 } as const,
	});
	const all = [named("database-only", "Allow", 48_120), named("ssh-jumphost", "Block", 312)];
	const network = {
		state: { ...state, guests },
		rules: all.map(({ rule }) => rule),
		inForce: new Set(all.map((each) => each.policy.name)),
	};
	const hub = { ...sampleDevice, port: "1-4", level: 1, product: "Hub", state: "authorized", functions: [] };
	const stick = { ...sampleDevice, product: "Stick" };
	return sampleState(
		{
			hostname: "db1",
			readiness: { ready: true, body: "ready: what is on disk is enforced" },
			policies: all.map((each) => each.policy),
			generations: [sampleGeneration],
		},
		{ network, usb: { devices: [{ ...hub, state: "authorized" } as const, stick] } },
	);
}

const EventData = {
	SourceIP: "10.0.1.200",
	DestinationIP: "10.0.1.1",
	DestinationPort: "5432",
	Protocol: "TCP",
	Interface: "eth0",
};
const alert = {
	EventData,
	Action: "Block",
	PolicyName: "database-only",
	Message: "only the application may reach the database",
} as const;

test.each([false, true])("the page as README shows it, dark: %p", async (dark) => {
	const { page, sink } = await openState(host, { dark, width: 1200 });
	sink.publish([sampleAlert(alert)]);
	const sentence = "body.rows[0]?.cells[2].textContent";
	const told = "10.0.1.200 → tcp 5432 on eth0: blocked by database-only";
	await eventually(async () => (await page.evaluate(sentence)) === told);
	// The row that arrived keeps its colour for a moment.
	await eventually(async () => (await page.evaluate("document.getAnimations().length")) === 0);
	const picture = await page.screenshot();
	const file = resolve(import.meta.dir, `../../docs/page-${dark ? "dark" : "light"}.png`);
	if (process.env.PORTWARD_PICTURES === "1") writeFileSync(file, picture);
	expect([existsSync(file), picture.subarray(1, 4).toString()]).toEqual([true, "PNG"]);
});
