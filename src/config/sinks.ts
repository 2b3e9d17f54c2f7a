/** The settings of sinks: other systems that alerts go to, each with its own filter, format and queue. */

import * as v from "valibot";
import { parseAddress } from "../base/cidr.ts";
import type { Action } from "../base/model.ts";
import { absolutePath, whole } from "./values.ts";

export const sinkTypes = ["journald", "syslog", "webhook"] as const;
export const sinkFormats = ["kubearmor", "ecs", "ocsf", "cef"] as const;
/** What an alert's `Type` may be. */
export const alertKinds = ["MatchedNetworkPolicy", "MatchedHostPolicy", "HostLog", "SystemEvent"] as const;

export type SinkType = (typeof sinkTypes)[number];
export type SinkFormat = (typeof sinkFormats)[number];

export interface SinkSettings {
	/** Unique; the name of its queue's directory. */
	readonly name: string;
	readonly type: SinkType;
	/** Null for the type's own, and for a webhook. */
	readonly address: string | null;
	/** Of a webhook; null for the others. */
	readonly url: string | null;
	/** PEM files; null where the system's CAs hold, or no certificate is shown. */
	readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
	/** A file with the value of a webhook's Authorization header. */
	readonly authorizationFile: string | null;
	readonly format: SinkFormat;
	/** Empty lists let everything pass. */
	readonly policies: readonly string[];
	readonly actions: readonly Action[];
	readonly minSeverity: number;
	readonly kinds: readonly (typeof alertKinds)[number][];
	/** Bytes; `disk` is null for the type's own. */
	readonly queue: { readonly memory: number; readonly disk: number | null };
}

export type SinkAddress =
	| { readonly transport: "unix"; readonly path: string }
	| { readonly transport: "udp" | "tcp" | "tls"; readonly host: string; readonly port: number };

const mostSinks = 16;
const mostPolicies = 1000;
const mebibyte = 1024 * 1024;

export const journalSocket = "unix:/run/systemd/journal/socket";
export const syslogSocket = "unix:/dev/log";

/** Bytes of a webhook's queue on disk where nothing else is said: a minute of 1000 alerts a second. */
const webhookDisk = 64 * mebibyte;

/** The bytes that the sink may keep on disk. */
export function diskBytes({ type, queue }: Pick<SinkSettings, "type" | "queue">): number {
	return queue.disk ?? (type === "webhook" ? webhookDisk : 0);
}

/** The address of a sink that is no webhook. */
export function addressOf({ type, address }: Pick<SinkSettings, "type" | "address">): SinkAddress | null {
	return parseSinkAddress(address ?? (type === "journald" ? journalSocket : syslogSocket));
}

const hostName = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*$/;

/** Null for a text that is no address. */
export function parseSinkAddress(text: string): SinkAddress | null {
	// sun_path holds 108 bytes with the final NUL (unix(7)).
	const path = /^unix:(\/[\x21-\x7e]{1,106})$/.exec(text)?.[1];
	if (path !== undefined) return { transport: "unix", path };
	const parts = /^(udp|tcp|tls):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:/]+)):([1-9]\d{0,4})$/.exec(text);
	const transport = parts?.[1];
	const port = Number(parts?.[4]);
	if (transport !== "udp" && transport !== "tcp" && transport !== "tls") return null;
	const host = parts?.[2] ?? parts?.[3] ?? "";
	if (port > 65535) return null;
	const address = parseAddress(host);
	const good =
		parts?.[2] === undefined
			? ("family" in address && address.family === 4) || (hostName.test(host) && !/^[0-9.]+$/.test(host))
			: "family" in address && address.family === 6;
	return good ? { transport, host, port } : null;
}

const addressHint =
	'write "unix:/dev/log", "udp://192.0.2.1:514", "tcp://log.example:514" or "tls://log.example:6514"; IPv6 in [ ]';
const urlHint =
	'write a URL that begins with https://, such as "https://siem.example/in"; http:// only for 127.0.0.1, [::1] or localhost';

function isWebhookUrl(text: string): boolean {
	if (!URL.canParse(text)) return false;
	const { protocol, hostname, username, password, hash } = new URL(text);
	if (username !== "" || password !== "" || hash !== "") return false;
	const local = ["localhost", "[::1]"].includes(hostname) || /^127\.\d+\.\d+\.\d+$/.test(hostname);
	return protocol === "https:" || (protocol === "http:" && local);
}

const nameHint = "write a name of lower-case letters, digits and -, at most 32 characters";

