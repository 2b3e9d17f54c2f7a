/** What a report says: each line with how and when it was established. Nothing is claimed beyond that. Pure. */

import { usbClassName } from "../../enforcers/usb/class.ts";
import { explainDevice } from "../../enforcers/usb/compile/explain.ts";
import type { DeviceRuleset } from "../../enforcers/usb/compile/ruleset.ts";
import type { Facts, Read, ToldAlert } from "./facts.ts";

export interface ReportLine {
	readonly id: LineId;
	readonly title: string;
	/** `unknown`: it could not be established. `info`: there is nothing that would hold or not. */
	readonly state: "yes" | "no" | "unknown" | "info";
	readonly text: string;
	/** How it was established. */
	readonly how: string;
	/** When, RFC 3339. */
	readonly time: string;
	readonly details: readonly string[];
}

export const lineIds = [
	"network-enforced",
	"policies-in-force",
	"default-deny-ingress",
	"default-deny-egress",
	"exposure",
	"usb-lock",
	"usb-default-deny",
	"usb-refusals",
	"drift",
	"changes",
	"change-control",
	"policy-files",
	"signature",
	"tests",
	"alerts-kept",
	"confinement",
	"versions",
] as const;
export type LineId = (typeof lineIds)[number];

/** Events of a kind that are told. */
const mostEvents = 20;

type Found = Pick<ReportLine, "state" | "text"> & { readonly details?: readonly string[] };

const fromDaemon = "the running daemon's status";
const fromModel = "the policies on disk, compiled and asked";
const fromAlerts = "the daemon's alerts, and its alerts.file where there is one";
const fromSettings = "the settings file";

export function reportLines(facts: Facts): ReportLine[] {
	const { time } = facts;
	const line = (id: LineId, title: string, how: string, found: Found): ReportLine => ({
		...{ id, title, state: found.state, text: found.text, how, time },
		details: found.details ?? [],
	});
	return [
		line("network-enforced", "Network policies are enforced", fromDaemon, enforced(facts)),
		line("policies-in-force", "What is in force is what is on disk", fromDaemon, inForce(facts)),
		line("default-deny-ingress", "Ingress is denied by default", fromDaemon, defaultDeny(facts, "ingress")),
		line("default-deny-egress", "Egress is denied by default", fromDaemon, defaultDeny(facts, "egress")),
		line(
			"exposure",
			"Services that listen, and who can reach them",
			"the kernel's sockets (sock_diag), held against the policies on disk",
			exposure(facts),
		),
		line(
			"usb-lock",
			"USB devices are blocked before a connection is established",
			fromDaemon,
			usbLock(facts),
		),
		line("usb-default-deny", "USB devices that no policy names are refused", fromModel, usbDeny(facts)),
		line("usb-refusals", "The last USB devices that were refused", fromAlerts, refusals(facts)),
		line("drift", "Changes of the firewall by others", `${fromDaemon}; ${fromAlerts}`, drift(facts)),
		line("changes", "Changes of the policies, and who confirmed them", fromAlerts, changes(facts)),
		line("change-control", "Changes have to be confirmed", fromSettings, changeControl(facts)),
		line(
			"policy-files",
			"Only root can change the policies",
			"owners and modes of the way to them",
			files(facts),
		),
		line("signature", "Policies have to be signed", `${fromSettings}; ${fromDaemon}`, signature(facts)),
		line("tests", "Policies have to pass their tests", `${fromSettings}; ${fromDaemon}`, tests(facts)),
		line("alerts-kept", "Alerts are kept", fromSettings, alertsKept(facts)),
		line("confinement", "The daemon is confined", fromDaemon, confinement(facts)),
		line("versions", "Versions", `this command; ${fromDaemon}`, versions(facts)),
	];
}

function unknown<T>(read: Read<T>): Found {
	return {
		state: "unknown",
		text: read.ok ? "it could not be established" : `not established: ${read.reason}`,
	};
}

function enforced({ config, status, saved }: Facts): Found {
	if (!status.ok) return unknown(status);
	const { enforcers, panic } = status.value;
	if (panic !== null) return { state: "no", text: `panic-open stands since ${panic.since}: ${panic.reason}` };
	const { state, reason } = enforcers.network;
	if (state !== "active")
		return { state: "no", text: `the network enforcer is ${state}: ${reason || "no reason is given"}` };
	if (config.enforcement === "audit")
		return { state: "no", text: "enforcement: audit lets everything pass and tells" };
	const since = saved === null ? "" : `; the ruleset that is kept for the next boot was saved at ${saved}`;
	return { state: "yes", text: `the network enforcer is active${since}` };
}

