/** The same rules for every contender: as policies, and as an ordinary list of nftables rules. */

/** One allowed source and port. */
export interface Rule {
	readonly block: string;
	/** One in the block. */
	readonly address: string;
	readonly protocol: "tcp" | "udp";
	readonly port: number;
}

/** `count` rules with blocks and ports of their own. */
export function makeRules(count: number, protocol: Rule["protocol"]): Rule[] {
	return Array.from({ length: count }, (_, index) => ({
		block: `10.${index >> 8}.${index & 255}.0/24`,
		address: `10.${index >> 8}.${index & 255}.${1 + (index % 250)}`,
		protocol,
		port: 1000 + ((index * 7) % 997),
	}));
}

/** One policy that allows exactly these; with `posture: block` the rest is dropped. */
export function asPolicy(name: string, rules: readonly Rule[]): string {
	return JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name },
		spec: {
			nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } },
			action: "Allow",
			ingress: rules.map((rule) => ({
				from: [{ ipBlock: { cidr: rule.block } }],
				ports: [{ protocol: rule.protocol.toUpperCase(), port: rule.port }],
			})),
		},
	});
}

/** What somebody who knows nftables well writes by hand: one concatenated interval map, asked once. */
export function asHandWrittenMap(rules: readonly Rule[]): string {
	const protocols = { tcp: 6, udp: 17 } as const;
	const elements = rules.map(
		({ block, protocol, port }) => `${block} . ${protocols[protocol]} . ${port} : accept`,
	);
	return `table inet byhand {
	map allowed {
		type ipv4_addr . inet_proto . inet_service : verdict
		flags interval
		elements = { ${elements.join(", ")} }
	}
	chain in {
		type filter hook input priority 10; policy drop;
		iif lo accept
		ct state established,related accept
		meta l4proto ipv6-icmp accept
		ip saddr . meta l4proto . th dport vmap @allowed
	}
}
`;
}

/** What a firewall that goes through its rules one by one would load. */
export function asLinearRuleset(rules: readonly Rule[]): string {
	const lines = rules.map((rule) => `ip saddr ${rule.block} ${rule.protocol} dport ${rule.port} accept`);
	return `table inet linear {
	chain in {
		type filter hook input priority 10; policy drop;
		iif lo accept
		ct state established,related accept
		meta l4proto ipv6-icmp accept
		${lines.join("\n\t\t")}
	}
}
`;
}
