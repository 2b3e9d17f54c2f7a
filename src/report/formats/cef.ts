/** Alerts in ArcSight's Common Event Format, version 0. Pure. */

import { escapeForTerminal } from "../../base/terminal.ts";
import type { Alert } from "../alert.ts";
import { packetOf } from "./network.ts";

/** Line breaks and other controls end lines or confuse readers; those that are one become a space. */
const controls = /[\p{Cc}\u2028\u2029]+/gu;

/** One line that no terminal obeys, before the format's own escapes. */
function plain(text: string): string {
	return escapeForTerminal(text.replace(controls, " "));
}

/** A field of the header, which `|` ends. */
function header(text: string): string {
	return plain(text).replace(/[\\|]/g, (character) => `\\${character}`);
}

/** A value of the extension, which the next ` key=` ends. */
function value(text: string): string {
	return plain(text).replace(/[\\=]/g, (character) => `\\${character}`);
}

export function cefLine(alert: Alert, version: string): string {
	const { Type, Action, Resource, Severity, PolicyName, Operation } = alert;
	const signature = Operation === "System" && alert.Tags !== "" ? `${Type}:${alert.Tags}` : Type;
	const name = `${Action} ${Resource}${PolicyName === "" ? "" : ` by ${PolicyName}`}`;
	const head = ["CEF:0", "Portward", "Portward", version, signature, name, String(Number(Severity) || 1)];
	const fields = extension(alert).flatMap(([key, text]) => (text === "" ? [] : [`${key}=${value(text)}`]));
	return `${head.map((field, index) => (index === 0 ? field : header(field))).join("|")}|${fields.join(" ")}`;
}

function extension(alert: Alert): (readonly [string, string])[] {
	const { UpdatedTime, HostName, NodeID, Action, Result, Message, PolicyName, Tags, Data, ClusterName } =
		alert;
	const packet = packetOf(alert);
	const { VendorID = "", ProductID = "", Serial = "", RuleIndex = "" } = alert.EventData;
	return [
		["rt", String(Date.parse(UpdatedTime))],
		["dvchost", HostName],
		["deviceExternalId", NodeID],
		["act", Action],
		["outcome", Result],
		["msg", Message],
		["cat", alert.Operation],
		...(packet === null ? [] : packetFields(packet)),
		...labelled("cs1", "Policy", PolicyName),
		...labelled("cs2", "Rule", RuleIndex),
		...labelled("cs3", "Tags", Tags),
		...labelled("cs4", "Cluster", ClusterName),
		...labelled("cs5", "Data", Data),
		...labelled("cs6", "USB", [VendorID, ProductID, Serial].filter((part) => part !== "").join(":")),
	];
}

function packetFields(packet: NonNullable<ReturnType<typeof packetOf>>): (readonly [string, string])[] {
	const { source, destination, protocol, inbound, family } = packet;
	const port = (number: number | null) => (number === null ? "" : String(number));
	// `src` and `dst` are for IPv4 alone; IPv6 has the custom fields 2 and 3.
	const addresses: (readonly [string, string])[] =
		family === 4
			? [
					["src", source.ip],
					["dst", destination.ip],
				]
			: [
					...labelled("c6a2", "Source IPv6 Address", source.ip),
					...labelled("c6a3", "Destination IPv6 Address", destination.ip),
				];
	return [
		...addresses,
		["spt", port(source.port)],
		["dpt", port(destination.port)],
		["proto", protocol],
		["deviceDirection", inbound ? "0" : "1"],
		[inbound ? "deviceInboundInterface" : "deviceOutboundInterface", packet.interface],
	];
}

function labelled(key: string, label: string, text: string): (readonly [string, string])[] {
	return text === ""
		? []
		: [
				[key, text],
				[`${key}Label`, label],
			];
}