function inForce({ status }: Facts): Found {
	if (!status.ok) return unknown(status);
	const { policies, ready } = status.value;
	const on = policies.filter(({ enforced: yes }) => yes).length;
	const broken = policies.filter(({ diagnostics }) =>
		diagnostics.some(({ severity }) => severity === "error"),
	);
	const details = broken.map(({ name, file, line }) => `${name} (${file}:${line}) has errors`);
	const well = ready.ready && broken.length === 0;
	return {
		state: well ? "yes" : "no",
		text: `${on} of ${policies.length} policies are in force; ${ready.body}`,
		details,
	};
}

function defaultDeny({ status, config }: Facts, direction: "ingress" | "egress"): Found {
	if (!status.ok) return unknown(status);
	const { state, allowlistMode, posture, essentials, failsafe } = status.value.enforcers.network;
	if (state !== "active") return { state: "no", text: `the network enforcer is ${state}` };
	const passes = [
		...(essentials ? ["what a host needs to stay on its network passes (essentials)"] : []),
		...failsafe
			.filter((rule) => rule.direction === direction)
			.map(({ index }) => `failsafe rule ${index} passes`),
	];
	if (!allowlistMode[direction])
		return { state: "no", text: "no policy allows anything, so what no rule blocks passes", details: passes };
	const denied = posture === "block" && config.enforcement === "enforce";
	const text = denied
		? "what no rule allows is dropped"
		: "what no rule allows passes and is told, as hostDefaultNetworkPosture or enforcement is audit";
	return { state: denied ? "yes" : "no", text, details: passes };
}

function exposure({ exposed }: Facts): Found {
	if (!exposed.ok) return unknown(exposed);
	const text =
		exposed.value.length === 0 ? "nothing listens for others" : `${exposed.value.length} listen for others`;
	return { state: "info", text, details: exposed.value };
}

function usbLock({ status }: Facts): Found {
	if (!status.ok) return unknown(status);
	const { state, reason, locked } = status.value.enforcers.usb;
	if (state !== "active")
		return { state: "no", text: `the USB enforcer is ${state}: ${reason || "no reason is given"}` };
	const text = locked
		? "the lock holds: what is plugged in comes up refused, and no driver meets it before the policies allow it"
		: "the lock does not hold: no policy refuses any device";
	return { state: locked ? "yes" : "no", text };
}

/** Every class that a function can have, but hubs. */
const classes = Array.from({ length: 255 }, (_, index) => index + 1).filter((code) => code !== 9);

function usbDeny({ meaning, config }: Facts): Found {
	if (!meaning.ok) return unknown(meaning);
	const passing = classes.filter((code) => !refusesUnknown(meaning.value.devices, code));
	if (config.enforcement === "audit")
		return { state: "no", text: "enforcement: audit lets every device in and tells" };
	if (passing.length === 0)
		return {
			state: "yes",
			text: "a device of which nothing is known but its class is refused, whatever class that is",
		};
	const text = `devices of ${passing.length} of ${classes.length} classes are let in though no policy names them`;
	return { state: "no", text, details: passing.slice(0, mostEvents).map((code) => usbClassName(code)) };
}

function refusesUnknown(devices: DeviceRuleset, code: number): boolean {
	const nothing = {
		level: null,
		vendorId: null,
		productId: null,
		serial: null,
		product: null,
		manufacturer: null,
	};
	const place = { port: null, connectType: null, twin: null, descriptorsHash: null };
	const query = {
		...nothing,
		...place,
		class: code,
		subClass: null,
		protocol: null,
		classes: new Set([code]),
	};
	return explainDevice(devices, query).action === "Block";
}

function newest(alerts: readonly ToldAlert[], describe: (alert: ToldAlert) => string): string[] {
	return alerts.slice(-mostEvents).toReversed().map(describe);
}

function refusals({ alerts }: Facts): Found {
	if (!alerts.ok) return unknown(alerts);
	const refused = alerts.value.filter(
		({ operation, result }) => operation === "Device" && result === "Permission denied",
	);
	const details = newest(refused, ({ time, resource, policy, message, data }) => {
		const who = ["Manufacturer", "Product", "Serial"].flatMap((key) => data[key] || []).join(" ");
		return `${time} ${resource} ${who} by ${policy || "no policy"}${message === "" ? "" : `: ${message}`}`;
	});
	return { state: "info", text: `${refused.length} refusals are remembered`, details };
}

