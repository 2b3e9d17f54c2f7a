/** Short ways to write a policy and what it must do to packets. */

import type { Probe } from "./probe.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A policy for every host. JSON is YAML. */
export function policy(name: string, spec: Fields): string {
	return JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name },
		spec: { nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } }, ...spec },
	});
}

/** Several documents in one file. */
export function documents(...texts: readonly string[]): string {
	return texts.join("\n---\n");
}

/** One `from`/`to` entry. */
export function block(cidr: string, ...except: readonly string[]): Fields {
	return { ipBlock: { cidr, ...(except.length > 0 ? { except } : {}) } };
}

/** One `ports` entry; the protocol is left out for "". */
export function port(protocol: string, value?: string | number, endPort?: number): Fields {
	return {
		...(protocol === "" ? {} : { protocol }),
		...(value === undefined ? {} : { port: value }),
		...(endPort === undefined ? {} : { endPort }),
	};
}

/**
 * A probe from a line such as `ingress tcp 10.1.0.10 80` or
 * `egress udp 2001:db8::1 53 eth1`: direction, protocol, remote address,
 * destination port, interface.
 */
export function probe(line: string): Probe {
	const [direction, protocol, remote, destination, name] = line.split(" ");
	if ((direction !== "ingress" && direction !== "egress") || remote === undefined)
		throw new Error(`bad probe: ${line}`);
	if (
		protocol !== "tcp" &&
		protocol !== "udp" &&
		protocol !== "sctp" &&
		protocol !== "icmp" &&
		protocol !== "icmpv6"
	) {
		throw new Error(`bad protocol: ${line}`);
	}
	return {
		direction,
		protocol,
		remote,
		port: Number(destination ?? 0),
		...(name === undefined ? {} : { interface: name }),
	};
}

/** Everything that a case says about packets, and the probes that ask. */
export interface Expectation {
	readonly pass?: readonly string[];
	readonly drop?: readonly string[];
}

/** The expectation's probes in one list, and what each must do. */
export function expand(expectation: Expectation): { lines: string[]; probes: Probe[]; passes: boolean[] } {
	const pass = expectation.pass ?? [];
	const drop = expectation.drop ?? [];
	const all = [...pass, ...drop];
	return { lines: all, probes: all.map(probe), passes: all.map((_, index) => index < pass.length) };
}

/** Every combination of the words in each place: `cross("ingress|egress tcp 10.0.0.1|::1 80")`. */
export function cross(...patterns: readonly string[]): string[] {
	return patterns.flatMap((pattern) =>
		pattern
			.split(" ")
			.reduce<string[]>(
				(made, place) =>
					made.flatMap((start) => place.split("|").map((word) => (start === "" ? word : `${start} ${word}`))),
				[""],
			),
	);
}
