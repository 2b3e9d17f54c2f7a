/**
 * What tells which host this is, replaced by names such as `ipv4-1`: the same value has the same name throughout one
 * bundle, and nothing leads back from a name. Pure.
 */

import { isIPv4, isIPv6 } from "node:net";
import { leftOut } from "./secrets.ts";

type Kind =
	| "cluster"
	| "file"
	| "group"
	| "host"
	| "ipv4"
	| "ipv6"
	| "label"
	| "mac"
	| "node"
	| "policy"
	| "serial"
	| "unit"
	| "user";

/** Keys whose values are all of a kind, wherever they stand. */
const kinds: ReadonlyMap<string, Kind> = new Map([
	["serial", "serial"],
	["Serial", "serial"],
	["SerialNumber", "serial"],
	["descriptorsHash", "serial"],
	["DescriptorsHash", "serial"],
	["hostname", "host"],
	["HostName", "host"],
	["kubernetes.io/hostname", "host"],
	["NodeID", "node"],
	["clusterName", "cluster"],
	["ClusterName", "cluster"],
	["policy", "policy"],
	["Policy", "policy"],
	["PolicyName", "policy"],
	["label", "label"],
	["file", "file"],
	["File", "file"],
	["sender.user", "user"],
	["sender.group", "group"],
	["sender.service", "unit"],
]);

/** Accounts below this number are the same on every host (Debian's base-passwd). */
const firstOwnAccount = 100;

/** Free text of people: of what is in there nobody knows. */
const freeText: ReadonlySet<string> = new Set(["Data", "Reason", "Labels"]);

/** What stands for no policy of anybody. */
const notNames: ReadonlySet<string> = new Set(["", "DefaultPosture"]);

/** Addresses that are the same on every host. */
const everybodys = /^(?:0\.0\.0\.0|127\.|255\.|22[4-9]\.|23\d\.|::$|::1$|ff)/i;

/** Shorter ones are replaced where they stand alone as a value, and not in running text. */
const shortestInText = 3;

const ipv4Text = /(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)/g;
const ipv6Text = /(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*/g;
const macText = /(?<![\w:])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:])/g;
/** systemd names links by their hardware address, most of all beside their own name (systemd.net-naming-scheme(7)). */
const macName = /(?<![0-9A-Za-z])((?:en|ib|sl|wl|ww)x)([0-9a-f]{12})(?![0-9a-f])/g;
/** Whom texts say an egress rule names. */
const senderText = /\b(user|group|service|unit) "([^"\\]+)"/g;

export class Redactor {
	/** By kind and value. */
	readonly #names = new Map<string, string>();
	readonly #counts = new Map<Kind, number>();
	/** Values that are looked for in running text, by how they begin; of those that begin alike the longest first. */
	readonly #known = new Map<string, { readonly value: string; readonly name: string }[]>();

	/** Has a value replaced wherever it stands, from now on. */
	learn(kind: Kind, value: string): void {
		if (!notNames.has(value)) this.#name(kind, value);
	}

