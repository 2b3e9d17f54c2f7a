/**
 * Alerts as events of the Open Cybersecurity Schema Framework: packets as Network Activity, USB devices as Peripheral
 * Activity, and what is about Portward itself as Detection Findings. Pure.
 */

import { type Alert, plainAction } from "../alert.ts";
import { type AlertPacket, packetOf } from "./network.ts";

/** The version whose classes are used. */
export const ocsfVersion = "1.7.0";

/** Class and category, and what happened in it. */
interface Class {
	readonly category: readonly [number, string];
	readonly uid: number;
	readonly name: string;
	readonly activity: readonly [number, string];
}

/** A number of the schema, and its name. */
type Numbered = readonly [number, string];

type Fields = Readonly<Record<string, unknown>>;

export function ocsfEvent(alert: Alert, version: string): Fields {
	const { Operation } = alert;
	const packet = packetOf(alert);
	if (packet !== null) return { ...common(alert, version, networkClass(alert)), ...networkFields(packet) };
	if (Operation === "Device")
		return { ...common(alert, version, peripheralClass(alert)), ...deviceFields(alert) };
	const finding: Class = {
		category: [2, "Findings"],
		uid: 2004,
		name: "Detection Finding",
		activity: [1, "Create"],
	};
	return { ...common(alert, version, finding), ...findingFields(alert) };
}

function networkClass({ Result }: Alert): Class {
	const activity = Result === "Passed" ? ([1, "Open"] as const) : ([5, "Refuse"] as const);
	return { category: [4, "Network Activity"], uid: 4001, name: "Network Activity", activity };
}

function peripheralClass({ Result }: Alert): Class {
	const activities = {
		Passed: [3, "Enable"],
		"Permission denied": [4, "Disable"],
		Removed: [2, "Disconnect"],
	} as const;
	return {
		category: [1, "System Activity"],
		uid: 1010,
		name: "Peripheral Activity",
		activity: activities[Result],
	};
}

function common(alert: Alert, version: string, { category, uid, name, activity }: Class): Fields {
	const { UpdatedTime, HostName, NodeID, Message, Action, ATags, ClusterName, PolicyName } = alert;
	const time = Date.parse(UpdatedTime);
	const [outcome, disposition] = outcomeOf(alert);
	const [severity, severityName] = severityOf(alert);
	return {
		category_uid: category[0],
		category_name: category[1],
		class_uid: uid,
		class_name: name,
		activity_id: activity[0],
		activity_name: activity[1],
		type_uid: uid * 100 + activity[0],
		type_name: `${name}: ${activity[1]}`,
		severity_id: severity,
		severity: severityName,
		time,
		message: Message || `${Action} ${alert.Resource}`,
		is_alert: true,
		// Of the profile security_control.
		action_id: outcome[0],
		action: outcome[1],
		disposition_id: disposition[0],
		disposition: disposition[1],
		metadata: {
			version: ocsfVersion,
			profiles: ["host", "security_control"],
			product: { name: "Portward", vendor_name: "Portward", version },
			log_name: "portward",
			...(ATags.length === 0 ? {} : { labels: ATags }),
		},
		device: {
			hostname: HostName,
			name: HostName,
			type_id: 0,
			type: "Unknown",
			...(NodeID === "" ? {} : { uid: NodeID }),
		},
		...(PolicyName === "" ? {} : ruleFields(alert)),
		unmapped: {
			cluster: ClusterName,
			policy_action: plainAction(Action),
			action: Action,
			type: alert.Type,
			resource: alert.Resource,
			data: alert.EventData,
		},
	};
}

/** What was done, and with which effect. */
function outcomeOf({ Operation, Result }: Alert): readonly [Numbered, Numbered] {
	if (Result === "Permission denied")
		return [
			[2, "Denied"],
			[2, "Blocked"],
		];
	if (Operation === "System" || Result === "Removed")
		return [
			[3, "Observed"],
			[17, "Logged"],
		];
	return [
		[1, "Allowed"],
		[1, "Allowed"],
	];
}

/** Informational, low, medium, high, critical. */
function severityOf({ Severity }: Alert): readonly [number, string] {
	const severity = Number(Severity);
	if (severity >= 10) return [5, "Critical"];
	if (severity >= 8) return [4, "High"];
	if (severity >= 5) return [3, "Medium"];
	return severity >= 3 ? [2, "Low"] : [1, "Informational"];
}

function ruleFields({ PolicyName, EventData }: Alert): Fields {
	const { RuleIndex } = EventData;
	return {
		firewall_rule: {
			name: PolicyName,
			uid: RuleIndex === undefined ? PolicyName : `${PolicyName}/${RuleIndex}`,
		},
		policy: { name: PolicyName },
	};
}

function networkFields(packet: AlertPacket): Fields {
	const { source, destination, protocol, number, family, inbound } = packet;
	const name = packet.interface === "" ? {} : { interface_name: packet.interface };
	const end = ({ ip, port }: AlertPacket["source"], own: boolean) => ({
		ip,
		...(port === null ? {} : { port }),
		...(own ? name : {}),
	});
	return {
		src_endpoint: end(source, !inbound),
		dst_endpoint: end(destination, inbound),
		connection_info: {
			direction_id: inbound ? 1 : 2,
			direction: inbound ? "Inbound" : "Outbound",
			protocol_name: protocol,
			...(number === null ? {} : { protocol_num: number }),
			protocol_ver_id: family,
			protocol_ver:
				family === 4 ? "Internet Protocol version 4 (IPv4)" : "Internet Protocol version 6 (IPv6)",
		},
	};
}

function deviceFields({ EventData, Resource }: Alert): Fields {
	const { VendorID, ProductID, Serial, Product, Manufacturer } = EventData;
	const known = VendorID === undefined || ProductID === undefined ? {} : { uid: `${VendorID}:${ProductID}` };
	return {
		// Nobody but the daemon acts on what is plugged in.
		actor: { app_name: "Portward" },
		peripheral_device: {
			name: Product ?? Resource,
			class: Resource,
			...known,
			...(ProductID === undefined ? {} : { model: ProductID }),
			...(Serial === undefined ? {} : { serial_number: Serial }),
			...(VendorID === undefined ? {} : { vendor_id_list: [VendorID] }),
			...(Manufacturer === undefined ? {} : { vendor_name: Manufacturer }),
		},
	};
}

function findingFields({ UpdatedTime, Tags, Message, Resource, NodeID }: Alert): Fields {
	return {
		finding_info: {
			title: Tags === "" ? Resource : `${Tags}: ${Resource}`,
			desc: Message,
			uid: `${NodeID || "portward"}/${UpdatedTime}/${Tags}`,
			created_time: Date.parse(UpdatedTime),
		},
		resources: [{ name: Resource }],
	};
}
