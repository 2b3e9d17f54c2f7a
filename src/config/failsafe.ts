/** The failsafe rules of the configuration: flows that no policy can refuse. */

import * as v from "valibot";
import { parseBlock } from "../policy/block.ts";
import { formatCidr } from "../policy/cidr.ts";
import { parseInterface } from "../policy/iface.ts";
import type { Cidr, FailsafeRule, InterfaceMatch, PortRange, Transport } from "../policy/model.ts";
import { lookupService } from "../policy/services.ts";

/** Rules are asked one after the other for each new flow, so there are few. */
export const mostFailsafeRules = 32;

const protocolHint = "write TCP, UDP or SCTP";
const portHint = 'write a port from 1 to 65535, a range such as "6000-6010", or a service such as ssh';

const transports: Readonly<Record<string, Transport>> = { tcp: "tcp", udp: "udp", sctp: "sctp" };

const protocol = v.pipe(
	v.string(protocolHint),
	v.transform((text) => transports[text.toLowerCase()]),
	v.picklist(["tcp", "udp", "sctp"], protocolHint),
);

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
	readonly protocol?: Transport | undefined;
	readonly port?: string | number | undefined;
}

/** The ports that a rule names; null for none, "bad" for what is no port. */
function portRange({ protocol: transport, port }: Written): PortRange | null | "bad" {
	if (port === undefined) return null;
	const range = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(String(port));
	if (range !== null) {
		const first = Number(range[1]);
		const last = Number(range[2] ?? range[1]);
		return first <= last && last <= 65535 ? { first, last } : "bad";
	}
	const service = lookupService(String(port), transport ?? "tcp");
	return service.ok ? { first: service.port, last: service.port } : "bad";
}

const rule = v.pipe(
	v.object(
		{
			protocol: v.optional(protocol),
			cidr: v.optional(cidr),
			port: v.optional(v.union([v.string(), v.number()], portHint)),
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
			(written) => written.port === undefined || written.protocol !== undefined,
			"a port needs a protocol beside it: TCP, UDP or SCTP",
		),
		["port"],
	),
	v.check(
		(written) => Object.values(written).some((value) => value !== undefined && value !== null),
		"a rule without a field would accept everything: name at least a protocol, cidr, port or interface",
	),
	v.transform((written): FailsafeRule => {
		const port = portRange(written);
		return {
			protocol: written.protocol ?? null,
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
