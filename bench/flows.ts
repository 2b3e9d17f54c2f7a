/** What a new flow costs with more and more rules, against no firewall and against a list of rules. */

import { Daemon } from "../test/system/support/daemon.ts";
import { Lab } from "../test/system/support/netns.ts";
import { connectionRate, flood, type Target } from "../test/system/support/traffic.ts";
import { atLeast, atMost, type Figure, interleave, quantity } from "./report.ts";
import { asHandWrittenMap, asLinearRuleset, asPolicy, makeRules, type Rule } from "./rulesets.ts";

const sizes = [10, 100, 1_000, 10_000] as const;
const largest = 10_000;

/** The guarded end of a lab's first link; peers connect to it. */
const local = "198.18.0.1";
const peer = "198.18.0.2";

/** Packets a measurement: enough to last, few enough for the connection table. */
const packets = { fast: 100_000, slow: 5_000 };

/** How near the rules are in the processor's caches differs from round to round more than anything else does. */
const udpRounds = 11;

type Firewall = (lab: Lab, rules: readonly Rule[]) => Promise<void>;

/** The rules stay when the daemon has gone, so that only the kernel is measured. */
function portward(watched: boolean): Firewall {
	return async (lab, rules) => {
		await using daemon = await Daemon.start(lab.guarded, {
			policies: { "rules.json": asPolicy("rules", rules) },
			config: { observe: { enabled: watched } },
		});
		await daemon.stop();
	};
}

const firewalls: Readonly<Record<string, Firewall>> = {
	portward: portward(true),
	// The rules alone: what bench/observe.ts says that watching costs comes on top.
	unwatched: portward(false),
	linear: async (lab, rules) => lab.guarded.nft(asLinearRuleset(rules)),
	byhand: async (lab, rules) => lab.guarded.nft(asHandWrittenMap(rules)),
};

/** Of the map written by hand, and of the rules alone, the size that counts is enough. */
function sizesOf(kind: string): readonly number[] {
	return kind === "byhand" || kind === "unwatched" ? [largest] : sizes;
}

/** A lab with its firewall for each contender: "none", and each kind with each size. */
async function contenders(protocol: Rule["protocol"], last: readonly Rule[]) {
	const made: { name: string; lab: Lab; rules: readonly Rule[] }[] = [];
	made.push({ name: "none", lab: await Lab.create(), rules: makeRules(largest, protocol) });
	for (const [kind, load] of Object.entries(firewalls)) {
		for (const size of sizesOf(kind)) {
			const lab = await Lab.create();
			const rules = [...makeRules(size - last.length, protocol), ...last];
			await load(lab, rules);
			made.push({ name: `${kind} ${size}`, lab, rules });
		}
	}
	return made;
}

function ratios(cost: Readonly<Record<string, number>>): Figure[] {
	const of = (name: string) => cost[name] ?? Number.NaN;
	const ours = of(`portward ${largest}`);
	return [
		...sizes.map((size) => quantity(`${size} rules, portward`, of(`portward ${size}`), "µs", null)),
		...sizes.map((size) => quantity(`${size} rules, one by one`, of(`linear ${size}`), "µs", null)),
		quantity(`${largest} rules, portward without watching flows`, of(`unwatched ${largest}`), "µs", null),
		quantity(`${largest} rules in a map written by hand`, of(`byhand ${largest}`), "µs", null),
		quantity("no firewall", of("none"), "µs", null),
		atMost(`${largest} rules against 10`, ours / of("portward 10"), 1.5),
		atMost(`${largest} rules against a map written by hand`, ours / of(`byhand ${largest}`), 1.1),
		atMost("the same without watching flows", of(`unwatched ${largest}`) / of(`byhand ${largest}`), 1.1),
		atMost(`${largest} rules against no firewall`, ours / of("none"), 2.5),
	];
}

/** Accepted UDP packets, each of a flow of its own. */
export async function udpFlows(): Promise<Figure[]> {
	const all = await contenders("udp", []);
	const cost = await interleave(
		Object.fromEntries(
			all.map(({ name, lab, rules }) => [
				name,
				async () => {
					const slow = name === `linear ${largest}` || name === "linear 1000";
					const count = slow ? packets.slow : packets.fast;
					// Spread over all the rules, few packets or many.
					const step = Math.max(1, Math.floor(rules.length / count));
					const targets: Target[] = rules
						.filter((_, index) => index % step === 0)
						.map(({ address, port }) => ({ expect: "pass", protocol: "udp", remote: address, local, port }));
					const { seconds } = await flood(lab, {
						interface: "eth0",
						targets,
						packets: count,
						rate: 0,
						sink: true,
					});
					lab.guarded.try(["conntrack", "-F"]);
					return (seconds / count) * 1e6;
				},
			]),
		),
		udpRounds,
	);
	for (const { lab } of all) lab[Symbol.dispose]();
	const dearer = (cost[`linear ${largest}`] ?? 0) / (cost[`portward ${largest}`] ?? 1);
	return [...ratios(cost), atLeast(`${largest} rules one by one against portward`, dearer, 50)];
}

/** TCP connections that the last rule of all accepts. */
export async function tcpConnects(): Promise<Figure[]> {
	const port = 999;
	const all = await contenders("tcp", [{ block: `${peer}/32`, address: peer, protocol: "tcp", port }]);
	const cost = await interleave(
		Object.fromEntries(
			all.map(({ name, lab }) => [
				name,
				async () => {
					const rate = await connectionRate(lab, local, port, 1);
					lab.guarded.try(["conntrack", "-F"]);
					if (rate.failed > 0) throw new Error(`${name}: ${rate.failed} connections failed`);
					return 1e6 / rate.perSecond;
				},
			]),
		),
	);
	for (const { lab } of all) lab[Symbol.dispose]();
	return ratios(cost);
}