function list<const S extends v.GenericSchema>(item: S, most: number, hint: string) {
	return v.optional(v.pipe(v.array(item, hint), v.maxLength(most, `write at most ${most}`)), []);
}

const fields = v.object(
	{
		name: v.pipe(v.string(nameHint), v.regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, nameHint)),
		type: v.picklist(sinkTypes, "write journald, syslog or webhook"),
		address: v.optional(
			v.nullable(
				v.pipe(
					v.string(addressHint),
					v.check((text) => parseSinkAddress(text) !== null, addressHint),
				),
			),
			null,
		),
		url: v.optional(
			v.nullable(v.pipe(v.string(urlHint), v.maxLength(2048, urlHint), v.check(isWebhookUrl, urlHint))),
			null,
		),
		tls: v.optional(
			v.object(
				{
					ca: v.optional(v.nullable(absolutePath), null),
					cert: v.optional(v.nullable(absolutePath), null),
					key: v.optional(v.nullable(absolutePath), null),
				},
				"write tls: {ca: FILE, cert: FILE, key: FILE}",
			),
			{},
		),
		authorizationFile: v.optional(v.nullable(absolutePath), null),
		format: v.optional(v.picklist(sinkFormats, "write kubearmor, ecs, ocsf or cef"), "kubearmor"),
		policies: list(
			v.pipe(v.string("write names of policies"), v.maxLength(253, "write a name of at most 253 characters")),
			mostPolicies,
			"write a list of policies",
		),
		actions: list(
			v.picklist(["Allow", "Audit", "Block"], "write Allow, Audit or Block"),
			3,
			"write a list of actions",
		),
		minSeverity: v.optional(whole(1, 10), 1),
		kinds: list(
			v.picklist(alertKinds, `write ${alertKinds.slice(0, -1).join(", ")} or ${alertKinds.at(-1)}`),
			alertKinds.length,
			"write a list of kinds",
		),
		queue: v.optional(
			v.object(
				{
					memory: v.optional(whole(64 * 1024, 64 * mebibyte), 4 * mebibyte),
					disk: v.optional(v.nullable(whole(0, 1024 * mebibyte)), null),
				},
				"write queue: {memory: BYTES, disk: BYTES}",
			),
			{},
		),
	},
	"write a sink as {name: NAME, type: TYPE} with what else it needs",
);

type Fields = v.InferOutput<typeof fields>;

/** A check of several keys at once, whose complaint stands at one of them. */
function agree(key: keyof Fields, good: (sink: Fields) => boolean, hint: string) {
	return v.forward(v.check<Fields, string>(good, hint), [key]);
}

const transportOf = (sink: Fields) =>
	sink.address === null ? null : parseSinkAddress(sink.address)?.transport;

const sink = v.pipe(
	fields,
	agree(
		"url",
		({ type, url }) => (type === "webhook") === (url !== null),
		"write url for a webhook, and for no other sink",
	),
	agree(
		"address",
		({ type, address }) => type !== "webhook" || address === null,
		"leave address out: a webhook has a url",
	),
	agree(
		"address",
		(sink) => sink.type !== "journald" || sink.address === null || transportOf(sink) === "unix",
		`write the journal's socket, such as "${journalSocket}", or leave address out`,
	),
	agree(
		"authorizationFile",
		({ type, authorizationFile }) => type === "webhook" || authorizationFile === null,
		"leave authorizationFile out: only a webhook has an Authorization header",
	),
	agree(
		"tls",
		(sink) =>
			(sink.tls.ca === null && sink.tls.cert === null && sink.tls.key === null) ||
			transportOf(sink) === "tls" ||
			(sink.url ?? "").startsWith("https:"),
		"leave tls out: it is for tls:// and https:// alone",
	),
	agree(
		"tls",
		({ tls }) => (tls.cert === null) === (tls.key === null),
		"write tls.cert and tls.key together",
	),
	agree(
		"queue",
		({ queue }) => queue.disk === null || queue.disk === 0 || queue.disk >= mebibyte,
		`write a queue.disk of at least ${mebibyte} bytes, or 0 for none`,
	),
);

export const sinksSchema = v.pipe(
	v.array(sink, "write a list of sinks, each {name: NAME, type: TYPE}"),
	v.maxLength(mostSinks, `write at most ${mostSinks} sinks`),
	v.check(
		(sinks) => new Set(sinks.map(({ name }) => name)).size === sinks.length,
		"write a name of its own for each sink",
	),
);
