/** What no socket of this host sends matches no sender: what is forwarded, and what the kernel sends by itself. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { knownUplinks } from "../../../src/enforcers/network/compile/guests.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPolicy, NetworkRule } from "../../../src/enforcers/network/model.ts";
import { policy, rule } from "../../enforcers/network/compile/build.ts";
import { options } from "../../enforcers/network/compile/options.ts";
import { GuestLab } from "../support/guest-lab.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";
import { type Identity, SenderProcess } from "../support/senders.ts";

const table = "kubearmor";

let lab: GuestLab;
let guest: Prober;
let root: SenderProcess;

beforeAll(async () => {
	lab = await GuestLab.create();
	guest = new Prober(lab.lab, lab.via);
	const identity: Identity = { user: 0, group: 0, controlGroup: "" };
	root = new SenderProcess(lab.lab.guarded, identity);
	// Without tracking, answers are judged like anything else.
	lab.lab.guarded.nft(`table inet untracked {
		chain in { type filter hook prerouting priority raw; iifname != "br0" udp dport != 53 notrack; tcp dport 9 notrack; }
		chain out { type filter hook output priority raw; notrack; }
	}`);
});
afterAll(async () => {
	guest[Symbol.dispose]();
	root[Symbol.dispose]();
	await root.exited;
	lab[Symbol.dispose]();
});

const sender = { users: [0], groups: [], services: [] };
const ofRoot = (action: "Allow" | "Block"): NetworkRule => ({ ...rule(action), sender });

function load(...egress: readonly NetworkRule[]): void {
	lab.lab.guarded.try(["nft", "delete", "table", "inet", table]);
	const policies: readonly NetworkPolicy[] = [
		{ ...policy("p"), egress: egress.map((one, index) => ({ ...one, index })) },
	];
	const guests = { forwarded: "enforce", interfaces: [], uplinks: knownUplinks } as const;
	const result = compileNetwork(policies, { ...options, posture: "block", observe: false, guests });
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	expect(kernelTable(lab.lab.guarded, table).apply(result.plan)).toMatchObject({ ok: true });
}

/** How a closed port of the guarded host answers the peer: a reset, an ICMP error, or nothing that comes through. */
async function answers(): Promise<readonly boolean[]> {
	const [link] = lab.lab.links;
	if (link === undefined) throw new Error("a lab without links");
	const refused = async (script: string) => {
		const child = Bun.spawn(lab.lab.peer.inside(["timeout", "2", "bash", "-c", script]), { stderr: "pipe" });
		return (await new Response(child.stderr).text()).includes("refused");
	};
	const scripts = [link.local4, link.local6].flatMap((address) => [
		`exec 3<>/dev/tcp/${address}/9`,
		`exec 3<>/dev/udp/${address}/9; for i in 1 2 3 4 5 6 7 8; do echo x >&3; sleep 0.2; done`,
	]);
	return await Promise.all(scripts.map(refused));
}

const all = (value: boolean) => [value, value, value, value];

test("a Block of root holds for root's sockets, and not for resets and errors of the kernel", async () => {
	const target = [{ address: "192.0.2.1", port: 7000 }];
	load(ofRoot("Block"));
	expect(await root.send(target)).toEqual([false]);
	expect(await answers()).toEqual(all(true));
	// Nor does an exception for root hold for them.
	load(rule("Block"), ofRoot("Allow"));
	expect(await root.send(target)).toEqual([true]);
	expect(await answers()).toEqual(all(false));
});

test.each([4, 6] as const)("what is forwarded for a guest is nobody's (IPv%d)", async (family) => {
	const probe: Probe = {
		direction: "egress",
		protocol: "udp",
		sourcePort: 4000,
		remote: family === 4 ? "10.1.0.10" : "2001:db8::1",
		port: 53,
		local: lab.address(family),
	};
	load(ofRoot("Block"));
	expect(await guest.send([probe])).toEqual([true]);
	load(rule("Block"), ofRoot("Allow"));
	expect(await guest.send([probe])).toEqual([false]);
	// An allow-list of senders is the host's.
	load(ofRoot("Allow"));
	expect(await guest.send([probe])).toEqual([true]);
});
