/**
 * An address block as people write it. What is not one gets the form to
 * write: other tools know netmasks, ranges, wildcards and lists in one text.
 */

import { addressBits, formatCidr, maskBase, parseAddress, parseCidr } from "../base/cidr.ts";
import type { Cidr, Family } from "../base/model.ts";
import { formatSuffix, parseSuffix, type Suffix } from "../base/suffix.ts";
import { quote } from "../base/suggest.ts";
import { describeTemplate } from "./template.ts";

/** A block as parseCidr reads it; `network` is the block that a bare network address was probably meant to be. */
export type BlockResult =
	| { readonly ok: true; readonly cidr: Cidr; readonly hostBits: boolean; readonly network: Cidr | null }
	| { readonly ok: false; readonly message: string; readonly hint: string };

type Failure = { readonly ok: false; readonly message: string; readonly hint: string };

/** Blocks of a range that a hint lists: those of any IPv4 range, which are 62 at most. */
const mostBlocks = 62;

/** Entries of a list in one text that a hint writes out. */
const mostEntries = 8;

/** Longer text is not looked at for what it may mean. */
const longestText = 1000;

function fail(message: string, hint: string): Failure {
	return { ok: false, message, hint };
}

/**
 * Parses one block. 0.0.0.0 and :: alone are refused, since no packet has
 * that address and every one is meant. `anyHint` says what to write for any
 * address, where the block stands.
 */
export function parseBlock(text: string, anyHint: string): BlockResult {
	const parsed = parseCidr(text);
	if (!parsed.ok) return explain(text, anyHint) ?? parsed;
	const { cidr } = parsed;
	if (text.includes("/")) return { ...parsed, network: null };
	if (cidr.base === 0n) {
		const all = formatCidr({ ...cidr, prefix: 0 });
		return fail(`${text} is one address, which no host has`, `write ${all} for every address of its family`);
	}
	return { ...parsed, network: networkOf(cidr) };
}

/**
 * A block as `parseBlock` reads it back without a question: one address is bare, unless that is refused or looks like a
 * whole network. Packets do come from 0.0.0.0 (DHCP, IGMP queriers) and ::.
 */
export function writeBlock(cidr: Cidr): string {
	const whole = formatCidr(cidr);
	if (cidr.prefix !== addressBits(cidr.family) || cidr.base === 0n || networkOf(cidr) !== null) return whole;
	return whole.slice(0, whole.indexOf("/"));
}

export type PeerBlock = BlockResult | { readonly ok: true; readonly suffix: Suffix };

/** The same where a suffix of IPv6 may stand as well: `::1234:5678/::ffff:ffff`. */
export function parsePeerBlock(text: string, anyHint: string): PeerBlock {
	const parsed = parseSuffix(text);
	if (parsed === null) {
		const bare = text.trim();
		return parseSuffix(bare)?.ok ? aroundIt(text, bare) : parseBlock(text, anyHint);
	}
	if (!parsed.ok) return parsed;
	if ("suffix" in parsed) return parsed;
	return { ok: true, cidr: parsed.cidr, hostBits: false, network: null };
}

/** The network that an address with zeros at its end names, or null where it looks like a host's. */
function networkOf({ family, base }: Cidr): Cidr | null {
	if (family === 4) {
		if (base % 256n !== 0n) return null;
		const prefix = base % 0x1000000n === 0n ? 8 : base % 0x10000n === 0n ? 16 : 24;
		// 172.16.0.0 begins the one private network that ends within a part.
		return { family, base, prefix: base === 0xac100000n ? 12 : prefix };
	}
	if (base % (1n << 64n) !== 0n) return null;
	let prefix = 64;
	while (prefix > 16 && base % (1n << BigInt(128 - prefix + 16)) === 0n) prefix -= 16;
	return { family, base, prefix };
}

const anyWords = /^(any|all|every|everyone|anywhere|world|internet|default|\*|0|0\/0|::\/?\*|any[46])$/i;

/** What a text that is no block probably means; null where that cannot be told. */
function explain(text: string, anyHint: string): Failure | null {
	if (text.length > longestText) return null;
	const template = describeTemplate(text);
	if (template !== null) return { ok: false, ...template };
	if (anyWords.test(text.trim())) return fail(`${quote(text)} is no address block`, anyHint);
	return (
		negation(text) ??
		range(text) ??
		list(text) ??
		withPort(text) ??
		suffixed(text) ??
		netmask(text) ??
		shortForm(text)
	);
}

function negation(text: string): Failure | null {
	const inner = /^\s*(?:!|not\s|except\s|-)\s*(\S+)$/i.exec(text)?.[1];
	const parsed = inner === undefined ? null : parseCidr(inner);
	if (!parsed?.ok) return null;
	const { family } = parsed.cidr;
	const whole = family === 4 ? "0.0.0.0/0" : "::/0";
	return fail(
		`${quote(text)}: a block cannot be negated`,
		`write cidr: ${whole} with except: [${formatCidr(parsed.cidr)}]`,
	);
}

