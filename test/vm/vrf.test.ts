/** VRFs, which the guest's kernel has: their members' names match, and a host is its own loopback in one. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Glob } from "bun";
import { block, policy } from "../system/support/case.ts";
import { Vm } from "./lab/vm.ts";

setDefaultTimeout(120_000);

const repository = new URL("../../", import.meta.url).pathname;

let vm: Vm;

beforeAll(async () => {
	const modules = new Glob(".cache/vm/kernel/tree/lib/modules/*/kernel/drivers/net/vrf.ko");
	const [module] = [...modules.scanSync({ cwd: repository, absolute: true, dot: true })];
	if (module === undefined) throw new Error("no vrf.ko below .cache/vm: run scripts/setup-vm.sh");
	const files = { "vrf.ko": module, portward: `${repository}dist/portward` };
	vm = await Vm.boot({ flavour: "fast", files });
	// The peer is another network namespace; the host's only way to it leads through the VRF.
	await vm.sh(`
		set -e
		modprobe veth
		insmod /host/vrf.ko
		unshare -n sleep 100000 > /dev/null 2>&1 &
		echo $! > /tmp/peer
		sleep 0.2
		ip link add blue type vrf table 10
		ip link set blue up
		ip link add eth1 type veth
		ip link set veth0 name p1
		ip link set p1 netns $(cat /tmp/peer)
		ip link set eth1 master blue
		ip addr add 10.0.1.1/24 dev eth1
		ip addr add fd01::1/64 dev eth1
		ip link set eth1 up
		nsenter -t $(cat /tmp/peer) -n sh -c '
			ip addr add 10.0.1.2/24 dev p1
			ip addr add fd01::2/64 dev p1
			ip link set p1 up'
		mkdir -p /tmp/policies
		cp /host/portward /tmp/portward
		echo 'policyDir: /tmp/policies' > /tmp/config.yaml
		printf 'policyDir: /tmp/policies\nrulesetForm: nested\nstateDir: /tmp/state\n' > /tmp/nested.yaml`);
	// Duplicate address detection and the neighbours' first words take a moment.
	await vm.waitFor("ping -c1 -W1 -I blue fd01::2 && ping -c1 -W1 -I blue 10.0.1.2");
}, 400_000);
afterAll(async () => {
	await vm?.stop();
});

const load = {
	concatenated: "/tmp/portward render --config /tmp/config.yaml > /tmp/table.nft && nft -f /tmp/table.nft",
	// Asks the kernel for what it knows of members, as the daemon does.
	nested: "/tmp/portward restore --config /tmp/nested.yaml",
} as const;

/** Loads the rules of one policy. */
async function enforce(
	spec: Readonly<Record<string, unknown>>,
	form: keyof typeof load = "concatenated",
): Promise<void> {
	await vm.put("/tmp/policies/p.yaml", Buffer.from(policy("p", spec)), 0o644);
	await vm.sh(`
		nft delete table inet kubearmor 2> /dev/null
		${load[form]}`);
}

const inPeer = "nsenter -t $(cat /tmp/peer) -n ping -c1 -W1";
const ways = {
	"in 4": `${inPeer} 10.0.1.1`,
	"in 6": `${inPeer} fd01::1`,
	"out 4": "ping -c1 -W1 -I blue 10.0.1.2",
	"out 6": "ping -c1 -W1 -I blue fd01::2",
	"own 4": "ping -c1 -W1 -I blue 10.0.1.1",
	"own 6": "ping -c1 -W1 -I blue fd01::1",
};

/** Who reaches whom, in both families; all at once, as the guest is slow. */
async function reached(): Promise<string[]> {
	const asked = Object.entries(ways).map(
		([name, command]) => `(${command} > /dev/null 2>&1 && echo "${name}") &`,
	);
	const found = await vm.sh(`${asked.join("\n")}\nwait`);
	return found.split("\n").sort();
}

const everything = Object.keys(ways);
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
	expect(await reached()).toEqual(["in 4", ...own, "out 4"]);
});

test("without interfaces the host is its own loopback in a VRF, and its packets are counted once", async () => {
	await enforce({ action: "Allow", ingress: [nobody], egress: [noOne] });
	expect(await reached()).toEqual(own);
	await enforce({ action: "Audit", egress: [{ to: [block("10.0.1.0/24")] }] });
	expect(await reached()).toEqual(everything.sort());
	const counters = await vm.sh("nft list counters table inet kubearmor");
	expect(counters.match(/counter c_\w+ \{\s+packets (\d+)/)?.[1]).toBe("1");
});
