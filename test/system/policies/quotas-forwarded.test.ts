/** Quotas of what is forwarded to and from guests: by the port that was asked for, both families, towards the host's limit. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { GuestOptions } from "../../../src/enforcers/network/compile/guests.ts";
import { knownUplinks } from "../../../src/enforcers/network/compile/guests.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import type { NetworkPolicy } from "../../../src/enforcers/network/model.ts";
import { policy, rule } from "../../enforcers/network/compile/build.ts";
import { options } from "../../enforcers/network/compile/options.ts";
import { GuestLab } from "../support/guest-lab.ts";
import { kernelTable } from "../support/nft.ts";
import { type Probe, Prober } from "../support/probe.ts";

const table = "kubearmor";
const limit = 1024;
const quota = { bytes: limit, limit: "1KB", seconds: 3600 };

let lab: GuestLab;
let guest: Prober;
let host: Prober;

beforeAll(async () => {
	lab = await GuestLab.create();
	const { address4, address6 } = lab.published;
	lab.lab.guarded.nft(`table inet engine {
		chain pre { type nat hook prerouting priority dstnat;
			ip daddr ${address4} udp dport 5353 dnat ip to ${lab.behind(4)}:53
			ip6 daddr ${address6} udp dport 5353 dnat ip6 to [${lab.behind(6)}]:53
		}
	}`);
	guest = new Prober(lab.lab, lab.via);
	host = new Prober(lab.lab);
});
afterAll(() => {
	for (const prober of [guest, host]) prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

function load(policies: readonly NetworkPolicy[], forwarded: GuestOptions["forwarded"] = "enforce") {
	lab.lab.guarded.try(["nft", "delete", "table", "inet", table]);
	const guests = { forwarded, interfaces: [], uplinks: knownUplinks };
	const result = compileNetwork(policies, { ...options, observe: false, guests });
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	expect(kernelTable(lab.lab.guarded, table).apply(result.plan)).toMatchObject({ ok: true });
}

async function passing(prober: Prober, probe: Probe, count: number): Promise<number> {
	const passed = await prober.send(Array.from({ length: count }, () => probe));
	return passed.filter(Boolean).length;
}

/** Of a probe by UDP, as the network layer has it. */
const sizes = { 4: 44, 6: 64 } as const;
const remotes = { 4: "10.1.0.10", 6: "2001:db8::1" } as const;
const udp = { protocol: "udp", sourcePort: 4000 } as const;

const toPublished = (family: 4 | 6): Probe => ({
	...udp,
	direction: "ingress",
	remote: remotes[family],
	port: 5353,
	local: family === 4 ? lab.published.address4 : lab.published.address6,
});

test.each([4, 6] as const)("to a published port (IPv%d)", async (family) => {
	load([policy("p", { ...rule("Block", { ports: ["udp/5353"] }), quota })]);
	const fits = Math.floor(limit / sizes[family]);
	expect(await passing(guest, toPublished(family), fits)).toBe(fits);
	expect(await passing(guest, toPublished(family), 5)).toBe(0);
	// The port that it leads to is another one for policies.
	load([policy("p", { ...rule("Block", { ports: ["udp/53"] }), quota })]);
	expect(await passing(guest, toPublished(family), 100)).toBe(100);
});

test.each([4, 6] as const)(
	"from a guest (IPv%d), and what the host sends counts for the same limit",
	async (family) => {
		const cap = { ...rule("Block", { ports: ["udp/53"] }), quota };
		load([{ ...policy("p"), egress: [cap] }]);
		const fits = Math.floor(limit / sizes[family]);
		const sent: Probe = { ...udp, direction: "egress", remote: remotes[family], port: 53 };
		const own = Math.floor(fits / 2);
		expect(await passing(host, sent, own)).toBe(own);
		const left = await passing(guest, { ...sent, local: lab.address(family) }, 50);
		expect(left).toBe(fits - own);
		expect(await passing(host, sent, 5)).toBe(0);
		load([{ ...policy("p"), egress: [cap], appliesTo: "host" as const }]);
		expect(await passing(guest, { ...sent, local: lab.address(family) }, 50)).toBe(50);
	},
);

test("guests.forwarded: audit lets pass what is beyond, and the host's own not", async () => {
	load([policy("p", { ...rule("Block", { ports: ["udp/5353"] }), quota })], "audit");
	expect(await passing(guest, toPublished(4), 100)).toBe(100);
	expect(await passing(host, { ...udp, direction: "ingress", remote: remotes[4], port: 5353 }, 5)).toBe(0);
});
