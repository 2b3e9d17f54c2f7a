/** What a new flow costs where its rule limits how many there may be, against the same rules without limits. */

import { Daemon } from "../test/system/support/daemon.ts";
import { Lab } from "../test/system/support/netns.ts";
import { flood, type Target } from "../test/system/support/traffic.ts";
import { atMost, type Figure, interleave, quantity } from "./report.ts";
import { asPolicy, makeRules, type Rule } from "./rulesets.ts";

const local = "198.18.0.1";
const size = 1000;
/** Packets over so many rules, each of which has one source. */
const loads = [
	{ sources: size, packets: 20_000 },
	{ sources: 32, packets: 25_000 },
] as const;

/** So wide that every packet is within them: what is refused would cost less. */
const limits = {
	none: {},
	rate: { rateLimit: { connections: "1000000/second", burst: 10_000 } },
	shared: { rateLimit: { connections: "1000000/second", burst: 10_000, per: "rule" } },
	open: { connectionLimit: { max: 1000 } },
} as const;

interface Contender {
	readonly name: string;
	readonly lab: Lab;
	readonly rules: readonly Rule[];
}

async function contender(name: keyof typeof limits): Promise<Contender> {
	const lab = await Lab.create();
	const rules = makeRules(size, "udp");
	const policy = JSON.parse(asPolicy("rules", rules));
	for (const rule of policy.spec.ingress) Object.assign(rule, limits[name]);
	// The rules stay when the daemon has gone, so that only the kernel is measured.
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "rules.json": JSON.stringify(policy) },
	});
	await daemon.stop();
	return { name, lab, rules };
}

/** Microseconds a packet. */
async function cost(
	{ lab, rules }: Contender,
	{ sources, packets }: (typeof loads)[number],
): Promise<number> {
	const targets = rules.slice(0, sources).map(({ address, port }): Target => {
		return { expect: "pass", protocol: "udp", remote: address, local, port };
	});
	const { seconds } = await flood(lab, { interface: "eth0", targets, packets, rate: 0, sink: true });
	lab.guarded.try(["conntrack", "-F"]);
	return (seconds / packets) * 1e6;
}

/** Each packet is one that a rule allows, of a flow of its own. */
export async function limitFigures(): Promise<Figure[]> {
	const all: Contender[] = [];
	for (const name of Object.keys(limits) as (keyof typeof limits)[]) all.push(await contender(name));
	const figures: Figure[] = [];
	for (const load of loads) {
		const each = Math.round(load.packets / load.sources);
		const measured = await interleave(
			Object.fromEntries(all.map((one) => [one.name, () => cost(one, load)])),
		);
		const of = (name: keyof typeof limits) => measured[name] ?? Number.NaN;
		const against = `against none, up to ${each} open of each source`;
		const open = of("open") / of("none");
		figures.push(
			quantity(`without limits, up to ${each} open of each source`, of("none"), "µs", null),
			atMost(`rateLimit per source ${against}`, of("rate") / of("none"), 2),
			atMost(`rateLimit per rule ${against}`, of("shared") / of("none"), 2),
			// The kernel goes through what is open of the source: what that costs is for whoever writes the limit.
			quantity(`connectionLimit per source ${against}`, open, "×", null),
		);
	}
	for (const { lab } of all) lab[Symbol.dispose]();
	return figures;
}
