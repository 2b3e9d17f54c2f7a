/** An alert as the text that a sink's settings ask for. Pure. */

import { escapeJson } from "../../base/terminal.ts";
import type { SinkFormat } from "../../config/sinks.ts";
import type { Alert } from "../alert.ts";
import { cefLine } from "./cef.ts";
import { ecsEvent } from "./ecs.ts";
import { ocsfEvent } from "./ocsf.ts";

/** One line. @param json the alert as one line of JSON, which is KubeArmor's format */
export function formatAlert(format: SinkFormat, alert: Alert, json: string, version: string): string {
	switch (format) {
		case "ecs":
			return line(ecsEvent(alert, version));
		case "ocsf":
			return line(ocsfEvent(alert, version));
		case "cef":
			return cefLine(alert, version);
		default:
			return json;
	}
}

/** What is on its way to a log will be read on a terminal some day. */
function line(event: Readonly<Record<string, unknown>>): string {
	return escapeJson(JSON.stringify(event));
}

/** The alert that a line of JSON holds, or null for a line that holds none. */
export function readAlert(json: string): Alert | null {
	let value: unknown;
	try {
		value = JSON.parse(json);
	} catch {
		return null;
	}
	return isAlert(value) ? value : null;
}

const texts = [
	"UpdatedTime",
	"ClusterName",
	"HostName",
	"NodeID",
	"PolicyName",
	"Severity",
	"Tags",
	"Message",
	"Type",
	"Operation",
	"Resource",
	"Data",
	"Enforcer",
	"Action",
	"Result",
];

function isAlert(value: unknown): value is Alert {
	if (typeof value !== "object" || value === null) return false;
	const fields = new Map<string, unknown>(Object.entries(value));
	const data = fields.get("EventData");
	return (
		texts.every((name) => typeof fields.get(name) === "string") &&
		typeof fields.get("Timestamp") === "number" &&
		Array.isArray(fields.get("ATags")) &&
		typeof data === "object" &&
		data !== null &&
		Object.values(data).every((each) => typeof each === "string")
	);
}
