/** The packet that an alert is about, from the alert's JSON. */

import * as v from "valibot";
import { quote } from "../../base/suggest.ts";
import type { Packet } from "../../enforcers/network/compile/program.ts";
import { UsageError } from "../command.ts";
import { parsePacket } from "./explain-packet.ts";

/** What an alert says, as far as it matters here; KubeArmor's own names. */
const alertShape = v.looseObject({
	UpdatedTime: v.optional(v.string(), ""),
	PolicyName: v.string(),
	Action: v.string(),
	Operation: v.string(),
	Resource: v.string(),
	EventData: v.record(v.string(), v.string()),
});

export interface AlertedPacket {
	readonly packet: Packet;
	/** To or from a guest. */
	readonly forwarded: boolean;
	/** What blocks it in the alert is staged: the packet passed. */
	readonly staged: boolean;
	/** What was said when it came; the policies may say other by now. */
	readonly alert: {
		readonly time: string;
		readonly action: string;
		readonly policy: string;
		readonly rule: number | null;
		/** The limit of the rule that it was beyond. */
		readonly limit?: string;
	};
}

const aboutItself =
	'the alert is about Portward itself, and about no connection; give a line of portward alerts --json that has "Operation":"NetworkFirewall"';

/** A text says why the line tells of no connection. */
export function alertedPacket(line: string): AlertedPacket | string {
	let value: unknown;
	try {
		value = JSON.parse(line);
	} catch {
		return `${quote(line)} is not JSON; give an alert's whole line, as portward alerts --json prints it`;
	}
	const parsed = v.safeParse(alertShape, value);
	if (!parsed.success)
		return "this is not an alert: PolicyName, Action, Operation, Resource or EventData is missing";
	const { UpdatedTime, PolicyName, Action, Operation, Resource, EventData } = parsed.output;
	if (Operation === "Device") {
		const port = EventData.Port ?? "PORT";
		return `the alert is about a USB device; ask portward usb explain ${port}`;
	}
	if (Operation !== "NetworkFirewall") return aboutItself;
	const remote = Resource === "INGRESS" ? EventData.SourceIP : EventData.DestinationIP;
	const protocol = EventData.Protocol?.replace(/^Proto-/u, "");
	if (remote === undefined || protocol === undefined)
		return "the alert tells no address or no protocol, as the packet was cut off";
	try {
		const packet = parsePacket([Resource, protocol, remote, ...optional(EventData.DestinationPort)], {
			iface: EventData.Interface,
			"source-port": EventData.SourcePort,
		});
		const index = Number(EventData.RuleIndex ?? Number.NaN);
		const rule = Number.isInteger(index) ? index : null;
		const forwarded = EventData.Hook === "forward";
		const staged = EventData.Staged !== undefined;
		const limit = EventData.Limit === undefined ? {} : { limit: EventData.Limit };
		const alert = { time: UpdatedTime, action: Action, policy: PolicyName, rule, ...limit };
		return { packet, forwarded, staged, alert };
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		return `the alert tells of no packet: ${error.message}`;
	}
}

function optional(text: string | undefined): string[] {
	return text === undefined ? [] : [text];
}
