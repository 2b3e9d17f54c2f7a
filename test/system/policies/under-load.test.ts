/** Reloads, kills and restarts of the daemon misjudge none of 50 000 packets a second. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";
import { flood, type Target } from "../support/traffic.ts";

const rate = 50_000;

let lab: Lab;
let home: Home;

beforeEach(async () => {
	lab = await Lab.create();
	home = new Home();
});
afterEach(() => {
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

/** Half of these must pass, half must be dropped, whichever version of the policies is in force. */
const targets: readonly Target[] = (["tcp", "udp", "sctp"] as const).flatMap((protocol) =>
	Array.from({ length: 20 }, (_, index) => index).flatMap((index): Target[] => [
		{ expect: "pass", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 1000 + index },
		{ expect: "drop", protocol, remote: `10.1.${index}.1`, local: "198.18.0.1", port: 2000 + index },
		{ expect: "pass", protocol, remote: `2001:db8:1:${index}::1`, local: "fd98:18:0::1", port: 1000 + index },
		{ expect: "drop", protocol, remote: `2001:db8:2:${index}::1`, local: "fd98:18:0::1", port: 1000 + index },
	]),
);

/** The unchanging meaning, beside which `version` changes what no packet of the flood is about. */
function policies(version: number): string {
	const bulk = Array.from({ length: 2_000 }, (_, index) =>
		block(`172.${16 + (index >> 8)}.${index & 255}.${version & 255}/32`),
	);
	return [
		policy("in", {
			action: "Allow",
			ingress: [
				{ from: [block("10.1.0.0/16"), block("2001:db8:1::/48")] },
				{
					action: "Block",
					from: [block("10.1.0.0/16")],
					ports: ["TCP", "UDP", "SCTP"].map((name) => port(name, 2000, 2999)),
				},
			],
		}),
		policy("bulk", { action: version % 2 === 0 ? "Block" : "Audit", ingress: [{ from: bulk }] }),
	].join("\n---\n");
}

const nothingMisjudged = { wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 };

function misjudged({ wronglyDropped, wronglyPassed, uncounted }: Awaited<ReturnType<typeof flood>>) {
	return { wronglyDropped, wronglyPassed, uncounted };
}

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	const config = { rulesetForm };

	test("50 reloads misjudge no packet", async () => {
		await using daemon = await Daemon.start(
			lab.guarded,
			{ config, policies: { "p.yaml": policies(0) } },
			home,
		);
		// In pieces, because the time that 50 reloads take depends on what else the machine does.
		for (let reloads = 0; reloads < 50; ) {
			let running = true;
			const flooding = flood(lab, { interface: "eth0", targets, packets: rate * 5, rate }).finally(() => {
				running = false;
			});
			for (; running; reloads++) await daemon.after(() => home.put("p.yaml", policies(reloads + 1)));
			expect(misjudged(await flooding)).toEqual(nothingMisjudged);
		}
	});

	test.each(["SIGKILL", "SIGTERM"] as const)(
		"%s, a changed policy and a restart misjudge no packet",
		async (signal) => {
			const first = await Daemon.start(lab.guarded, { config, policies: { "p.yaml": policies(0) } }, home);
			const flooding = flood(lab, { interface: "eth0", targets, packets: rate * 3, rate });
			await Bun.sleep(200);
			await first.stop(signal);
			home.put("p.yaml", policies(1));
			const second = await Daemon.start(lab.guarded, { config }, home);
			// In the midst of a reload, too.
			home.put("p.yaml", policies(2));
			await Bun.sleep(120);
			await second.stop(signal);
			await using _third = await Daemon.start(lab.guarded, { config }, home);
			expect(misjudged(await flooding)).toEqual(nothingMisjudged);
		},
	);
});
