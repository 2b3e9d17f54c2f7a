/** What a daemon does about a table that has lost the marker of its maker, or holds something else under its names. */

import { expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { eachOnRig } from "../support/rig.ts";
import { flood, type Target } from "../support/traffic.ts";

const rig = eachOnRig();

/** Two addresses on one port, and nothing that allows: what is not blocked passes. */
const policies = {
	"bulk.yaml": policy("bulk", {
		action: "Block",
		ingress: [{ from: [block("203.0.0.0/32"), block("10.1.0.0/24")], ports: [port("UDP", 2000)] }],
	}),
};

const restored = (daemon: Daemon) => daemon.log.split("the table is restored").length - 1;

const targets: readonly Target[] = [
	{ expect: "drop", protocol: "udp", remote: "10.1.0.1", local: "198.18.0.1", port: 2000 },
	{ expect: "pass", protocol: "udp", remote: "10.1.0.1", local: "198.18.0.1", port: 2001 },
];

test("the marker chain deleted, alone or with the skeleton, by a running daemon or before it starts: repair goes on", async () => {
	const { lab } = rig;
	const blocked = async () => {
		const found = await flood(lab, { interface: "eth0", targets, packets: 2_000, rate: 20_000 });
		return found.wronglyPassed === 0 && found.wronglyDropped === 0;
	};
	const table = "inet kubearmor";
	const marker = `delete chain ${table} owned_by_portward`;
	const vandalism = [
		marker,
		"flush ruleset",
		`flush table ${table}; ${marker}; delete chain ${table} ended_ingress; delete chain ${table} ended_egress`,
		`delete table ${table}; add table ${table}`,
		// Something else under the name of a base chain and of a set, which cannot be made what it was.
		`flush table ${table}; delete chain ${table} ingress; add chain ${table} ingress`,
		`flush table ${table}; delete set ${table} refused4; add set ${table} refused4 { type inet_service; }`,
	];
	{
		await using daemon = await Daemon.start(lab.guarded, { policies });
		for (const commands of vandalism) {
			const before = restored(daemon);
			lab.guarded.nft(commands);
			await eventually(`the repair after ${commands}`, () => restored(daemon) > before);
			expect(await blocked()).toBe(true);
			expect(lab.guarded.run(["nft", "list", "table", "inet", "kubearmor"])).toContain("owned_by_portward");
		}
		expect(daemon.log).not.toContain("could not be");
	}
	lab.guarded.nft(marker);
	await using again = await Daemon.start(lab.guarded, { policies });
	expect(again.log).not.toContain("was not made by portward");
	expect(await blocked()).toBe(true);
});
