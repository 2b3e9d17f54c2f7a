/** `limit` and `duration` of a rule: how many bytes it lets by in a window of time. */

import { isScalar, type Node } from "yaml";
import type { Path } from "../../../base/path.ts";
import { quote } from "../../../base/suggest.ts";
import { type JsonSchema, matching, whole } from "../../../document/json-schema.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import type { NetworkRule, Quota } from "../model.ts";

export const quotaFields = ["limit", "duration"] as const;

/** As KubeArmor has them: K is 1024. */
const units: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes; the kernel counts further, but numbers here are exact no longer. */
const mostBytes = Number.MAX_SAFE_INTEGER;

/** Ten years of 365 days. */
const mostSeconds = 10 * 365 * 86_400;

const limitForm = /^(\d{1,16}) *(?:([KMG])B?)?$/iu;

type Read<T> =
	| ({ readonly ok: true } & T)
	| { readonly ok: false; readonly message: string; readonly hint: string };

/** Reads an amount such as `500KB`, `2 gb` or `3`, which is GB. `bare`: it has no unit. */
export function parseLimit(text: string): Read<{ readonly bytes: number; readonly bare: boolean }> {
	const [, digits, unit] = limitForm.exec(text.trim()) ?? [];
	const wrong = (message: string, hint: string) => ({ ok: false, message, hint }) as const;
	if (digits === undefined)
		return wrong("is not an amount of bytes", "write a whole number with KB, MB or GB, such as 500MB");
	const bytes = Number(digits) * (units[unit?.toLowerCase() ?? "g"] ?? 0);
	if (bytes === 0)
		return wrong("lets nothing by", "write an amount above 0, or action: Block without limit and duration");
	if (bytes > mostBytes) return wrong("is more than can be counted", "write at most 8388607GB");
	return { ok: true, bytes, bare: unit === undefined };
}

/** Nanoseconds, as in Go; a day has 24 hours. */
const durations: Readonly<Record<string, bigint>> = {
	ns: 1n,
	us: 1000n,
	µs: 1000n,
	μs: 1000n,
	ms: 1_000_000n,
	s: 1_000_000_000n,
	m: 60_000_000_000n,
	h: 3_600_000_000_000n,
	d: 86_400_000_000_000n,
};

const part = /(\d{0,12})(?:\.(\d{0,9}))?(ns|us|µs|μs|ms|s|m|h|d)/uy;

/** Nanoseconds of what Go's time.ParseDuration takes, and days; null for everything else. */
function nanoseconds(text: string): bigint | null {
	if (text === "" || text.length > 64) return null;
	let sum = 0n;
	for (part.lastIndex = 0; part.lastIndex < text.length; ) {
		const [, whole = "", fraction = "", unit = ""] = part.exec(text) ?? [];
		const each = durations[unit];
		if (each === undefined || whole + fraction === "") return null;
		sum += BigInt(whole || "0") * each;
		sum += (BigInt(fraction || "0") * each) / 10n ** BigInt(fraction.length);
	}
	return sum;
}

/** Reads a duration such as `20m`, `1h30m`, `1.5h` or `7d`. `rounded`: it had a part of a second, which is left away. */
export function parseWindow(text: string): Read<{ readonly seconds: number; readonly rounded: boolean }> {
	const nanos = nanoseconds(text.trim().replace(/^\+/u, ""));
	const wrong = (message: string, hint: string) => ({ ok: false, message, hint }) as const;
	if (nanos === null)
		return wrong("is not a duration", "write a number with s, m, h or d, such as 20m or 1h30m");
	const second = durations.s ?? 1n;
	if (nanos < second) return wrong("is shorter than a second", "write at least 1s");
	if (nanos > BigInt(mostSeconds) * second)
		return wrong("is longer than ten years", `write at most ${mostSeconds / 86_400}d`);
	return { ok: true, seconds: Number(nanos / second), rounded: nanos % second !== 0n };
}

/** Reads both fields of a rule; null where it has none, or where they are wrong, which is reported. */
export function readQuota(reader: NodeReader, fields: Fields): Quota | null {
	const limit = reader.present(fields, "limit");
	const duration = reader.present(fields, "duration");
	if (limit === null && duration === null) return null;
	const bytes = limit && readLimit(reader, limit.node, limit.path);
	const seconds = duration && readWindow(reader, duration.node, duration.path);
	const only = limit ?? duration;
	if (only !== null && (limit === null || duration === null)) {
		const [has, other, example] =
			limit === null ? ["duration", "limit", "limit: 500MB"] : ["limit", "duration", "duration: 1d"];
		const message = `${has} without ${other}: a quota needs both`;
		reader.error(only.node, only.path, "missing-field", message, `add ${other}, such as ${example}`);
	}
	return bytes === null || seconds === null ? null : { bytes: bytes.bytes, limit: bytes.text, seconds };
}

