/** Alerts in the journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), with a field for everything. Pure. */

import { escapeForTerminal } from "../../base/terminal.ts";
import { type Alert, readableData } from "../alert.ts";
import { syslogSeverity } from "./syslog.ts";

/** What a person reads in `journalctl`: what happened to what, and by which policy. */
export function sentenceOf(alert: Alert): string {
	const { Action, Operation, Resource, PolicyName, Message, Data } = alert;
	if (Operation === "System") return `${Action}: ${Message}`;
	const by = PolicyName === "" ? "" : ` by ${PolicyName}`;
	const said = Message === "" ? "" : ` (${Message})`;
	return `${Action}${by}: ${Resource} ${readableData(Data)}${said}`;
}

/** `SourceIP` as `SOURCE_IP`, `NodeID` as `NODE_ID`. */
function fieldName(key: string): string {
	return key
		.replace(/([a-z0-9])([A-Z])/g, "$1_$2")
		.toUpperCase()
		.replace(/[^A-Z0-9_]/g, "_")
		.slice(0, 50);
}

/** The fields of an alert, `PORTWARD_POLICY` and on. @param text the alert in the sink's format */
function fieldsOf(alert: Alert, text: string): (readonly [string, string])[] {
	const { PolicyName, Action, Severity, Type, Operation, Resource, Result, Tags, Message, EventData } = alert;
	return [
		["MESSAGE", escapeForTerminal(sentenceOf(alert))],
		["PRIORITY", String(syslogSeverity(alert))],
		["SYSLOG_IDENTIFIER", "portward"],
		["PORTWARD_POLICY", PolicyName],
		["PORTWARD_ACTION", Action],
		["PORTWARD_SEVERITY", Severity],
		["PORTWARD_TYPE", Type],
		["PORTWARD_OPERATION", Operation],
		["PORTWARD_RESOURCE", Resource],
		["PORTWARD_RESULT", Result],
		["PORTWARD_TAGS", Tags],
		["PORTWARD_POLICY_MESSAGE", Message],
		...Object.entries(EventData).map(([key, value]) => [`PORTWARD_DATA_${fieldName(key)}`, value] as const),
		["PORTWARD_ALERT", text],
	];
}

/** One datagram. @param longest characters of a value, beyond which it is cut */
export function journalEntry(alert: Alert, text: string, longest = Number.POSITIVE_INFINITY): Buffer {
	const parts = fieldsOf(alert, text).flatMap(([name, value]) => {
		const whole = value.length > longest ? value.slice(0, longest) : value;
		if (whole === "") return [];
		if (!whole.includes("\n")) return [Buffer.from(`${name}=${whole}\n`)];
		// A value with a line break goes by its length.
		const bytes = Buffer.from(whole);
		const length = Buffer.alloc(8);
		length.writeBigUInt64LE(BigInt(bytes.length));
		return [Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")];
	});
	return Buffer.concat(parts);
}
