/** What `recommend` writes, parsed and asked by brute force. */

import { addressBits } from "../../../../../src/base/cidr.ts";
import { parseConfig } from "../../../../../src/config/parse.ts";
import { isBroken } from "../../../../../src/document/parse.ts";
import {
	buildModel,
	type NetworkModel,
	ruleSets,
} from "../../../../../src/enforcers/network/compile/program.ts";
import type {
	Recommendation,
	RecommendOptions,
	Remembered,
} from "../../../../../src/enforcers/network/history/recommend/model.ts";
import {
	policiesOf,
	policyBody,
} from "../../../../../src/enforcers/network/history/recommend/policy-text.ts";
import { recommendFlows } from "../../../../../src/enforcers/network/history/recommend/recommend.ts";
import { readStates } from "../../../../../src/enforcers/network/history/recommend/states.ts";
import type { SeenFlow } from "../../../../../src/enforcers/network/history/seen-flow.ts";
import { type NetworkPolicy, networkPart } from "../../../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../../../src/engine/parse.ts";
import { judge, type OraclePacket, type OracleVerdict } from "../../compile/oracle.ts";

const parsed = parseConfig("config.yaml", "{}");
if (!parsed.ok) throw new Error("the defaults are settings");
const { failsafe } = parsed.config;

export const noPolicies: NetworkModel = buildModel(ruleSets([]), {
	posture: "block",
	allowlistScope: "direction",
	failsafe,
	guests: { forwarded: "enforce", interfaces: [], uplinks: [] },
});

export const usual: RecommendOptions = {
	minCount: 2,
	aggregate: "auto",
	model: noPolicies,
	essentials: true,
};

/** With the lines of a `recommend.states`. */
export function recommended(
	flows: readonly SeenFlow[],
	options: Partial<RecommendOptions> = {},
	states = "",
): Recommendation {
	return recommendFlows(flows, { ...usual, ...options }, remembered(states));
}

export function remembered(states: string): readonly Remembered[] {
	const read = readStates("recommend.states", states);
	if (!read.ok) throw new Error(read.diagnostics[0]?.message);
	return read.states;
}

/** The text of each policy, which has to be valid, and what all of them mean. @throws Error where one is not */
export function written({ services }: Recommendation): {
	readonly texts: readonly string[];
	readonly policies: readonly NetworkPolicy[];
} {
	const texts = policiesOf(services).map(policyBody);
	const documents = texts.flatMap((text) => parsePolicyFile("seen.yaml", text).documents);
	const wrong = documents.filter(isBroken).flatMap(({ diagnostics }) => diagnostics);
	if (wrong.length > 0 || documents.length !== texts.length)
		throw new Error(`${wrong[0]?.message}\n${texts.join("---\n")}`);
	return { texts, policies: networkPart.in(documents) };
}

/** Every address of a small block, or the ends of a large one. */
export function packetsOf({ direction, remote, interface: name, protocol, port }: SeenFlow): OraclePacket[] {
	const { family, base, prefix } = remote;
	const size = 1n << BigInt(addressBits(family) - prefix);
	const source = protocol === 1 ? 8 : protocol === 58 ? 128 : null;
	const packet = { direction, family, interface: name, protocol, port: port ?? 0, source };
	const offsets = size > 256n ? [0n, size - 1n] : Array.from({ length: Number(size) }, (_, i) => BigInt(i));
	return offsets.map((offset) => ({ ...packet, address: base + offset }));
}

/** What policies say of a packet, on the host or for a guest, with nothing else let in. */
export function verdictOf(
	policies: readonly NetworkPolicy[],
	forwarded: boolean,
	packet: OraclePacket,
): OracleVerdict {
	const place = forwarded ? "guests" : "host";
	const holding = policies.filter(({ appliesTo = place }) => appliesTo === place);
	// Whatever rule there is makes its direction an allow-list, and one where there is none is to be closed as well.
	return judge(holding, { posture: "block", allowlistScope: "direction" }, packet);
}

/** Whether an Allow lets the packet pass. */
export function isAllowed(policies: readonly NetworkPolicy[], flow: SeenFlow, packet: OraclePacket): boolean {
	const { action, policy } = verdictOf(policies, flow.hook === "forward", packet);
	return action === "Allow" && policy !== null;
}
