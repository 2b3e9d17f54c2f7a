/** Probes without rules, with rules by eth0, where they hold, and by eth1, where only those of egress do; prints what passed. */

import { leaveNetwork } from "../../../../ffi/namespace.ts";
import { parseCidr } from "../../../../src/base/cidr.ts";
import { type Probe, ProbeNetwork } from "../../../../src/kernel/probe/network.ts";

const left = leaveNetwork();
if (!left.ok) throw new Error(left.error);

const block = (text: string) => {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.cidr;
};
const local = [block("198.18.0.0/16"), block("fd98::/64")];
const network = new ProbeNetwork(["eth0", "eth1"], local);

let sent = 0n;
function probe(direction: Probe["direction"], protocol: number, port: number, name: string): boolean {
	const families = [
		{ family: 4, own: 0xc6120001n, other: 0xc0000201n },
		{ family: 6, own: (0xfd98n << 112n) + 1n, other: (0x20010db8n << 96n) + 1n },
	] as const;
	const passed = families.map(({ family, own, other }) => {
		sent += 1n;
		const [source, destination] = direction === "ingress" ? [other, own + sent] : [own + sent, other];
		return network.passes({
			direction,
			family,
			source,
			destination,
			protocol,
			port,
			from: 40_000,
			interface: name,
		});
	});
	if (passed[0] !== passed[1]) throw new Error(`${direction} ${protocol} ${port}: the families differ`);
	return passed[0] === true;
}

const asked = [
	["ingress", 6, 22],
	["ingress", 17, 53],
	["ingress", 47, 0],
	["egress", 6, 22],
	["egress", 17, 53],
	["egress", 47, 0],
] as const;
const all = (name: string) =>
	asked.map(([direction, protocol, port]) => probe(direction, protocol, port, name));

const free = all("eth0");
const rules = `table inet t {
	chain in { type filter hook input priority 0; iifname eth0 tcp dport 22 drop; }
	chain out { type filter hook output priority 0; meta l4proto 47 drop; }
	chain post { type filter hook postrouting priority 0; oifname eth1 udp dport 53 drop; }
}`;
const load = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(rules), stderr: "pipe" });
if (load.exitCode !== 0) throw new Error(load.stderr.toString());
const [first, second] = [all("eth0"), all("eth1")];
const passed = Object.fromEntries(
	asked.map((one, index) => [one.join(" "), [free[index], first[index], second[index]]]),
);
let refused = "";
try {
	new ProbeNetwork(["eth2"], local);
} catch (error) {
	refused = String(error);
}
network[Symbol.dispose]();
process.stdout.write(JSON.stringify({ passed, refused }));
