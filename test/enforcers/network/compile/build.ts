/** Short ways to write policies in tests. */

import { parseCidr } from "../../../../src/base/cidr.ts";
import type { Action, Cidr, InterfaceMatch, Transport } from "../../../../src/base/model.ts";
import type { NetworkPolicy, NetworkRule, PortMatch } from "../../../../src/enforcers/network/model.ts";

const place = { file: "p.yaml", line: 1, column: 1 };

export function cidr(text: string): Cidr {
	const result = parseCidr(text);
	if (!result.ok) throw new Error(result.message);
	return result.cidr;
}

export interface RuleText {
	/** `10.0.0.0/8`, or `10.0.0.0/8 except 10.1.0.0/16 10.2.0.0/16`. */
	readonly peers?: readonly string[];
	/** `tcp`, `tcp/22`, `udp/1-65535`, `udp/53<1900`, `udp<1900-2000`, `1`, `1<8` for ICMP's type. */
	readonly ports?: readonly string[];
	/** `eth0`, `eth*`. */
	readonly interfaces?: readonly string[];
}

function ports(text: string): PortMatch {
	const [before = "", from] = text.split("<");
	const [name = "", range] = before.split("/");
	const protocol = /^\d+$/.test(name) ? Number(name) : (name as Transport);
	const span = (written: string | undefined) => {
		const [first, last] = written?.split("-") ?? [];
		return first === undefined ? null : { first: Number(first), last: Number(last ?? first) };
	};
	const source = span(from);
	return typeof protocol === "number"
		? { protocol, range: null, source: null, icmpType: source?.first ?? null, place }
		: { protocol, range: span(range), source, icmpType: null, place };
}

function interfaces(text: string): InterfaceMatch {
	return text.endsWith("*") ? { name: text.slice(0, -1), prefix: true } : { name: text, prefix: false };
}

export function rule(action: Action, text: RuleText = {}, index = 0): NetworkRule {
	return {
		index,
		place,
		action,
		severity: 5,
		tags: [],
		message: "",
		peers: (text.peers ?? []).map((peer) => {
			const [block = "", ...except] = peer.split(/ except | /);
			return { cidr: cidr(block), except: except.map(cidr), place };
		}),
		interfaces: (text.interfaces ?? []).map(interfaces),
		ports: (text.ports ?? []).map(ports),
	};
}

/** A policy with ingress rules, numbered in order. */
export function policy(name: string, ...ingress: readonly NetworkRule[]): NetworkPolicy {
	return {
		kind: "KubeArmorNetworkPolicy",
		name,
		place,
		nodeSelector: { matchLabels: { role: "test" }, place },
		action: "Block",
		ingress: ingress.map((item, index) => ({ ...item, index })),
		egress: [],
	};
}
