/**
 * Links that namespaces of another kernel may not have. The names of a VRF's members match, and a host is its own loopback
 * in one; what a bond's member or a macvlan's parent carries bears the name of the link on top; WireGuard's tunnel.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { block, documents, policy, port } from "../system/support/case.ts";
import { Vm } from "./lab/vm.ts";

setDefaultTimeout(180_000);

const repository = new URL("../../", import.meta.url).pathname;

let vm: Vm;

beforeAll(async () => {
	vm = await Vm.boot({ flavour: "fast", files: { portward: `${repository}dist/portward` } });
	// The peer is another network namespace; the host's only way to its 10.0.1.2 leads through the VRF.
	await vm.sh(`
		set -e
		export ip=/usr/bin/ip # busybox has one, too
		unshare -n sleep 100000 > /dev/null 2>&1 &
		echo $! > /tmp/peer
		sleep 0.2
		$ip link add blue type vrf table 10
		$ip link add bond1 type bond mode active-backup miimon 100
		for n in 1 2 3; do
			$ip link add eth$n type veth peer name p$n netns $(cat /tmp/peer)
		done
		$ip link set eth1 master blue
		$ip link set eth2 master bond1
		$ip link add mac1 link eth3 type macvlan mode bridge
		at() { $ip addr add 10.0.$2.1/24 dev $1; $ip addr add fd0$2::1/64 dev $1 nodad; }
		at eth1 1; at bond1 2; at mac1 3
		for name in blue eth1 bond1 eth2 eth3 mac1; do $ip link set $name up; done
		nsenter -t $(cat /tmp/peer) -n sh -ec '
			for n in 1 2 3; do
				$ip addr add 10.0.$n.2/24 dev p$n
				$ip addr add fd0$n::2/64 dev p$n nodad
				$ip link set p$n up
			done'
		mkdir -p /root/policies /root/state
		cp /host/portward /root/portward
		echo 'policyDir: /root/policies' > /root/config.yaml
		printf 'policyDir: /root/policies\nrulesetForm: nested\nstateDir: /root/state\n' > /root/nested.yaml
		# Something was in force before, which cannot be used: what is in the directory is taken.
		echo torn > /root/state/boot.json`);
	// The neighbours' first words take a moment.
	for (const ways of [inVrf, onBond, onMacvlan]) await vm.waitFor(Object.values(ways).join(" && "));
});
afterAll(async () => {
	await vm?.stop();
});

const load = {
	concatenated: "/root/portward render --config /root/config.yaml > /tmp/table.nft && nft -f /tmp/table.nft",
	// Asks the kernel for what it knows of members, as the daemon does.
	nested: "/root/portward restore --config /root/nested.yaml",
} as const;

/** Loads the rules of these policies. */
async function enforceText(text: string, form: keyof typeof load = "concatenated"): Promise<void> {
	await vm.put("/root/policies/p.yaml", text, 0o644);
	await vm.sh(`
		nft delete table inet kubearmor 2> /dev/null
		${load[form]} && nft list table inet kubearmor > /dev/null`);
}

const enforce = (spec: Readonly<Record<string, unknown>>, form?: keyof typeof load) =>
	enforceText(policy("p", spec), form);

const inPeer = "nsenter -t $(cat /tmp/peer) -n";
const ping = "ping -c1 -W1";
const inVrf = {
	"in 4": `${inPeer} ${ping} 10.0.1.1`,
	"in 6": `${inPeer} ${ping} fd01::1`,
	"out 4": `${ping} -I blue 10.0.1.2`,
	"out 6": `${ping} -I blue fd01::2`,
	"own 4": `${ping} -I blue 10.0.1.1`,
	"own 6": `${ping} -I blue fd01::1`,
};
const over = (n: number) => ({
	"in 4": `${inPeer} ${ping} 10.0.${n}.1`,
	"in 6": `${inPeer} ${ping} fd0${n}::1`,
	"out 4": `${ping} 10.0.${n}.2`,
	"out 6": `${ping} fd0${n}::2`,
});
const onBond = over(2);
const onMacvlan = over(3);

/** Who reaches whom, in both families; all at once, as the guest is slow. */
async function reached(ways: Readonly<Record<string, string>> = inVrf): Promise<string[]> {
	const asked = Object.entries(ways).map(
		([name, command]) => `(${command} > /dev/null 2>&1 && echo "${name}") &`,
	);
	const found = await vm.sh(`${asked.join("\n")}\nwait`);
	return found.split("\n").filter(Boolean).sort();
}

const everything = Object.keys(inVrf);
const own = ["own 4", "own 6"];
const nobody = { from: [block("192.0.2.1/32")] };
const noOne = { to: [block("192.0.2.1/32")] };

const forms = ["concatenated", "nested"] as const;

test.each(forms)("a member's name matches what comes and goes by it: %s", async (form) => {
	await enforce({ action: "Allow", ingress: [{ iface: ["eth1"] }], egress: [{ iface: ["eth1"] }] }, form);
	expect(await reached()).toEqual(everything.sort());
	await enforce({ action: "Allow", ingress: [{ iface: ["eth9"] }], egress: [{ iface: ["eth9"] }] }, form);
	expect(await reached()).toEqual(own);
	await enforce({ action: "Block", ingress: [{ iface: ["eth1"] }] }, form);
	expect(await reached()).toEqual([...own, "out 4", "out 6"].sort());
	await enforce({ action: "Block", egress: [{ iface: ["eth1"] }] }, form);
	expect(await reached()).toEqual(["in 4", "in 6", ...own]);
});

