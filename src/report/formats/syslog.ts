/** Alerts as messages of syslog: RFC 5424, and the local form that syslog(3) writes to /dev/log. Pure. */

import type { Alert } from "../alert.ts";

/** RFC 5424, table 1: system daemons. */
const facility = 3;

/** IANA's number for examples and documents, as Portward has none of its own (RFC 5612). */
const structuredId = "portward@32473";

const appName = "portward";

/** RFC 5424, table 2, for severities of 1 to 10: informational, notice, warning, error, critical. */
export function syslogSeverity({ Severity }: Pick<Alert, "Severity">): number {
	const severity = Number(Severity);
	if (severity >= 10) return 2;
	if (severity >= 8) return 3;
	if (severity >= 5) return 4;
	return severity >= 3 ? 5 : 6;
}

const priority = (alert: Alert) => facility * 8 + syslogSeverity(alert);

/** A field of the header: printable ASCII without spaces, or `-`. */
function word(text: string, longest: number): string {
	return text.replace(/[^\x21-\x7e]/gu, "_").slice(0, longest) || "-";
}

/** A parameter's value (RFC 5424, 6.3.3): a line break would end the message for receivers that read lines. */
function parameter(name: string, value: string): string {
	const escaped = value
		.replace(/["\\\]]/g, (character) => `\\${character}`)
		.replace(/[\p{Cc}\u2028\u2029]/gu, " ");
	return ` ${name}="${escaped}"`;
}

/** One message with its header and structured data, without framing. `text` has no line break. */
export function rfc5424(alert: Alert, text: string, pid: number): string {
	const { UpdatedTime, HostName, Type, PolicyName, Action, Severity, Operation, Resource, Result } = alert;
	const data = [
		parameter("policy", PolicyName),
		parameter("action", Action),
		parameter("severity", Severity),
		parameter("operation", Operation),
		parameter("resource", Resource),
		parameter("result", Result),
	].join("");
	const header = `<${priority(alert)}>1 ${word(UpdatedTime, 64)} ${word(HostName, 255)} ${appName} ${pid} ${word(Type, 32)}`;
	return `${header} [${structuredId}${data}] ${text}`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const twoDigits = (value: number) => String(value).padStart(2, "0");

/** The form of syslog(3): the time is the host's own, to the second. */
export function localSyslog(alert: Alert, text: string, pid: number): string {
	const time = new Date(alert.Timestamp * 1000);
	const day = `${months[time.getMonth()]} ${String(time.getDate()).padStart(2)}`;
	const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
	return `<${priority(alert)}>${day} ${clock} ${appName}[${pid}]: ${text}`;
}