function drift({ alerts, status }: Facts): Found {
	const told = alerts.ok ? alerts.value.filter(({ tags }) => tags === "DRIFT") : [];
	const details = newest(told, ({ time, message, data }) => {
		const who = data.Process ? ` by ${data.Process} (${data.PID ?? "?"})` : "";
		return `${time} ${message}${who}`;
	});
	if (!status.ok) return { ...unknown(status), details };
	return {
		state: "info",
		text: `${status.value.drift} changes by others were undone since the daemon's start`,
		details,
	};
}

function changes({ alerts }: Facts): Found {
	if (!alerts.ok) return unknown(alerts);
	const told = alerts.value.filter(({ tags }) => tags === "PENDING-CHANGE");
	const details = newest(told, ({ time, message, data }) => {
		const who = data.UID ? `; asked for by uid ${data.UID}, process ${data.PID ?? "?"}` : "";
		const session = data.Session ? `, session ${data.Session}` : "";
		return `${time} change ${data.Change ?? "?"}: ${message}${data.Reason ? ` (${data.Reason})` : ""}${who}${session}`;
	});
	return { state: "info", text: `${told.length} steps of changes are remembered`, details };
}

function changeControl({ config }: Facts): Found {
	return config.confirm === "required"
		? {
				state: "yes",
				text: `confirm: required; what is not confirmed within ${config.confirmWithin} s rolls back`,
			}
		: { state: "no", text: "confirm: optional; a change of the policy directory is taken at once" };
}

function files({ config, distrust }: Facts): Found {
	return distrust === null
		? {
				state: "yes",
				text: `${config.policyDir} and the way to it are root's, and nobody else can write there`,
			}
		: { state: "no", text: distrust };
}

function signature({ config, status }: Facts): Found {
	if (config.policySignature === "off") return { state: "no", text: "policySignature: off" };
	if (!status.ok) return unknown(status);
	const { signature: found } = status.value;
	if (found === null)
		return { state: "unknown", text: "the daemon has other settings and requires no signature" };
	const serial = found.serial === null ? "" : `, serial ${found.serial}`;
	return found.ok
		? { state: "yes", text: `what is on disk is signed with a trusted key${serial}` }
		: {
				state: "no",
				text: `what is on disk is refused; what stands in for it: ${found.standing ?? "nothing"}${serial}`,
			};
}

function tests({ config, status }: Facts): Found {
	if (!status.ok) return unknown(status);
	const { tests: found } = status.value;
	if (found === null) return { state: "no", text: "no test cases lie beside the policies" };
	const counts = `${found.passed} passed, ${found.failed} failed at the last reading`;
	const held = config.policyTests === "enforce" && found.failed === 0;
	return { state: held ? "yes" : "no", text: `policyTests: ${config.policyTests}; ${counts}` };
}

function alertsKept({ config: { alerts } }: Facts): Found {
	if (alerts.file !== null)
		return {
			state: "yes",
			text: `in ${alerts.file}, with ${alerts.fileKeep} files of before of ${alerts.fileMaxBytes} bytes each`,
		};
	return alerts.stdout
		? { state: "info", text: "on standard output alone, which the service manager may keep" }
		: { state: "no", text: "nowhere: alerts.file is not set and alerts.stdout is false" };
}

function confinement({ status }: Facts): Found {
	if (!status.ok) return unknown(status);
	const { systemCalls, files: access } = status.value.confinement;
	const details = [told("system calls", systemCalls), told("files", access)];
	const both = systemCalls.active && access.active;
	return {
		state: both ? "yes" : "no",
		text: both ? "by seccomp and Landlock" : "not by both seccomp and Landlock",
		details,
	};
}

function told(
	what: string,
	{ active, detail }: { readonly active: boolean; readonly detail: string },
): string {
	const state = `${what}: ${active ? "confined" : "not confined"}`;
	return detail === "" ? state : `${state}; ${detail}`;
}

function versions({ version, status }: Facts): Found {
	if (!status.ok) return { state: "info", text: `this command is ${version}; ${unknown(status).text}` };
	return { state: "info", text: `this command is ${version}, the daemon ${status.value.version}` };
}