test.each(forms)("the VRF's own name matches what comes and goes by any member: %s", async (form) => {
	await enforce({ action: "Block", ingress: [{ iface: ["blue"] }] }, form);
	expect(await reached()).toEqual([...own, "out 4", "out 6"].sort());
	await enforce({ action: "Block", egress: [{ iface: ["blue"] }] }, form);
	expect(await reached()).toEqual(["in 4", "in 6", ...own]);
});

test.each(forms)("rules of both names apply, the strictest and the most specific first: %s", async (form) => {
	const member = { action: "Allow", iface: ["eth1"] };
	const vrf = { action: "Block", iface: ["blue"] };
	await enforce({ ingress: [member, vrf] }, form);
	expect(await reached()).toEqual([...own, "out 4", "out 6"].sort());
	await enforce({ egress: [member, vrf] }, form);
	expect(await reached()).toEqual(["in 4", "in 6", ...own]);
	// An exception from the VRF's Block, though the member has a rule as well.
	const audit = { action: "Audit", iface: ["eth1"] };
	const from = { ...vrf, action: "Allow", from: [block("10.0.1.2/32")] };
	const to = { ...vrf, action: "Allow", to: [block("10.0.1.2/32")] };
	await enforce({ ingress: [audit, vrf, from], egress: [vrf, to] }, form);
	expect(await reached()).toEqual(["in 4", "out 4", ...own]);
});

test("without interfaces the host is its own loopback in a VRF, and its packets are counted once", async () => {
	await enforce({ action: "Allow", ingress: [nobody], egress: [noOne] });
	expect(await reached()).toEqual(own);
	await enforce({ action: "Audit", egress: [{ to: [block("10.0.1.0/24")] }] });
	expect(await reached()).toEqual(everything.sort());
	const counters = await vm.sh("nft list counters table inet kubearmor");
	expect(counters.match(/counter c_\w+ \{\s+packets (\d+)/)?.[1]).toBe("1");
});

describe.each([
	["eth2", "bond1", "member", 'is a member of the bond "bond1"', onBond],
	["eth3", "mac1", "parent", 'carries the macvlan "mac1"', onMacvlan],
] as const)("packets that %s carries bear the name %s", (below, above, reason, message, ways) => {
	const all = Object.keys(ways).sort();

	test("which the warning about the other name says", async () => {
		await enforce({ action: "Block", ingress: [{ iface: [below] }], egress: [{ iface: [below] }] });
		expect(await reached(ways)).toEqual(all);
		const plan = await vm.run("/root/portward plan --policy-dir /root/policies --config /root/config.yaml");
		const said = (plan.stdout + plan.stderr)
			.split("\n")
			.filter((line) => line.includes(`interface-${reason}`));
		expect(said).toHaveLength(1);
		expect(said[0]).toContain(`interface "${below}" ${message}`);
	});

	test("and rules of that name decide about them", async () => {
		await enforce({ action: "Block", ingress: [{ iface: [above] }] });
		expect(await reached(ways)).toEqual(["out 4", "out 6"]);
		await enforce({ action: "Block", egress: [{ iface: [above] }] });
		expect(await reached(ways)).toEqual(["in 4", "in 6"]);
	});
});

test("WireGuard: the policy of docs/beside.md lets a tunnel work that an allow-list of SSH cuts", async () => {
	const shown = readFileSync(`${repository}docs/beside.md`, "utf8");
	const yaml = [...shown.matchAll(/```yaml\n(.*?)```/gsu)].find(([text]) => text.includes("name: wireguard"));
	const ssh = { ports: [port("TCP", 22)] };
	const sshOnly = policy("ssh-only", { action: "Allow", ingress: [ssh], egress: [ssh] });
	/** Either end with the other as its peer, over the bond's wire, without a session yet. */
	const tunnel = `
		set -e
		cd /tmp
		for end in 1 2; do
			[ -e $end.key ] || (umask 077; wg genkey > $end.key)
		done
		up() {
			$3 /usr/bin/ip link del wg0 2> /dev/null || true
			$3 /usr/bin/ip link add wg0 type wireguard
			$3 wg set wg0 listen-port 51820 private-key $1.key \\
				peer $(wg pubkey < $2.key) endpoint 10.0.2.$2:51820 allowed-ips 10.9.0.0/24
			$3 /usr/bin/ip addr add 10.9.0.$1/24 dev wg0
			$3 /usr/bin/ip link set wg0 up
		}
		up 1 2 ""
		up 2 1 "nsenter -t $(cat /tmp/peer) -n"`;
	const out = `${ping} 10.9.0.2`;
	const back = `${inPeer} ${ping} 10.9.0.1`;
	for (const [first, second] of [
		[out, back],
		[back, out],
	] as const) {
		await enforceText(sshOnly);
		await vm.sh(tunnel);
		expect(await reached({ first, second })).toEqual([]);
		await enforceText(documents(sshOnly, yaml?.[1] ?? ""));
		await vm.sh(tunnel);
		await vm.waitFor(first);
		await vm.waitFor(second);
	}
});
