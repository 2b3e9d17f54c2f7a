/** What a packet to a guest's published port costs, of a new flow and of one that is established, with and without our table. */

import { Daemon } from "../test/system/support/daemon.ts";
import { Lab, Namespace } from "../test/system/support/netns.ts";
import { flood, type Target } from "../test/system/support/traffic.ts";
import { atMost, type Figure, interleave, quantity } from "./report.ts";
import { asPolicy, makeRules, type Rule } from "./rulesets.ts";

const local = "198.18.0.1";
const sizes = [10, 10_000] as const;
const largest = 10_000;
/** `spread`: new flows that meet all the rules in turn, which no cache holds; `new`: those that meet a few. */
const packets = { spread: 100_000, new: 100_000, established: 200_000 } as const;
/** So few that all stay in the processor's caches, as those that a busy host has most of do. */
const few = 32;
/** As many as bench/flows.ts takes for UDP. */
const rounds = 11;

const network = "172.30.1";

/** A host that forwards to a guest on a bridge, and publishes every port that the rules name for it. */
class Host implements Disposable {
	readonly lab: Lab;
	readonly guest: Namespace;

	private constructor(lab: Lab, guest: Namespace) {
		this.lab = lab;
		this.guest = guest;
	}

	static async create(): Promise<Host> {
		const host = new Host(await Lab.create(), await Namespace.create());
		const { guarded } = host.lab;
		guarded.run(
			["ip", "-batch", "-"],
			`
			link add guests address 02:00:00:00:00:01 type bridge
			link add guest0 type veth peer name eth0 netns ${host.guest.pid}
			link set guest0 master guests up
			address add ${network}.1/24 dev guests
			link set guests up
			neighbour add ${network}.2 lladdr 02:00:00:00:00:02 nud permanent dev guests
		`,
		);
		host.guest.run(
			["ip", "-batch", "-"],
			`
			address add ${network}.2/24 dev eth0
			link set eth0 address 02:00:00:00:00:02 up
			route add default via ${network}.1
			neighbour add ${network}.1 lladdr 02:00:00:00:00:01 nud permanent dev eth0
		`,
		);
		guarded.sysctl({ "ipv4/ip_forward": "1" });
		guarded.nft(`table ip published {
	chain before {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr ${local} meta l4proto udp dnat to ${network}.2
	}
}`);
		return host;
	}

	[Symbol.dispose](): void {
		this.guest[Symbol.dispose]();
		this.lab[Symbol.dispose]();
	}
}

interface Contender {
	readonly name: string;
	readonly host: Host;
	readonly rules: readonly Rule[];
}

async function contenders(): Promise<Contender[]> {
	const made: Contender[] = [{ name: "none", host: await Host.create(), rules: makeRules(largest, "udp") }];
	for (const [name, size, watched] of [
		...sizes.map((size) => [`${size}`, size, true] as const),
		["unwatched", largest, false] as const,
	]) {
		const host = await Host.create();
		const rules = makeRules(size, "udp");
		// The rules stay when the daemon has gone, so that only the kernel is measured.
		await using daemon = await Daemon.start(host.lab.guarded, {
			policies: { "rules.json": asPolicy("rules", rules) },
			config: { guests: { forwarded: "enforce" }, observe: { enabled: watched } },
		});
		await daemon.stop();
		made.push({ name, host, rules });
	}
	return made;
}

/** Datagrams that reached the guest's sockets, whether these had room or not. */
function arrived(guest: Namespace): number {
	const [names = [], values = []] = guest
		.run(["grep", "^Udp:", "/proc/net/snmp"])
		.trimEnd()
		.split("\n")
		.map((line) => line.split(" "));
	const of = (name: string) => Number(values[names.indexOf(name)]);
	return of("InDatagrams") + of("RcvbufErrors");
}

/** Microseconds a packet. */
async function cost({ host, rules }: Contender, kind: keyof typeof packets): Promise<number> {
	const { lab, guest } = host;
	const used = kind === "spread" ? rules : rules.slice(0, few);
	const targets = used.map(({ address, port }): Target => {
		return { expect: "pass", protocol: "udp", remote: address, local, port };
	});
	const before = arrived(guest);
	const { seconds } = await flood(lab, {
		interface: "eth0",
		targets,
		packets: packets[kind],
		rate: 0,
		sink: true,
		guest,
		established: kind === "established",
	});
	const missing = packets[kind] - (arrived(guest) - before);
	// A machine that is busy otherwise loses some on the way; a rule that drops, or no way to the guest, loses nearly all.
	if (missing > packets[kind] / 10) throw new Error(`${missing} packets did not reach the guest`);
	lab.guarded.try(["conntrack", "-F"]);
	return (seconds / packets[kind]) * 1e6;
}

/** Each packet is one that a rule allows. */
export async function forwardedFigures(): Promise<Figure[]> {
	const all = await contenders();
	const figures: Figure[] = [];
	for (const [kind, what, limit] of [
		["new", "a packet of a new flow", 1.2],
		["spread", "a packet of a new flow, spread over all the rules", 1.2],
		["established", "a packet of an established flow", 1.05],
	] as const) {
		const measured = await interleave(
			Object.fromEntries(all.map((contender) => [contender.name, () => cost(contender, kind)])),
			rounds,
		);
		const of = (name: string) => measured[name] ?? Number.NaN;
		figures.push(
			quantity(`${what}, without our table`, of("none"), "µs", null),
			...sizes.map((size) => quantity(`${what}, ${size} rules`, of(`${size}`), "µs", null)),
			atMost(`${what}, ${largest} rules against no table`, of(`${largest}`) / of("none"), limit),
			// The rules alone: what bench/observe.ts says that watching costs comes on top.
			atMost(`${what}, the same without watching flows`, of("unwatched") / of("none"), limit),
		);
	}
	for (const { host } of all) host[Symbol.dispose]();
	return figures;
}
