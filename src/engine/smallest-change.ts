/**
 * The smallest change of policies that lets one blocked flow pass: a policy of one rule, as text, of which the model
 * proves that it lets pass that flow and changes nothing else. What cannot be proved is not offered.
 */

import { addressBits, formatAddress, formatCidr } from "../base/cidr.ts";
import type { NodeSelector } from "../base/model.ts";
import { isIcmp, isTransport, protocolLabel, protocolNumber, protocolText } from "../base/protocol.ts";
import type { Config } from "../config/model.ts";
import { apiVersion, isPolicyName } from "../document/metadata.ts";
import { yamlText } from "../document/yaml-text.ts";
import type { CompiledRule } from "../enforcers/network/compile/plan.ts";
import {
	buildModel,
	decidePacket,
	guestModel,
	type NetworkModel,
	type Packet,
	ruleSets,
} from "../enforcers/network/compile/program.ts";
import { allowBehind } from "../enforcers/network/compile/verdict/explain.ts";
import type { VerdictBox } from "../enforcers/network/compile/verdict/verdict-box.ts";
import { diffVerdicts } from "../enforcers/network/compile/verdict/verdict-diff.ts";
import { type NetworkPolicy, networkPart } from "../enforcers/network/model.ts";
import { compileOptions } from "../enforcers/network/run/compile-options.ts";
import { parsePolicyFile } from "./parse.ts";
import type { PolicySet } from "./policy-set.ts";

export type SmallestChange =
	/** `boxes`: all that changes; each of the flow that was asked about. */
	| {
			readonly kind: "add";
			readonly action: "Allow" | "Audit";
			readonly yaml: string;
			readonly boxes: readonly VerdictBox[];
	  }
	/** The flow passes already. */
	| { readonly kind: "none" }
	/** A rule means this very flow, so that none that is added comes before it. */
	| { readonly kind: "edit"; readonly rule: CompiledRule };

/** What a candidate says beside direction, address, protocol and port. */
interface Narrowing {
	readonly interface: boolean;
	readonly source: boolean;
}

/** The plainest first. */
const narrowings: readonly Narrowing[] = [
	{ interface: false, source: false },
	{ interface: true, source: false },
	{ interface: false, source: true },
	{ interface: true, source: true },
];

/**
 * What the policies that select this host mean while they are enforced is asked, whatever `enforcement` says.
 * @param forwarded to or from a guest: the policy that is added then holds for guests alone
 */
export function smallestChange(
	set: Pick<PolicySet, "policies" | "selected">,
	config: Config,
	packet: Packet,
	forwarded = false,
): SmallestChange {
	const policies = networkPart.of(set.selected);
	const options = compileOptions({ ...config, enforcement: "enforce" }, "0", "concatenated");
	const whole = buildModel(ruleSets(policies, options), options);
	const model = forwarded ? guestModel(whole) : whole;
	if (model === null) return { kind: "none" };
	const { action: before, rule } = decidePacket(model, packet);
	if (before !== "Block" || rule === null) return { kind: "none" };
	const selector = selectorFor(policies, model, rule);
	const name = nameFor(networkPart.all(set.policies), packet);
	// An Audit makes no allow-list of a direction that is none, so it is what is left where an Allow would.
	for (const action of ["Allow", "Audit"] as const) {
		for (const narrowing of narrowings) {
			if (!tellsMore(packet, narrowing)) continue;
			const yaml = policyText({ name, forwarded, packet, action, narrowing, matchLabels: selector });
			const added = networkPart.in(parsePolicyFile("change.yaml", yaml).documents);
			if (added.length === 0) continue;
			const changedWhole = buildModel(ruleSets([...policies, ...added], options), options);
			const changed = forwarded ? (guestModel(changedWhole) ?? changedWhole) : changedWhole;
			if (forwarded && diffVerdicts(whole, changedWhole).some((box) => box.before !== box.after)) continue;
			if (opensAllowlist(model, changed) || decidePacket(changed, packet).action !== action) continue;
			const boxes = diffVerdicts(model, changed).filter((box) => box.before !== box.after);
			if (boxes.every((box) => isOfFlow(box, packet, action))) return { kind: "add", action, yaml, boxes };
		}
	}
	return { kind: "edit", rule };
}

