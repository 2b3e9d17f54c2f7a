/**
 * The whole text of small sets, as a reader of `portward render` sees it, and as the steps of the daemon leave it in the
 * kernel. UPDATE_GOLDEN=1 rewrites the files.
 */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KernelTable } from "../../../../src/enforcers/network/apply/kernel-table.ts";
import { planText, tableGroups } from "../../../../src/enforcers/network/apply/table-objects.ts";
import type { Failsafe } from "../../../../src/enforcers/network/compile/failsafe.ts";
import { knownUplinks } from "../../../../src/enforcers/network/compile/guests.ts";
import { type CompileOptions, compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import type { NftObject } from "../../../../src/kernel/nftables/objects.ts";
import { objectText } from "../../../../src/kernel/nftables/writer.ts";
import { FakeNft } from "../../../support/fake-nft.ts";
import { cidr, policy, rule } from "./build.ts";
import { options } from "./options.ts";

const sets: Record<string, readonly NetworkPolicy[]> = {
	empty: [],
	"allow-with-exception": [
		policy(
			"office",
			rule("Allow", { peers: ["10.0.0.0/8 except 10.9.0.0/16"], ports: ["tcp/22", "tcp/8000-8080"] }),
		),
		policy("block-lab", rule("Block", { peers: ["10.1.0.0/16", "2001:db8::/32"] })),
		policy("watch-dns", rule("Audit", { ports: ["udp/53"], interfaces: ["eth0", "wlan*"] })),
	],
	"carved-block": [
		policy("closed", rule("Block", { peers: ["10.0.0.0/8"] })),
		policy("jump-host", rule("Allow", { peers: ["10.0.1.0/24"], ports: ["tcp/22"] })),
	],
};

/** Both limits, for each source and for all. */
sets.limits = [
	policy("ssh", {
		...rule("Allow", { ports: ["tcp/22"] }),
		limits: {
			rate: { connections: 10, unit: "minute", burst: 5, per: "source", prefix6: 64 },
			connections: { max: 20, per: "source", prefix6: 128 },
			exceedAction: "Block",
		},
	}),
	policy("names", {
		...rule("Audit", { ports: ["udp/53"] }),
		limits: {
			rate: { connections: 100, unit: "second", burst: 200, per: "rule", prefix6: 128 },
			connections: { max: 300, per: "rule", prefix6: 128 },
			exceedAction: "Audit",
		},
	}),
];

/** No set of policies, or part of one, can stand before these. */
const failsafe: Failsafe = {
	ingress: [
		{
			protocol: "tcp",
			cidr: cidr("192.168.10.0/28"),
			port: { first: 22, last: 22 },
			interface: { name: "eth", prefix: true },
		},
		{ protocol: null, cidr: cidr("2001:db8::/64"), port: null, interface: null },
	],
	egress: [
		{ protocol: "udp", cidr: cidr("0.0.0.0/0"), port: { first: 6000, last: 6010 }, interface: null },
		{ protocol: "sctp", cidr: null, port: null, interface: { name: "eth0", prefix: false } },
	],
};
sets.failsafe = [policy("closed", rule("Block"))];

/** What holds for both, for one alone, and with what no map has: an interface of egress, a source port. */
const published = [
	policy("db", rule("Allow", { peers: ["192.0.2.2/32", "2001:db8::2/128"], ports: ["tcp/5432"] })),
	policy("closed", rule("Block", { peers: ["10.0.0.0/8 except 10.9.0.0/16"], ports: ["udp/53<53"] })),
	{ ...policy("ssh", rule("Allow", { ports: ["tcp/22"] })), appliesTo: "host" as const },
	{
		...policy("web", rule("Allow", { ports: ["tcp/8000-8080"], interfaces: ["eth0"] })),
		appliesTo: "guests" as const,
	},
	{ ...policy("out", rule("Allow")), ingress: [], egress: [rule("Block", { ports: ["tcp/8053"] })] },
];
/** An Allow decides as well; the others count alone. */
const quota = { bytes: 2 ** 21, limit: "2MB", seconds: 1200 };
sets.quotas = [
	policy("let", { ...rule("Allow", { ports: ["tcp/22"] }), quota }),
	policy(
		"cap",
		{ ...rule("Block", { peers: ["10.0.0.0/8 except 10.9.0.0/16", "10.1.0.0/16", "2001:db8::/32"] }), quota },
		{
			...rule("Audit", { ports: ["udp/53<1900-2000", "1<8", "58", "sctp"], interfaces: ["eth0", "wlan*"] }),
			quota,
		},
	),
	{
		...policy("out", rule("Allow")),
		ingress: [],
		egress: [{ ...rule("Block", { interfaces: ["eth0"] }), quota }],
	},
	{ ...policy("host", { ...rule("Block", { ports: ["tcp"] }), quota }), appliesTo: "host" as const },
];
sets["guests-enforce"] = published;
sets["guests-audit"] = published;

/** Two interfaces are behind which guests are though they are no bridges. */
function guests(name: string): Pick<CompileOptions, "guests"> {
	const [, forwarded] = /^guests-(enforce|audit)$/.exec(name === "quotas" ? "guests-audit" : name) ?? [];
	if (forwarded !== "enforce" && forwarded !== "audit") return {};
	const interfaces = [
		{ name: "ve-", prefix: true },
		{ name: "tap0", prefix: false },
	];
	return { guests: { forwarded, interfaces, uplinks: [...knownUplinks, "vmbr0"] } };
}

const texts = (objects: readonly NftObject[]) => objects.map((object) => objectText(object)).sort();

for (const [name, policies] of Object.entries(sets)) {
	for (const form of ["concatenated", "nested"] as const) {
		test(`${name} (${form})`, () => {
			const result = compileNetwork(policies, {
				...options,
				form,
				...(["failsafe", "guests-enforce", "quotas"].includes(name) ? { failsafe } : {}),
				...guests(name),
			});
			if (!result.ok) throw new Error(result.diagnostics[0]?.message);
			const text = planText(result.plan, "kubearmor");
			const file = join(import.meta.dir, "golden", `${name}.${form}.nft`);
			if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, text);
			expect(text).toBe(readFileSync(file, "utf8"));
			const kernel = new FakeNft();
			const table = new KernelTable(kernel, "kubearmor");
			expect(table.apply(result.plan)).toMatchObject({ ok: true });
			expect(table.collect()).toBe("");
			expect(texts(kernel.objects("kubearmor"))).toEqual(texts(tableGroups(result.plan).flat()));
		});
	}
}
