/** The packet that `portward explain` is asked about. */

import { parseAddress } from "../../base/cidr.ts";
import { echoRequest, parseIcmpType } from "../../base/icmp-type.ts";
import type { Protocol, Transport } from "../../base/model.ts";
import {
	icmpv6,
	isIcmp,
	isTransport,
	parseProtocol,
	protocolFits,
	protocolLabel,
	protocolText,
} from "../../base/protocol.ts";
import { lookupService } from "../../base/services.ts";
import { printable, quote } from "../../base/suggest.ts";
import { parseInterface } from "../../document/iface.ts";
import type { Packet } from "../../enforcers/network/compile/program.ts";
import { UsageError } from "../command.ts";

/** The options that say more about the packet; absent where they were not written. */
export interface PacketOptions {
	readonly iface?: string | undefined;
	readonly "icmp-type"?: string | undefined;
	readonly "source-port"?: string | undefined;
}

const allOfThem = "write the direction, protocol, address and port, such as: ingress tcp 192.0.2.7 22";

/** @throws UsageError for what is no packet, with what to write. */
export function parsePacket(positionals: readonly string[], options: PacketOptions): Packet {
	const [direction, protocolWord, address, port, ...rest] = positionals;
	if (protocolWord === undefined || address === undefined || rest.length > 0) throw new UsageError(allOfThem);
	const way = direction?.toLowerCase();
	if (way !== "ingress" && way !== "egress")
		throw new UsageError(`${quote(direction ?? "")} is no direction; write ingress or egress`);
	const protocol = parseProtocol(protocolWord);
	if (protocol === null) {
		const known = "write tcp, udp or sctp, one without ports such as icmp or gre, or a number from 0 to 255";
		throw new UsageError(`${quote(protocolWord)} is no protocol; ${known}`);
	}
	const remote = parseAddress(address);
	if ("message" in remote)
		throw new UsageError(
			`${quote(address)} is no address; write one such as 192.0.2.7 or 2001:db8::7, without a prefix length`,
		);
	checkFamily(protocol, remote.family);
	return {
		direction: way,
		family: remote.family,
		address: remote.value,
		interface: parseInterfaceName(options.iface ?? ""),
		protocol,
		...(isTransport(protocol)
			? portsOf(protocol, port, options)
			: { port: 0, source: typeOf(protocol, port, options) }),
	};
}

function checkFamily(protocol: Protocol, family: 4 | 6): void {
	if (protocolFits(protocol, family)) return;
	const name = protocolLabel(protocol);
	if (isIcmp(protocol)) {
		const [own, other] = protocol === icmpv6 ? ["IPv6", "icmp"] : ["IPv4", "icmpv6"];
		throw new UsageError(`${name} belongs to ${own}; write ${other} for an address of IPv${family}`);
	}
	throw new UsageError(
		`${name} is an extension header in IPv6: rules are asked about the protocol that follows it, so name that one`,
	);
}

function portsOf(
	protocol: Transport,
	port: string | undefined,
	options: PacketOptions,
): Pick<Packet, "port" | "source"> {
	const name = protocolLabel(protocol);
	if (options["icmp-type"] !== undefined)
		throw new UsageError(`--icmp-type belongs to icmp and icmpv6; leave it out for ${name}`);
	if (port === undefined) throw new UsageError(allOfThem);
	const source = options["source-port"];
	return {
		port: parsePort(port, protocol),
		source: source === undefined ? null : parsePort(source, protocol),
	};
}

/** The type of ICMP; null for protocols that have none. */
function typeOf(
	protocol: Exclude<Protocol, Transport>,
	port: string | undefined,
	options: PacketOptions,
): number | null {
	const name = protocolLabel(protocol);
	if (port !== undefined) {
		const hint = isIcmp(protocol) ? `; for one type of it write --icmp-type ${port}` : "";
		throw new UsageError(printable(`${name} has no ports; leave ${quote(port)} out${hint}`));
	}
	if (options["source-port"] !== undefined)
		throw new UsageError(`${name} has no ports; leave --source-port out`);
	const type = options["icmp-type"];
	if (!isIcmp(protocol)) {
		if (type === undefined) return null;
		throw new UsageError(
			`--icmp-type belongs to icmp and icmpv6; leave it out for ${protocolText(protocol)}`,
		);
	}
	if (type === undefined) return echoRequest(protocol);
	const parsed = parseIcmpType(type, protocol);
	if (!parsed.ok) throw new UsageError(printable(`--icmp-type ${parsed.message}; ${parsed.hint}`));
	return parsed.type;
}

/** A number from 0 to 65535, or a service name in any case. */
function parsePort(text: string, transport: Transport): number {
	if (/^\d+$/.test(text)) {
		if (text.length <= 5 && Number(text) <= 65535) return Number(text);
		throw new UsageError(`${quote(text)} is no port; write a number from 0 to 65535, or a name such as ssh`);
	}
	const service = lookupService(text, transport);
	if (service.ok) return service.port;
	throw new UsageError(printable(`${service.message}; ${service.hint}`));
}

/** "" stands for an interface that no policy names. */
export function parseInterfaceName(text: string): string {
	if (text === "") return text;
	const parsed = parseInterface(text);
	if (!parsed.ok) throw new UsageError(`--iface ${quote(text)}: ${parsed.message}; ${parsed.hint}`);
	if (parsed.match === "any" || parsed.match.prefix)
		throw new UsageError(`--iface ${quote(text)} is a pattern; write one interface's name, such as eth0`);
	return parsed.match.name;
}
