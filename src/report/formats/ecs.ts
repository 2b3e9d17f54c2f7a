/** Alerts with the fields of the Elastic Common Schema. What it has none for stands below `portward`. Pure. */

import { type Alert, plainAction } from "../alert.ts";
import { type AlertPacket, packetOf } from "./network.ts";

/** The version whose fields are used. */
export const ecsVersion = "8.17.0";

export function ecsEvent(alert: Alert, version: string): Readonly<Record<string, unknown>> {
	const { UpdatedTime, HostName, NodeID, PolicyName, Message, ATags, ClusterName, Action, EventData } = alert;
	const packet = packetOf(alert);
	return {
		"@timestamp": UpdatedTime,
		ecs: { version: ecsVersion },
		message: Message || `${Action} ${alert.Resource}`,
		event: eventOf(alert),
		observer: {
			vendor: "Portward",
			product: "Portward",
			type: "firewall",
			version,
			...interfaceOf(packet),
		},
		host: { name: HostName, hostname: HostName, ...(NodeID === "" ? {} : { id: NodeID }) },
		orchestrator: { cluster: { name: ClusterName } },
		...(PolicyName === "" ? {} : { rule: ruleOf(alert) }),
		...(ATags.length === 0 ? {} : { tags: ATags }),
		...(packet === null ? {} : packetFields(packet)),
		...(EventData.VendorID === undefined ? {} : { device: deviceFields(EventData) }),
		portward: {
			type: alert.Type,
			operation: alert.Operation,
			resource: alert.Resource,
			action: Action,
			result: alert.Result,
			enforcer: alert.Enforcer,
			data: EventData,
		},
	};
}

function eventOf({ Action, Operation, Severity, Type, Result }: Alert): Readonly<Record<string, unknown>> {
	const allowed = Result === "Passed" ? "allowed" : "denied";
	const device = Result === "Removed" ? "end" : "access";
	const network = Operation === "NetworkFirewall";
	return {
		kind: "alert",
		category: [network ? "network" : Operation === "Device" ? "host" : "configuration"],
		type: network ? ["connection", allowed] : [Operation === "System" ? "info" : device],
		action: plainAction(Action).toLowerCase(),
		// Whether what was asked for came about, which an event about Portward itself does not say.
		outcome: Operation === "System" ? "unknown" : Result === "Permission denied" ? "failure" : "success",
		severity: Number(Severity),
		provider: "portward",
		module: "portward",
		dataset: `portward.${Operation === "NetworkFirewall" ? "network" : Operation.toLowerCase()}`,
		code: Type,
	};
}

function ruleOf({ PolicyName, EventData }: Alert): Readonly<Record<string, unknown>> {
	const { RuleIndex } = EventData;
	return {
		name: PolicyName,
		ruleset: PolicyName,
		...(RuleIndex === undefined ? {} : { id: RuleIndex }),
	};
}

function interfaceOf(packet: AlertPacket | null): Readonly<Record<string, unknown>> {
	if (packet === null || packet.interface === "") return {};
	const side = { interface: { name: packet.interface } };
	return packet.inbound ? { ingress: side } : { egress: side };
}

function packetFields(packet: AlertPacket): Readonly<Record<string, unknown>> {
	const { source, destination, protocol, number, family, inbound } = packet;
	const end = ({ ip, port }: AlertPacket["source"]) => ({
		address: ip,
		ip,
		...(port === null ? {} : { port }),
	});
	return {
		source: end(source),
		destination: end(destination),
		network: {
			transport: protocol,
			type: `ipv${family}`,
			direction: inbound ? "ingress" : "egress",
			...(number === null ? {} : { iana_number: String(number) }),
		},
		related: { ip: [...new Set([source.ip, destination.ip])] },
	};
}

function deviceFields(data: Alert["EventData"]): Readonly<Record<string, unknown>> {
	const { VendorID, ProductID, Serial, Product, Manufacturer } = data;
	const id = VendorID === undefined || ProductID === undefined ? {} : { id: `${VendorID}:${ProductID}` };
	const model = {
		...(ProductID === undefined ? {} : { identifier: ProductID }),
		...(Product === undefined ? {} : { name: Product }),
	};
	return {
		...id,
		...(Manufacturer === undefined ? {} : { manufacturer: Manufacturer }),
		...(Object.keys(model).length === 0 ? {} : { model }),
		...(Serial === undefined ? {} : { serial_number: Serial }),
	};
}