function range(text: string): Failure | null {
	const [, from = "", to = ""] = /^\s*([0-9a-f.:]+)\s*(?:-|–|\.\.)\s*([0-9a-f.:]+)\s*$/i.exec(text) ?? [];
	const first = parseAddress(from);
	if (!("family" in first)) return null;
	// 198.51.100.20-40 counts in the last part.
	const last = parseAddress(/^\d{1,3}$/.test(to) ? from.replace(/\d+$/, to) : to);
	if (!("family" in last) || last.family !== first.family) return null;
	const message = `${quote(text)} is a range, not a block`;
	if (last.value < first.value) return fail(message, "write the lower address first, as blocks");
	const blocks = blocksOf(first.family, first.value, last.value);
	const rest = blocks.length - mostBlocks;
	const shown = blocks.slice(0, mostBlocks).map(formatCidr).join(", ");
	return fail(message, `write one entry for each block: ${shown}${rest > 0 ? ` and ${rest} more` : ""}`);
}

/** The fewest blocks that are exactly the addresses from `first` to `last`. */
export function blocksOf(family: Family, first: bigint, last: bigint): Cidr[] {
	const bits = addressBits(family);
	const blocks: Cidr[] = [];
	for (let base = first; base <= last; ) {
		let host = 0;
		while (host < bits) {
			const size = 1n << BigInt(host + 1);
			if (base % size !== 0n || base + size - 1n > last) break;
			host++;
		}
		blocks.push({ family, base, prefix: bits - host });
		base += 1n << BigInt(host);
	}
	return blocks;
}

function list(text: string): Failure | null {
	const parts = text.split(/[\s,;|]+/).filter((part) => part !== "");
	if (parts.length === 0 || !parts.every((part) => parseCidr(part).ok)) return null;
	const [only = ""] = parts;
	if (parts.length === 1) return aroundIt(text, only);
	const entries = parts.slice(0, mostEntries).map((part) => `- ipBlock: {cidr: ${yamlText(part)}}`);
	return fail(`${quote(text)} is a list in one text`, `write one entry each: ${entries.join(" ")}`);
}

function aroundIt(text: string, block: string): Failure {
	return fail(`${quote(text)} has characters around the block`, `write ${block}`);
}

function yamlText(block: string): string {
	return block.includes(":") ? `"${block}"` : block;
}

function withPort(text: string): Failure | null {
	const [, bracketed, plain, port = ""] =
		/^(?:\[([0-9a-f:.]+)\]|([0-9.]+(?:\/\d+)?)):(\d{1,5})$/i.exec(text.trim()) ?? [];
	const block = bracketed ?? plain ?? "";
	if (!parseCidr(block).ok) return null;
	return fail(
		`${quote(text)} is a block with a port`,
		`write cidr: ${yamlText(block)}, and the port in the rule's ports: [{protocol: TCP, port: ${port}}]`,
	);
}

/** `::1234:5678/::ffff:ffff`, as some write a host behind a prefix that changes. */
function suffixed(text: string): Failure | null {
	const parsed = parseSuffix(text.trim());
	if (parsed === null) return null;
	if (!parsed.ok) return parsed;
	if ("cidr" in parsed) return fail(`${quote(text)} has a mask`, `write ${formatCidr(parsed.cidr)}`);
	const written = formatSuffix(parsed.suffix);
	return fail(
		`${quote(text)} names addresses by their ends, and only blocks can stand here`,
		`write it in the rule: - ipBlock: {cidr: "${written}"}; it makes an exception of a rule about a block around it`,
	);
}

function netmask(text: string): Failure | null {
	const [, address = "", maskText = ""] =
		/^([0-9.]+)\s*(?:\/|\s+(?:mask|netmask)\s+)\s*([0-9.]+)$/i.exec(text) ?? [];
	const base = parseAddress(address);
	const mask = parseAddress(maskText);
	if (!("family" in base) || !("family" in mask) || base.family !== 4 || mask.family !== 4) return null;
	const prefix = prefixOf(mask.value) ?? prefixOf(mask.value ^ 0xffffffffn);
	if (prefix === null)
		return fail(`${quote(text)} has a mask that is no prefix`, "write one entry for each block");
	const cidr = formatCidr({ family: 4, base: maskBase(base.value, 4, prefix), prefix });
	return fail(`${quote(text)} has a netmask in place of a prefix length`, `write ${cidr}`);
}

/** The length of a mask of leading ones; null for any other. */
function prefixOf(mask: bigint): number | null {
	const inverse = mask ^ 0xffffffffn;
	return (inverse & (inverse + 1n)) === 0n ? 32 - inverse.toString(2).replace(/^0$/, "").length : null;
}

/** `192.0.2.*`, `192.0.2.`, `192.0.2.x` and `192.0.2`, with or without a prefix length. */
function shortForm(text: string): Failure | null {
	const [, digits, prefix] =
		/^(\d{1,3}(?:\.\d{1,3}){0,2})(?:\.[*x]?){0,3}(?:\/(\d{1,2}))?$/i.exec(text.trim()) ?? [];
	if (digits === undefined) return null;
	const parts = digits.split(".");
	const length = prefix === undefined ? parts.length * 8 : Number(prefix);
	const block = parseCidr(`${[...parts, "0", "0", "0"].slice(0, 4).join(".")}/${length}`);
	if (!block.ok || (parts.length === 1 && prefix === undefined && !text.includes("."))) return null;
	return fail(
		`${quote(text)} is not four decimal numbers with a prefix length`,
		`write ${formatCidr(block.cidr)}`,
	);
}
