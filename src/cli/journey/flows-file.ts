/** Reads what `portward flows --json` and `/v1/flows` give, perhaps of another host: nothing in it is believed. Pure. */

import * as v from "valibot";
import { type Address, type CidrResult, parseSeenAddress, parseSeenCidr } from "../../base/cidr.ts";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { directions, type Protocol, postureName } from "../../base/model.ts";
import { formatPath, type Path } from "../../base/path.ts";
import { isTransport, parseProtocol } from "../../base/protocol.ts";
import { quote } from "../../base/suggest.ts";
import { parseUtc } from "../../base/utc.ts";
import type { FlowHook, FlowJson, SeenFlow, SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { type JsonPath, placeInJson } from "./json-place.ts";

/** Bytes of a file of flows that are read at most: some 300 000 flows. */
export const maxFlowsBytes = 128 * 1024 * 1024;

export type FlowsRead =
	| { readonly ok: true; readonly history: SeenHistory }
	/** `diagnostics`: the first thing that is wrong, with its place. */
	| { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

export const whole = (least: number) => {
	const hint = `write a whole number from ${least} on`;
	return v.pipe(v.number(hint), v.safeInteger(hint), v.minValue(least, hint));
};

const timeHint = 'write a time in UTC, such as "2026-11-30T08:00:00.000Z"';
const time = v.pipe(
	v.string(timeHint),
	v.transform(parseUtc),
	v.check((value) => Number.isFinite(value), timeHint),
);

const protocolHint = 'write a protocol in lower case or its number, such as "tcp", "icmpv6" or "47"';
const protocol = v.pipe(
	v.string(protocolHint),
	v.rawTransform<string, Protocol>(({ dataset, addIssue, NEVER }) => {
		const known = parseProtocol(dataset.value);
		if (known === null) addIssue({ message: protocolHint });
		return known ?? NEVER;
	}),
);

const portHint = "write a port from 1 to 65535, or null for a protocol without ports";
const port = v.nullable(
	v.pipe(v.number(portHint), v.integer(portHint), v.minValue(1, portHint), v.maxValue(65_535, portHint)),
);

/** IFNAMSIZ (linux/if.h) is 16 with the final NUL; a byte that is no UTF-8 is read as one character. */
const interfaceHint = "write a link's name of at most 15 characters, without / and spaces";
export const link = v.pipe(v.string(interfaceHint), v.regex(/^[^/\s\0]{0,15}$/u, interfaceHint));

/** As long as names of policies are. */
const policyHint = `write the name of a policy, "${postureName}" or null`;
export const policy = v.nullable(
	v.pipe(v.string(policyHint), v.nonEmpty(policyHint), v.maxLength(253, policyHint)),
);

export const actions = ["Allow", "Audit", "Block"] as const;

function words<const T extends readonly string[]>(known: T) {
	return v.picklist(known, `write ${known.slice(0, -1).join(", ")} or ${known.at(-1)}`);
}

const flowShape = v.strictObject({
	direction: words(["ingress", "egress"]),
	protocol,
	remote: v.string("write an address or a block, in quotes"),
	port,
	interface: link,
	hook: words(["input", "output", "forward"]),
	guest: v.nullable(v.string("write an address in quotes, or null")),
	action: words(actions),
	policy,
	count: whole(1),
	bytes: v.nullable(whole(0)),
	firstSeen: time,
	lastSeen: time,
	new: v.boolean("write true or false"),
});

const historyShape = v.strictObject({
	since: time,
	flows: v.array(v.unknown(), "write the list of flows"),
	merged: whole(0),
	lost: whole(0),
});

/** What is wrong, where. `path` begins at the flow, or at the document. */
interface Wrong {
	readonly path: JsonPath;
	readonly message: string;
	readonly hint: string;
}

/** @param file how messages name the text */
export function readFlows(file: string, text: string): FlowsRead {
	const fail = ({ path, message, hint }: Wrong): FlowsRead => {
		const place = { file, ...placeInJson(text, path) };
		const field = formatPath(path.reduce<Path | null>((parent, key) => ({ parent, key }), null));
		return {
			ok: false,
			diagnostics: [{ ...place, path: field, severity: "error", code: "bad-flows", message, hint }],
		};
	};
	const document = readDocument(text);
	if ("message" in document) return fail(document);
	const { since, merged, lost } = document;
	const flows: SeenFlow[] = [];
	for (const [index, entry] of document.flows.entries()) {
		const flow = plainFlow(entry) ?? flowOf(entry);
		if ("message" in flow) return fail({ ...flow, path: ["flows", index, ...flow.path] });
		flows.push(flow);
	}
	return { ok: true, history: { since, flows, merged, lost } };
}

const wanted = "give what portward flows --json prints";

function readDocument(text: string): v.InferOutput<typeof historyShape> | Wrong {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return { path: [], message: "this is not JSON", hint: wanted };
	}
	const parsed = v.safeParse(historyShape, value, { abortEarly: true });
	return parsed.success ? parsed.output : wrong(parsed.issues[0]);
}

/** What a text without flows says beside them; null where anything in it is wrong. */
export function readSums(text: string): Omit<SeenHistory, "flows"> | null {
	const document = readDocument(text);
	if ("message" in document || document.flows.length > 0) return null;
	const { since, merged, lost } = document;
	return { since, merged, lost };
}

function wrong(issue: v.BaseIssue<unknown>): Wrong {
	const path = (issue.path ?? []).flatMap(({ key }) =>
		typeof key === "string" || typeof key === "number" ? [key] : [],
	);
	if (issue.type === "strict_object" && path.length > 0) {
		const name = quote(String(path.at(-1)));
		return issue.expected === "never"
			? {
					path,
					message: `there is no field ${name} here`,
					hint: "leave it out; is the file of a newer Portward?",
				}
			: { path: path.slice(0, -1), message: `the field ${name} is missing`, hint: wanted };
	}
	if (issue.type === "strict_object") return { path, message: "this is no object", hint: wanted };
	const shown = typeof issue.input === "object" ? "this" : quote(String(issue.input));
	return { path, message: `${shown} does not fit here`, hint: issue.message };
}

const fieldCount = Object.keys(flowShape.entries).length;
const linkForm = /^[^/\s\0]{0,15}$/u;

function isWhole(value: unknown, least: number): value is number {
	return typeof value === "number" && Number.isSafeInteger(value) && value >= least;
}

function timeOf(value: unknown): number {
	return typeof value === "string" ? parseUtc(value) : Number.NaN;
}

/**
 * What `flowOf` gives, several times as quick, of a flow of this host's in which nothing is wrong; null of all others,
 * for `flowOf` to explain.
 */
export function plainFlow(entry: unknown): SeenFlow | null {
	if (typeof entry !== "object" || entry === null || Object.keys(entry).length !== fieldCount) return null;
	const fields: Fields = entry;
	const { protocol: word, port: number, interface: name, remote: block, policy: by, guest } = fields;
	const { count, bytes, firstSeen, lastSeen, new: isNew } = fields;
	const direction = directions.find((each) => each === fields.direction);
	const action = actions.find((each) => each === fields.action);
	const hook: FlowHook = direction === "ingress" ? "input" : "output";
	if (direction === undefined || action === undefined || hook !== fields.hook || guest !== null) return null;
	const known = typeof word === "string" ? parseProtocol(word) : null;
	if (known === null || isTransport(known) !== (number !== null)) return null;
	if (number !== null && !(isWhole(number, 1) && number <= 65_535)) return null;
	if (typeof name !== "string" || !linkForm.test(name)) return null;
	if (by !== null && (typeof by !== "string" || by === "" || by.length > 253)) return null;
	if (!isWhole(count, 1) || (bytes !== null && !isWhole(bytes, 0)) || typeof isNew !== "boolean") return null;
	const [first, last] = [timeOf(firstSeen), timeOf(lastSeen)];
	if (!(first <= last) || typeof block !== "string") return null;
	const remote = parseSeenCidr(block);
	if (!remote.ok || remote.hostBits) return null;
	const facts = {
		direction,
		hook,
		protocol: known,
		port: number,
		interface: name,
		guest,
		action,
		policy: by,
	};
	return { ...facts, remote: remote.cidr, count, bytes, firstSeen: first, lastSeen: last, isNew };
}

type Fields = { readonly [Name in keyof FlowJson]?: unknown };

/** A flow, or what is wrong with the first field that is. */
export function flowOf(entry: unknown): SeenFlow | Wrong {
	const parsed = v.safeParse(flowShape, entry, { abortEarly: true });
	if (!parsed.success) return wrong(parsed.issues[0]);
	const { new: isNew, remote: remoteText, guest: guestText, ...rest } = parsed.output;
	const remote = remoteOf(remoteText);
	if (!remote.ok) return { path: ["remote"], message: remote.message, hint: remote.hint };
	const guest = guestText === null ? null : guestOf(guestText);
	if (guest !== null && "message" in guest) return guest;
	const flow = { ...rest, remote: remote.cidr, guest, isNew };
	return contradiction(flow) ?? flow;
}

function remoteOf(text: string): CidrResult {
	const remote = parseSeenCidr(text);
	if (!remote.ok || !remote.hostBits) return remote;
	return {
		ok: false,
		message: `${quote(text)} has bits set beyond its prefix`,
		hint: "write the block's first address",
	};
}

function guestOf(text: string): Address | Wrong {
	const guest = parseSeenAddress(text);
	return "message" in guest ? { path: ["guest"], ...guest } : guest;
}

/** What no kernel saw, though each field alone is right. */
function contradiction(flow: SeenFlow): Wrong | null {
	const { protocol: known, port: number, hook, guest, remote, direction, firstSeen, lastSeen } = flow;
	if (isTransport(known) !== (number !== null)) {
		return isTransport(known)
			? { path: ["port"], message: `a flow of ${known} has a port`, hint: "write a port from 1 to 65535" }
			: { path: ["port"], message: "a protocol without ports has one here", hint: "write null" };
	}
	if ((hook === "forward") !== (guest !== null)) {
		return hook === "forward"
			? { path: ["guest"], message: "a forwarded flow has a guest", hint: "write the guest's address" }
			: { path: ["guest"], message: "only a forwarded flow has a guest", hint: "write null" };
	}
	if (guest !== null && guest.family !== remote.family) {
		const message = `the guest has an IPv${guest.family} address, and the remote end an IPv${remote.family} address`;
		return { path: ["guest"], message, hint: "write the guest's address of the other family" };
	}
	if (hook !== "forward" && (hook === "input") !== (direction === "ingress")) {
		const hint = `write ${direction === "ingress" ? "input" : "output"} or forward`;
		return { path: ["hook"], message: `an ${direction} flow is not judged in ${hook}`, hint };
	}
	if (firstSeen > lastSeen)
		return {
			path: ["firstSeen"],
			message: "this is later than lastSeen",
			hint: "write the earlier time first",
		};
	return null;
}