function tellsMore({ interface: name, source, protocol }: Packet, narrowing: Narrowing): boolean {
	if (narrowing.interface && name === "") return false;
	return !narrowing.source || (source !== null && (isTransport(protocol) || isIcmp(protocol)));
}

function opensAllowlist(before: NetworkModel, after: NetworkModel): boolean {
	return (["ingress", "egress"] as const).some(
		(direction) => before[direction].allowlistMode !== after[direction].allowlistMode,
	);
}

function isOfFlow(box: VerdictBox, packet: Packet, action: "Allow" | "Audit"): boolean {
	const [first, last] = box.ports ?? [packet.port, packet.port];
	return (
		box.direction === packet.direction &&
		packet.protocol !== null &&
		box.protocol === protocolText(packet.protocol) &&
		first === packet.port &&
		last === packet.port &&
		(box.ports !== null || !isTransport(packet.protocol)) &&
		box.addresses.length === 1 &&
		box.addresses[0] === blockOf(packet) &&
		box.before === "Block" &&
		box.after === action
	);
}

function blockOf({ family, address }: Packet): string {
	return formatCidr({ family, base: address, prefix: addressBits(family) });
}

/** The labels of a policy that is known to select this host: the one that decides, or that made the allow-list. */
function selectorFor(
	policies: readonly NetworkPolicy[],
	model: NetworkModel,
	rule: CompiledRule,
): NodeSelector["matchLabels"] {
	const near = allowBehind(model, rule) ?? rule;
	const policy = policies.find(({ name }) => name === near.policy) ?? policies[0];
	return policy?.nodeSelector.matchLabels ?? {};
}

interface Candidate {
	readonly name: string;
	readonly forwarded: boolean;
	readonly packet: Packet;
	readonly action: "Allow" | "Audit";
	readonly narrowing: Narrowing;
	readonly matchLabels: NodeSelector["matchLabels"];
}

function policyText({ name, forwarded, packet, action, narrowing, matchLabels }: Candidate): string {
	const { direction, protocol, source } = packet;
	if (protocol === null) return "";
	const peer = { ipBlock: { cidr: blockOf(packet) } };
	const port = {
		protocol: protocolNameOf(protocol),
		...(isTransport(protocol) ? { port: packet.port } : {}),
		...(narrowing.source ? { [isTransport(protocol) ? "sourcePort" : "icmpType"]: source } : {}),
	};
	const rule = {
		[direction === "ingress" ? "from" : "to"]: [peer],
		...(narrowing.interface ? { iface: [packet.interface] } : {}),
		ports: [port],
		action,
	};
	const document = {
		apiVersion,
		kind: "KubeArmorNetworkPolicy",
		metadata: { name, ...(forwarded ? { annotations: { "portward.io/applies-to": "guests" } } : {}) },
		spec: { nodeSelector: { matchLabels }, [direction]: [rule] },
	};
	return yamlText(document);
}

/** A name that policies can write, or a number. */
function protocolNameOf(protocol: NonNullable<Packet["protocol"]>): string | number {
	return /^\d+$/u.test(protocolText(protocol)) ? protocolNumber(protocol) : protocolLabel(protocol);
}

/** A name that tells what it is for, and that no other policy has. */
function nameFor(
	policies: readonly NetworkPolicy[],
	{ direction, protocol, port, ...packet }: Packet,
): string {
	const address = formatAddress(packet.family, packet.address).replaceAll(":", "-").replace(/-+$/u, "");
	const way = direction === "ingress" ? "from" : "to";
	const traffic = isTransport(protocol) ? `${protocol}-${port}` : protocolText(protocol ?? 0);
	const plain = `pass-${traffic}-${way}-${address}`;
	const wanted = isPolicyName(plain) ? plain : `pass-${traffic}-${direction}`;
	const taken = new Set(policies.map(({ name }) => name));
	let name = wanted;
	for (let i = 2; taken.has(name); i++) name = `${wanted}-${i}`;
	return name;
}
