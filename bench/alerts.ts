/** What alerting costs the sender of a flood that is blocked. */

import { block, policy } from "../test/system/support/case.ts";
import { Daemon } from "../test/system/support/daemon.ts";
import { Lab } from "../test/system/support/netns.ts";
import { flood, type Target } from "../test/system/support/traffic.ts";
import { atMost, type Figure, interleave, quantity } from "./report.ts";

const packets = 400_000;

const targets: readonly Target[] = Array.from({ length: 250 }, (_, index) => ({
	expect: "drop",
	protocol: "udp",
	remote: `203.0.113.${index + 1}`,
	local: "198.18.0.1",
	port: 4000 + index,
}));

export async function blockedFlood(): Promise<Figure[]> {
	using silent = await Lab.create();
	silent.guarded.nft(`table inet silent {
		chain in {
			type filter hook input priority 10; policy accept;
			ct state established,related accept
			ip saddr 203.0.113.0/24 counter drop
		}
	}`);
	using alerting = await Lab.create();
	await using daemon = await Daemon.start(alerting.guarded, {
		policies: {
			"flood.json": policy("flood", { action: "Block", ingress: [{ from: [block("203.0.113.0/24")] }] }),
		},
	});
	const cost = (lab: Lab) => async () => {
		const { seconds } = await flood(lab, { interface: "eth0", targets, packets, rate: 0, sink: true });
		return (seconds / packets) * 1e6;
	};
	const { dropped = Number.NaN, alerted = Number.NaN } = await interleave({
		dropped: cost(silent),
		alerted: cost(alerting),
	});
	if (daemon.alerts.length === 0) throw new Error("the flood raised no alert");
	return [
		quantity("a packet dropped in silence", dropped, "µs", null),
		quantity("a packet dropped with alerts", alerted, "µs", null),
		atMost("the sender, slowed by alerts", alerted / dropped, 2.5),
	];
}
