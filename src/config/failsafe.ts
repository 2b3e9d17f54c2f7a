/** The failsafe rules of the configuration: flows that no policy can refuse. */

import * as v from "valibot";
import { formatCidr } from "../base/cidr.ts";
import { parseIcmpType } from "../base/icmp-type.ts";
import type { Cidr, FailsafeRule, InterfaceMatch, PortRange, Protocol } from "../base/model.ts";
import { isIcmp, isTransport, parseProtocol, protocolNames } from "../base/protocol.ts";
import { lookupService } from "../base/services.ts";
import { parseBlock } from "../document/block.ts";
import { parseInterface } from "../document/iface.ts";

/** Rules are asked one after the other for each new flow, so there are few. */
const mostFailsafeRules = 32;

const protocolHint = `write ${protocolNames.slice(0, -1).join(", ")} or ${protocolNames.at(-1)}, or a number from 0 to 255`;
const portHint = 'write a port from 1 to 65535, a range such as "6000-6010", or a service such as ssh';

const protocol = v.pipe(
	v.union([v.string(), v.number()], protocolHint),
	v.transform((written) => parseProtocol(String(written))),
	v.check((parsed) => parsed !== null, protocolHint),
);

const icmpTypeHint = "write a number from 0 to 255, or a name such as echo-request";

const cidrHint = "write an address block such as 192.168.10.0/28 or 2001:db8::/64, without host bits";

const cidr = v.pipe(
	v.string(cidrHint),
	v.rawTransform(({ dataset, addIssue, NEVER }): Cidr => {
		const parsed = parseBlock(dataset.value, "leave cidr out to accept any address");
		if (parsed.ok && !parsed.hostBits) return parsed.cidr;
		addIssue({
			message: parsed.ok ? `write ${formatCidr(parsed.cidr)}, without host bits` : parsed.hint || cidrHint,
		});
		return NEVER;
	}),
);

const interfaceHint =
	"write an interface name of at most 15 bytes, such as eth0, or eth* for all that begin so";

const interfaceName = v.pipe(
	v.string(interfaceHint),
	v.rawTransform(({ dataset, addIssue, NEVER }): InterfaceMatch => {
		const parsed = parseInterface(dataset.value);
		if (parsed.ok && parsed.match !== "any") return parsed.match;
		addIssue({
			message: parsed.ok ? "leave interface out for every interface" : parsed.hint || interfaceHint,
		});
		return NEVER;
	}),
);

interface Written {
	readonly protocol?: Protocol | null | undefined;
	readonly port?: string | number | undefined;
	readonly icmpType?: string | number | undefined;
}

const transports = ["tcp", "udp", "sctp"] as const;

/** The ports that a rule names; null for none, "bad" for what is no port. */
function portRange({ protocol: transport, port }: Written): PortRange | null | "bad" {
	if (port === undefined) return null;
	const range = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(String(port));
	if (range !== null) {
		const first = Number(range[1]);
		const last = Number(range[2] ?? range[1]);
		return first <= last && last <= 65535 ? { first, last } : "bad";
	}
	const service = lookupService(String(port), transports.find((name) => name === transport) ?? "tcp");
	return service.ok ? { first: service.port, last: service.port } : "bad";
}

/** The type that a rule names; null for none, "bad" for what is no type of its protocol. */
function icmpTypeOf({ protocol: written = null, icmpType }: Written): number | null | "bad" {
	if (icmpType === undefined) return null;
	if (!isIcmp(written)) return "bad";
	const parsed = parseIcmpType(String(icmpType), written);
	return parsed.ok ? parsed.type : "bad";
}

const rule = v.pipe(
	v.object(
		{
			protocol: v.optional(protocol),
			cidr: v.optional(cidr),
			port: v.optional(v.union([v.string(), v.number()], portHint)),
			icmpType: v.optional(v.union([v.string(), v.number()], icmpTypeHint)),
			interface: v.optional(interfaceName),
		},
		"write a rule such as {protocol: TCP, port: 22, cidr: 192.168.10.0/28}",
	),
	v.forward(
		v.check((written) => portRange(written) !== "bad", portHint),
		["port"],
	),
	v.forward(
		v.check(
			(written) => written.port === undefined || isTransport(written.protocol ?? null),
			"a port needs a protocol that has ports beside it: TCP, UDP or SCTP",
		),
		["port"],
	),
	v.forward(
		v.check(
			(written) => written.icmpType === undefined || isIcmp(written.protocol ?? null),
			"icmpType needs protocol: ICMP or ICMPv6 beside it",
		),
		["icmpType"],
	),
	v.forward(
		v.check((written) => icmpTypeOf(written) !== "bad", icmpTypeHint),
		["icmpType"],
	),
	v.check(
		(written) => Object.values(written).some((value) => value !== undefined && value !== null),
		"a rule without a field would accept everything: name at least a protocol, cidr, port or interface",
	),
	v.transform((written): FailsafeRule => {
		const port = portRange(written);
		const icmpType = icmpTypeOf(written);
		return {
			protocol: written.protocol ?? null,
			icmpType: icmpType === "bad" ? null : icmpType,
			cidr: written.cidr ?? null,
			port: port === "bad" ? null : port,
			interface: written.interface ?? null,
		};
	}),
);

const listHint = "write a list of rules, such as [{protocol: TCP, port: 22, cidr: 192.168.10.0/28}]";
const rules = v.optional(
	v.pipe(
		v.array(rule, listHint),
		v.maxLength(mostFailsafeRules, `write at most ${mostFailsafeRules} failsafe rules`),
	),
	[],
);

export const failsafeSchema = v.object(
	{ ingress: rules, egress: rules },
	"write failsafe: with ingress and egress below it",
);
