/** Flows that were seen: short ways to write them, and random ones near each other. */

import fc from "fast-check";
import { parseSeenCidr } from "../../../../../src/base/cidr.ts";
import type { Cidr, Family } from "../../../../../src/base/model.ts";
import { isTransport, protocolFits } from "../../../../../src/base/protocol.ts";
import type { SeenFlow } from "../../../../../src/enforcers/network/history/seen-flow.ts";

/** A block as packets bear it. */
function seenCidr(text: string): Cidr {
	const parsed = parseSeenCidr(text);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.cidr;
}

const day = 86_400_000;
/** An instant, some days after which the flows of tests were seen. */
export const beginning = Date.UTC(2026, 10, 20);

/** `ingress tcp 22 from 10.0.0.1`: a flow on eth0 that was seen ten times and that nothing decided. */
export function flow(text: string, more: Partial<SeenFlow> = {}): SeenFlow {
	const words = text.split(" ");
	const [direction = "", name = ""] = words;
	const port = words.length === 5 ? Number(words[2]) : null;
	const protocol = /^\d+$/u.test(name) ? Number(name) : (name as SeenFlow["protocol"]);
	const way = direction === "ingress" ? "ingress" : "egress";
	return {
		direction: way,
		hook: way === "ingress" ? "input" : "output",
		protocol,
		remote: seenCidr(words.at(-1) ?? ""),
		port,
		interface: "eth0",
		guest: null,
		action: "Allow",
		policy: null,
		count: 10,
		bytes: null,
		firstSeen: beginning,
		lastSeen: beginning + day,
		isNew: false,
		...more,
	};
}

/** What was forwarded for a guest. */
export function guestFlow(text: string, guest = 0xac11_0002n, more: Partial<SeenFlow> = {}): SeenFlow {
	return flow(text, { hook: "forward", guest: { family: 4, value: guest }, ...more });
}

const bits = { 4: 32, 6: 128 } as const;
const roots = { 4: 0x0a00_0000n, 6: 0x2001_0db8n << 96n } as const;

/** A few dozen addresses in a few networks, and blocks of them. */
const neighbours = fc
	.record({
		family: fc.constantFrom<Family>(4, 4, 6),
		network: fc.nat(3),
		host: fc.nat(7),
		prefix: fc.constantFrom(0, 0, 0, 0, 0, 0, 8, 9),
	})
	.map(({ family, network, host, prefix }) => {
		const shift = family === 4 ? 8n : 64n;
		const address = roots[family] | (BigInt(network) << shift) | BigInt(host);
		const length = prefix === 0 ? bits[family] : bits[family] - (prefix === 8 ? Number(shift) : 2);
		const low = BigInt(bits[family] - length);
		return { family, base: (address >> low) << low, prefix: length };
	});

/** What a host sends that has no address yet, and who asks it for groups. */
const nobody = fc.constantFrom<Family>(4, 6).map((family) => ({ family, base: 0n, prefix: bits[family] }));

const remotes = fc.oneof({ weight: 15, arbitrary: neighbours }, { weight: 1, arbitrary: nobody });

export const hostileNames = fc.oneof(
	{ weight: 6, arbitrary: fc.constantFrom("eth0", "eth0", "eth1", "wlan0") },
	{
		weight: 1,
		arbitrary: fc.constantFrom(
			"lo",
			"any",
			"eth0+",
			"a:b",
			"-",
			"*",
			'"',
			"#x",
			"é",
			"y",
			"null",
			"1e3",
			"~",
		),
	},
	{ weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 15, unit: "binary" }) },
);

export const hostilePolicies = fc.oneof(
	{ weight: 4, arbitrary: fc.constantFrom(null, null, "web", "DefaultPosture") },
	{ weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 40, unit: "binary" }) },
	{ weight: 1, arbitrary: fc.constantFrom("a\nb: c", "# x", "| y", "\u001b[31m", "{", "- a", "*/") },
);

const content = fc.constantFrom<Pick<SeenFlow, "protocol" | "port">>(
	{ protocol: "tcp", port: 22 },
	{ protocol: "tcp", port: 443 },
	{ protocol: "tcp", port: 443 },
	{ protocol: "udp", port: 53 },
	{ protocol: "udp", port: 67 },
	{ protocol: "sctp", port: 36_412 },
	{ protocol: 1, port: null },
	{ protocol: 58, port: null },
	{ protocol: 47, port: null },
	{ protocol: 253, port: null },
);

/** As a kernel could have seen them. */
export const seenFlows: fc.Arbitrary<SeenFlow> = fc
	.record({
		remote: remotes,
		content,
		direction: fc.constantFrom("ingress" as const, "ingress" as const, "egress" as const),
		guest: fc.constantFrom(null, null, null, 2n, 3n),
		interface: hostileNames,
		action: fc.constantFrom(
			"Allow" as const,
			"Allow" as const,
			"Allow" as const,
			"Audit" as const,
			"Block" as const,
		),
		policy: hostilePolicies,
		count: fc.constantFrom(1, 1, 2, 3, 40, 1000),
		first: fc.nat(9),
		days: fc.nat(3),
	})
	.map(({ remote, content: held, direction, guest, first, days, ...rest }): SeenFlow => {
		const fits = protocolFits(held.protocol, remote.family);
		const firstSeen = beginning + first * day;
		return {
			...rest,
			...(fits ? held : { protocol: "tcp" as const, port: 8080 }),
			direction,
			remote,
			hook: guest !== null ? "forward" : direction === "ingress" ? "input" : "output",
			guest: guest === null ? null : { family: remote.family, value: roots[remote.family] + 0xff00n + guest },
			bytes: null,
			firstSeen,
			lastSeen: firstSeen + days * day,
			isNew: false,
		};
	});

/** Somebody who asks one host for many ports. */
export const scans: fc.Arbitrary<SeenFlow[]> = fc
	.record({ host: fc.nat(7), ports: fc.integer({ min: 10, max: 40 }), count: fc.constantFrom(1, 2, 50) })
	.map(({ host, ports, count }) =>
		Array.from({ length: ports }, (_, i) =>
			flow(`ingress tcp ${i === 0 ? 443 : 1000 + i} from 10.0.1.${host}`, { count }),
		),
	);

export const hasPort = ({ protocol }: SeenFlow): boolean => isTransport(protocol);
