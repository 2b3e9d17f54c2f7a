/** How long Blocks let packets through after somebody else took the table away: measured with real packets. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { flood, type Target } from "../support/traffic.ts";

const rate = 20_000;
/** Milliseconds that packets may pass, whatever the size; on an idle machine it is some 20. */
const windowMs = 100;

let lab: Lab;

beforeAll(async () => {
	lab = await Lab.create();
});
afterAll(() => lab[Symbol.dispose]());

/** A Block of as many addresses, on one port, and nothing that allows: what is not blocked passes. */
function blocks(count: number): string {
	const addresses = Array.from({ length: count }, (_, i) =>
		block(`203.${(i >> 15) & 127}.${(i >> 7) & 255}.${(i & 127) * 2}/32`),
	);
	return policy("bulk", {
		action: "Block",
		ingress: [{ from: [...addresses, block("10.1.0.0/24")], ports: [port("UDP", 2000)] }],
	});
}

const targets: readonly Target[] = [
	{ expect: "drop", protocol: "udp", remote: "10.1.0.1", local: "198.18.0.1", port: 2000 },
	// Another port goes on: a guard by port stands in, not a closed door.
	{ expect: "pass", protocol: "udp", remote: "10.1.0.1", local: "198.18.0.1", port: 2001 },
];

const restored = (daemon: Daemon) => daemon.log.split("the table is restored").length - 1;

test.each([1, 10_000, 100_000])(
	"a flush of %d elements lets blocked packets through for at most 100 ms, and stops no other port",
	async (count) => {
		await using daemon = Daemon.spawn(lab.guarded, { policies: { "bulk.yaml": blocks(count) } });
		await eventually("the rules", () => daemon.log.includes("result=applied"), 50_000);
		// Whatever else the machine does may delay one of them.
		let milliseconds = Number.POSITIVE_INFINITY;
		for (let round = 0; round < 8 && milliseconds >= windowMs; round++) {
			const before = restored(daemon);
			// What follows a reload, such as saving it for the next boot, is through.
			await Bun.sleep(1500);
			const flooding = flood(lab, { interface: "eth0", targets, packets: rate, rate });
			await Bun.sleep(300);
			lab.guarded.nft("flush ruleset");
			const during = await flooding;
			// Every second packet is blocked.
			milliseconds = (during.wronglyPassed / (rate / 2)) * 1000;
			expect(during.wronglyDropped).toBe(0);
			await eventually("the repair", () => restored(daemon) > before, 30_000);
		}
		expect(milliseconds).toBeLessThan(windowMs);
		const after = await flood(lab, { interface: "eth0", targets, packets: 4_000, rate });
		expect(after).toMatchObject({ wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 });
	},
);
