/** Somebody else makes transactions all the time while a large list is loaded, of which the drift observer does not hear. */

import { expect, test } from "bun:test";
import { block, policy } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab, spawnBound } from "../support/netns.ts";

const large = 30_000;
const list = (last: number) =>
	policy("bulk", {
		action: "Block",
		ingress: [
			{
				from: Array.from({ length: large }, (_, i) =>
					block(`10.${i >> 14}.${(i >> 6) & 255}.${(i & 63) * 4 + last}/32`),
				),
			},
		],
	});

const lost = "notifications of the kernel were lost";

test("the table is loaded anew once, and whoever changes it then is noticed", async () => {
	using lab = await Lab.create();
	await using daemon = await Daemon.start(lab.guarded, {
		policies: {
			"bulk.json": policy("bulk", { action: "Block", ingress: [{ from: [block("10.0.0.1/32")] }] }),
		},
	});
	const generation = async () => (await daemon.status()).enforcers.network.generation;
	const loads = async (last: number) => {
		const before = await generation();
		daemon.home.put("bulk.json", list(last));
		await eventually("the list", async () => (await generation()) > before, 120_000);
	};
	// Nobody meddles.
	await loads(0);
	expect(daemon.log).not.toContain(lost);
	lab.guarded.run(["nft", "add", "table", "inet", "other"]);
	// Not our table, but who does not listen cannot know.
	const meddler = spawnBound(
		lab.guarded.inside([
			"sh",
			"-c",
			"i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo add chain inet other c; echo delete chain inet other c; done | nft -i >/dev/null",
		]),
	);
	try {
		await eventually(
			"a load in the midst of others' transactions",
			async () => {
				await loads(1);
				await loads(2);
				return daemon.log.includes(lost);
			},
			150_000,
		);
	} finally {
		meddler.kill("SIGKILL");
	}
	await eventually("the end of it", async () => daemon.log.includes("the table is restored"), 60_000);
	expect(daemon.log.split(lost).length).toBe(2);
	const drifts = async () => (await daemon.metrics()).get("portward_drift_total") ?? 0;
	expect(await drifts()).toBe(0);
	lab.guarded.run(["nft", "flush", "chain", "inet", "kubearmor", "ingress"]);
	await eventually("the drift", async () => (await drifts()) === 1, 60_000);
	await eventually("the repair", async () => daemon.log.split("the table is restored").length === 3, 60_000);
	const chain = lab.guarded.run(["nft", "list", "chain", "inet", "kubearmor", "ingress"]);
	expect(chain).toContain("jump");
});
