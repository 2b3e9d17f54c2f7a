/** Test cases out of what was seen, to lie beside the policies. */

import { addressBits, formatAddress } from "../../../../base/cidr.ts";
import type { Action } from "../../../../base/model.ts";
import { protocolFits, protocolText } from "../../../../base/protocol.ts";
import { yamlText } from "../../../../document/yaml-text.ts";
import { testKind, testVersion } from "../../parse/test-document.ts";
import type { SeenFlow } from "../seen-flow.ts";
import { isNameable, isWritable, serviceOf, serviceText } from "./candidate.ts";
import type { LeftOut } from "./model.ts";

export const testName = "seen-test";

/** Cases of one service, and of all that stays out. */
const mostOfService = 20;
const mostOut = 100;

export interface FlowCase {
	readonly flow: SeenFlow;
	readonly expect: Extract<Action, "Allow" | "Block">;
}

/** The most frequent flows of each service, and of what stays out. @param included in the order of reports */
export function casesOf(included: readonly SeenFlow[], leftOut: readonly LeftOut[]): readonly FlowCase[] {
	// What no case can ask is no case: anybody may send a packet of a protocol that its family does not have.
	const single = ({ remote, protocol, interface: name }: SeenFlow) =>
		remote.prefix === addressBits(remote.family) &&
		isNameable(remote) &&
		protocolFits(protocol, remote.family) &&
		isWritable(name);
	const passing = included.filter((flow) => single(flow) && flow.action !== "Block");
	const often = (flows: readonly SeenFlow[], most: number) =>
		flows.toSorted((a, b) => b.count - a.count).slice(0, most);
	const allowed = [...Map.groupBy(passing, (flow) => serviceText(serviceOf(flow))).values()].flatMap(
		(flows) => often(flows, mostOfService),
	);
	const out = often(leftOut.map(({ flow }) => flow).filter(single), mostOut);
	const cases = [
		...allowed.map((flow): FlowCase => ({ flow, expect: "Allow" })),
		...out.map((flow): FlowCase => ({ flow, expect: "Block" })),
	];
	return [...new Map(cases.map((one) => [JSON.stringify(caseData(one)), one])).values()];
}

/** Null where there is no case. */
export function testBody(cases: readonly FlowCase[]): string | null {
	if (cases.length === 0) return null;
	const guests = cases.some(({ flow }) => flow.guest !== null);
	const document = {
		apiVersion: testVersion,
		kind: testKind,
		metadata: { name: testName },
		spec: {
			settings: {
				hostDefaultNetworkPosture: "block",
				...(guests ? { guests: { forwarded: "enforce" } } : {}),
			},
			cases: cases.map(caseData),
		},
	};
	return `# What was seen and is in passes, what was seen and stays out does not.\n${yamlText(document)}`;
}

function caseData({ flow, expect }: FlowCase): object {
	const { direction, protocol, remote, port, interface: name, guest } = flow;
	return {
		direction,
		protocol: protocolText(protocol),
		address: formatAddress(remote.family, remote.base),
		...(port === null ? {} : { port }),
		interface: name,
		...(guest === null ? {} : { guest: formatAddress(guest.family, guest.value) }),
		expect,
	};
}