/** An Audit with a quota decides nothing, so it has no connections to limit. */
export function refuseUncounted(
	reader: NodeReader,
	{
		action,
		limits,
		quota,
		sender,
		peers,
	}: Pick<NetworkRule, "action" | "limits" | "quota" | "sender" | "peers">,
	node: Node,
	path: Path,
): void {
	if (quota !== undefined && sender !== undefined) {
		const message = "a quota counts what all send together, so its rule names no user, group or service";
		reader.error(node, path, "sender-with-quota", message, "write two rules, one with limit and duration");
	}
	if (quota !== undefined && peers.some(({ suffix }) => suffix !== undefined)) {
		const message = "a quota counts by blocks of addresses, so its rule names no end of addresses";
		reader.error(node, path, "suffix-with-quota", message, "write two rules, one with limit and duration");
	}
	if (quota === undefined || limits === undefined || action === "Allow") return;
	const message = "a rule with a quota decides nothing unless it is an Allow, so it limits no connections";
	reader.error(node, path, "limits-with-quota", message, "write two rules, one with limit and duration");
}

function readLimit(
	reader: NodeReader,
	node: Node,
	path: Path,
): { readonly bytes: number; readonly text: string } | null {
	const text = bareNumber(node) ?? reader.text(node, path);
	if (text === null) return null;
	const read = parseLimit(text);
	if (!read.ok) {
		reader.error(node, path, "bad-limit", `${quote(text)} ${read.message}`, read.hint);
		return null;
	}
	const { bytes, bare } = read;
	if (bare) {
		const message = `${quote(text)} has no unit, and is taken for GB, as KubeArmor does`;
		reader.warn(node, path, "limit-unit", message, `write ${text.trim()}GB`);
	}
	return { bytes, text: text.trim().toUpperCase().replace(/ /gu, "") + (bare ? "GB" : "") };
}

/** Without quotes a number is one, and not a text. */
function bareNumber(node: Node): string | null {
	if (!isScalar(node) || typeof node.value !== "number") return null;
	return node.source ?? String(node.value);
}

function readWindow(reader: NodeReader, node: Node, path: Path): number | null {
	const text = bareNumber(node) ?? reader.text(node, path);
	if (text === null) return null;
	const read = parseWindow(text);
	if (!read.ok) {
		reader.error(node, path, "bad-duration", `${quote(text)} ${read.message}`, read.hint);
		return null;
	}
	if (read.rounded) {
		const message = `${quote(text)} has a part of a second, which is left away`;
		reader.warn(node, path, "duration-rounded", message, `write ${read.seconds}s`);
	}
	return read.seconds;
}

const levels = ["Pod", "Policy"];

/** `level` of a spec says how pods share a quota, which means nothing to a host. */
export function readLevel(reader: NodeReader, spec: Fields): void {
	const level = reader.present(spec, "level");
	if (level === null) return;
	const text = reader.text(level.node, level.path);
	if (text === null) return;
	const known = levels.some((word) => word.toLowerCase() === text.toLowerCase());
	const hint = "leave it out: all of a host shares one quota";
	if (known)
		reader.warn(
			level.node,
			level.path,
			"level-ignored",
			"level says how pods share a quota; it is ignored",
			hint,
		);
	else reader.error(level.node, level.path, "bad-level", `${quote(text)} is neither Pod nor Policy`, hint);
}

/** Signs of what may stand there; whether it is in range is for the validator to say. */
export const quotaSchemas = {
	limit: { anyOf: [whole(1, 8_388_607), matching("^\\s*\\d{1,16} *(?:[KMGkmg][Bb]?)?\\s*$")] },
	duration: matching("^\\s*\\+?(?:\\d{0,12}(?:\\.\\d{0,9})?(?:ns|us|µs|μs|ms|s|m|h|d))+\\s*$"),
} as const satisfies Readonly<Record<(typeof quotaFields)[number], JsonSchema>>;

export const levelSchema: JsonSchema = matching("^(?:[Pp][Oo][Dd]|[Pp][Oo][Ll][Ii][Cc][Yy])$");
