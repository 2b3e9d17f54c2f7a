/** Sets of policies, large and awkward. */

import type { Action } from "../src/base/model.ts";
import type { IpBlock, NetworkPolicy, NetworkRule, PortMatch } from "../src/enforcers/network/model.ts";

const place = { file: "bench", line: 1, column: 1 };

/** `count` disjoint IPv4 blocks that do not merge into larger ones. */
function blocks(count: number): IpBlock[] {
	return Array.from({ length: count }, (_, index) => ({
		cidr: { family: 4, base: BigInt(0x0a000000 + index * 4), prefix: 31 },
		except: [],
		place,
	}));
}

function tcp(port: number): PortMatch {
	return { protocol: "tcp", range: { first: port, last: port }, source: null, icmpType: null, place };
}

function rule(
	index: number,
	action: Action,
	peers: readonly IpBlock[],
	ports: readonly PortMatch[],
): NetworkRule {
	return { index, place, action, severity: 5, tags: [], message: "", peers, interfaces: [], ports };
}

function policy(name: string, ingress: readonly NetworkRule[]): NetworkPolicy {
	return {
		kind: "KubeArmorNetworkPolicy",
		name,
		place,
		nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" }, place },
		action: "Block",
		ingress,
		egress: [],
	};
}

/** A block of 8 addresses among those of the list. */
function scattered(index: number): IpBlock {
	return {
		cidr: { family: 4, base: BigInt(0x0a000000 + index * 1992 * 8) & ~7n, prefix: 29 },
		except: [],
		place,
	};
}

/** Not among the cases that are measured. */
export const warmUpCase = "100 CIDRs";

const cases: Readonly<Record<string, () => NetworkPolicy[]>> = {
	[warmUpCase]: () => [policy("list", [rule(0, "Block", blocks(100), [])])],
	"1000 CIDRs": () => [policy("list", [rule(0, "Block", blocks(1_000), [])])],
	"10000 CIDRs": () => [policy("list", [rule(0, "Block", blocks(10_000), [])])],
	"100000 CIDRs": () => [policy("list", [rule(0, "Block", blocks(100_000), [])])],
	"100000 CIDRs, 200 port rules": () => [
		policy("list", [rule(0, "Block", blocks(100_000), [])]),
		policy(
			"services",
			Array.from({ length: 200 }, (_, index) =>
				rule(index, index % 2 === 0 ? "Allow" : "Audit", [scattered(index)], [tcp(1000 + index)]),
			),
		),
	],
	// The hardest kind: each Audit is an exception in the Allow, and is itself cut up by the Blocks.
	"100000 CIDRs across 200 audits": () => [
		policy("whole", [rule(0, "Allow", [], [])]),
		policy("list", [rule(0, "Block", blocks(100_000), [])]),
		policy(
			"audited",
			Array.from({ length: 200 }, (_, index) =>
				rule(
					index,
					"Audit",
					[
						{
							cidr: { family: 4, base: BigInt(0x0a000000 + index * 2048) & ~2047n, prefix: 21 },
							except: [],
							place,
						},
					],
					[tcp(1000 + index)],
				),
			),
		),
	],
};

export const caseNames: readonly string[] = Object.keys(cases).filter((name) => name !== warmUpCase);

export function makeCase(name: string): NetworkPolicy[] {
	const make = cases[name];
	if (make === undefined) throw new Error(`no case ${name}`);
	return make();
}