	/** Learns from a document the values that its keys say what they are. */
	study(document: unknown): void {
		this.#walk(document, (key, value) => {
			const kind = kinds.get(key);
			if (kind !== undefined) this.learn(kind, value);
			return value;
		});
	}

	/** A document of which everything is to be known by now. */
	json(document: unknown): unknown {
		return this.#walk(document, (key, value) => {
			const kind = kinds.get(key);
			if (kind !== undefined && !notNames.has(value)) return this.#name(kind, value);
			return freeText.has(key) ? leftOut : this.text(value);
		});
	}

	/** Running text, and text of programs. */
	text(text: string): string {
		let clean = text
			.replace(macText, (found) => this.#name("mac", found.toLowerCase().replaceAll(":", "")))
			.replace(macName, (_, type: string, mac: string) => `${type}-${this.#name("mac", mac)}`)
			.replace(ipv6Text, (found) => this.#address6(found))
			.replace(ipv4Text, (found) =>
				isIPv4(found) && !everybodys.test(found) ? this.#name("ipv4", found) : found,
			);
		// Where names stand for sure, in metrics and as comments of rules, the shortest are found, too.
		clean = clean.replace(/\bpolicy="((?:[^"\\]|\\.)*)"/g, (whole, name: string) =>
			notNames.has(name) ? whole : `policy="${this.#name("policy", name)}"`,
		);
		clean = clean.replace(/\bcomment "([^"]*?) (?=(?:in|e)gress\[)/g, (whole, name: string) =>
			notNames.has(name) ? whole : `comment "${this.#name("policy", name)} `,
		);
		clean = clean.replace(senderText, (whole, kind: string, name: string) =>
			this.#isKnown(name) || name === "root"
				? whole
				: `${kind} "${this.#name(kinds.get(`sender.${kind}`) ?? "unit", name)}"`,
		);
		return this.#withoutKnown(clean);
	}

	#isKnown(value: string): boolean {
		const small = value.toLowerCase();
		return (
			this.#known.get(small.slice(0, shortestInText))?.some(({ value: known }) => known === small) === true
		);
	}

	/** Looks at each place where a word begins, so that the time does not depend on how many values are known. */
	#withoutKnown(text: string): string {
		let clean = "";
		let from = 0;
		for (let at = 0; at + shortestInText <= text.length; at++) {
			if (at > 0 && isWord(text, at - 1) && isWord(text, at)) continue;
			const found = this.#known
				.get(text.slice(at, at + shortestInText).toLowerCase())
				?.find(({ value }) => isWhole(text, at, value));
			if (found === undefined) continue;
			clean += text.slice(from, at) + found.name;
			from = at + found.value.length;
			at = from - 1;
		}
		return clean + text.slice(from);
	}

	#address6(found: string): string {
		// The colon or full stop of a sentence may follow.
		const address = found.replace(/(?<!:)[:.]$|\.$/, "");
		if (!isIPv6(address) || everybodys.test(address)) return found;
		return this.#name("ipv6", address.toLowerCase()) + found.slice(address.length);
	}

	#name(kind: Kind, value: string): string {
		const key = `${kind} ${value}`;
		const known = this.#names.get(key);
		if (known !== undefined) return known;
		const count = (this.#counts.get(kind) ?? 0) + 1;
		this.#counts.set(kind, count);
		const name = `${kind}-${count}`;
		this.#names.set(key, name);
		if (value.length >= shortestInText && !/^(?:ipv[46]|mac)$/.test(kind))
			this.#lookFor(value.toLowerCase(), name);
		return name;
	}

	#lookFor(value: string, name: string): void {
		const beginning = value.slice(0, shortestInText);
		const alike = this.#known.get(beginning) ?? [];
		this.#known.set(beginning, alike);
		const longer = alike.findIndex((other) => other.value.length < value.length);
		alike.splice(longer < 0 ? alike.length : longer, 0, { value, name });
	}

	/** A copy with every text that has a key, or stands in a list that has one, as `change` has it. */
	#walk(value: unknown, change: (key: string, value: string) => string, key = ""): unknown {
		if (typeof value === "string") return change(key, value);
		if (Array.isArray(value)) return value.map((each) => this.#walk(each, change, key));
		if (typeof value !== "object" || value === null) return value;
		const fields: Readonly<Record<string, unknown>> = { ...value };
		const entries = Object.entries(fields).map(([name, each]): [string, unknown] => {
			if (saysWhatPeopleWrote(fields, name)) return [name, leftOut];
			if (isName(fields, name) && typeof each === "string") return [name, change("PolicyName", each)];
			if (isOwnSender(fields, name) && typeof each === "string")
				return [name, change(`sender.${fields.kind}`, each)];
			if (key === "nodeLabels" && typeof each === "string" && !kinds.has(name))
				return [name, change(name.includes("kubernetes.io/") ? name : "label", each)];
			return [name, this.#walk(each, change, name)];
		});
		return Object.fromEntries(entries);
	}
}

function isWord(text: string, at: number): boolean {
	return /\w/.test(text[at] ?? "");
}

/** Whether `value`, in lower case, stands there and ends with a word. */
function isWhole(text: string, at: number, value: string): boolean {
	const end = at + value.length;
	if (text.slice(at, end).toLowerCase() !== value) return false;
	return !(isWord(text, end - 1) && isWord(text, end));
}

/** The name of a policy, which has a kind beside it. */
function isName(fields: Readonly<Record<string, unknown>>, name: string): boolean {
	return name === "name" && /^[A-Z]/.test(String(fields.kind));
}

/** The name of whom an egress rule names, where that is not the same on every host. */
function isOwnSender(fields: Readonly<Record<string, unknown>>, name: string): boolean {
	if (name !== "name" || !kinds.has(`sender.${fields.kind}`)) return false;
	return typeof fields.number !== "number" || fields.number >= firstOwnAccount;
}

/** The messages and tags of policies' alerts, what a diagnostic quotes, and why somebody opened the table. */
function saysWhatPeopleWrote(fields: Readonly<Record<string, unknown>>, name: string): boolean {
	if (["Message", "Tags", "ATags"].includes(name)) return fields.Type !== "SystemEvent";
	if (["message", "hint"].includes(name)) return "severity" in fields && "code" in fields;
	return name === "reason" && "since" in fields;
}
