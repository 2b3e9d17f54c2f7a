/** What a set of policies would cut of the services that run on this host. Pure. */

import { parseAddress } from "../../../../base/cidr.ts";
import type { Diagnostic } from "../../../../base/diagnostic.ts";
import { protocolLabel } from "../../../../base/protocol.ts";
import type { CompiledRule } from "../plan.ts";
import { decidePacket, type NetworkModel, type Packet } from "../program.ts";
import type { HostService, Need } from "./host-services.ts";

export interface ServiceCut {
	readonly service: string;
	readonly need: Need;
	/** The rule that refuses the need for somebody; the posture's has no place. */
	readonly rule: CompiledRule;
}

/** Addresses that no policy is likely to name: those for documentation (RFC 5737, RFC 3849). */
const strangers = { 4: "203.0.113.77", 6: "2001:db8:ffff::77" } as const;
/** Addresses tried for one need; a set that lets only later ones in counts as one that lets nobody in. */
const mostTries = 2000;

/** Needs that are refused on every interface and for every address that rules tell apart. */
export function serviceCuts(
	model: NetworkModel,
	services: readonly HostService[],
	interfaces: readonly string[],
): ServiceCut[] {
	return services.flatMap(({ name, needs }) =>
		needs.flatMap((need) => {
			const rule = cutBy(model, need, ["", ...interfaces]);
			return rule === null ? [] : [{ service: name, need, rule }];
		}),
	);
}

/** The rule that refuses the need everywhere, or null where it is met somewhere. */
function cutBy(model: NetworkModel, need: Need, interfaces: readonly string[]): CompiledRule | null {
	let rule: CompiledRule | null = null;
	for (const address of candidates(model, need)) {
		for (const name of interfaces) {
			const verdict = decidePacket(model, packetOf(need, address, name));
			if (verdict.action !== "Block" || verdict.rule === null) return null;
			rule ??= verdict.rule;
		}
	}
	return rule;
}

function packetOf({ direction, family, protocol, port }: Need, address: bigint, name: string): Packet {
	return { direction, family, address, interface: name, protocol, port: port ?? 0, source: null };
}

/** The need's own address; else a stranger's, and one of each block that rules let in. */
function* candidates(model: NetworkModel, need: Need): Generator<bigint> {
	const own = parseAddress(need.address ?? strangers[need.family]);
	if (!("message" in own)) yield own.value;
	if (need.address !== null) return;
	let tries = 0;
	for (const { rule, family, protocol, range, first, suffix } of model[need.direction].atoms) {
		if (rule.action === "Block" || family !== need.family) continue;
		if (protocol !== null && protocol !== need.protocol) continue;
		if (range !== null && (need.port === null || need.port < range.first || need.port > range.last)) continue;
		if (++tries > mostTries) return;
		yield suffix?.value ?? BigInt(first);
	}
}

/** Warnings, one for each service and direction. Those of the posture stand at `file`, as no rule is to blame alone. */
export function serviceWarnings(cuts: readonly ServiceCut[], file: string): Diagnostic[] {
	const groups = Map.groupBy(cuts, ({ service, need }) => `${service}\0${need.direction}`);
	return [...groups.values()].map(([cut, ...more]) => {
		if (cut === undefined) throw new Error("a group without a member");
		const { service, need, rule } = cut;
		const families = new Set([need.family, ...more.map((other) => other.need.family)]);
		const family = families.size === 2 ? "" : ` over IPv${need.family}`;
		const what = need.direction === "ingress" ? "incoming" : "outgoing";
		const why =
			rule.index < 0
				? `no rule allows it, and ${need.direction} is an allow-list`
				: `${rule.action} ${rule.direction}[${rule.index}] of policy ${JSON.stringify(rule.policy)}`;
		const place = rule.place ?? { file, line: 1, column: 1 };
		return {
			...place,
			path: "",
			severity: "warning",
			code: "host-service-cut",
			message: `${service} runs on this host, and its ${what} ${describe(need)}${family} would be dropped: ${why}`,
			hint: `allow it where it is meant: ${remedy(need)}; docs/beside.md has policies for what hosts run`,
		};
	});
}

function describe({ protocol, port, address, direction }: Need): string {
	const ports = port === null ? "" : ` port ${port}`;
	const peer = address === null ? "" : direction === "egress" ? ` to ${address}` : ` from ${address}`;
	return `${protocolLabel(protocol)}${ports}${peer}`;
}

function remedy({ direction, protocol, port }: Need): string {
	const label = protocolLabel(protocol).replace(/^protocol /u, "");
	const ports = port === null ? `{protocol: ${label}}` : `{protocol: ${label}, port: ${port}}`;
	return `${direction}: [{action: Allow, ports: [${ports}]}]`;
}
