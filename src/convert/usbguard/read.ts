/**
 * USBGuard's rules.conf. Its first matching rule decides about a device as a whole; here each function is judged, and
 * what a device must not show beside it is `unlessAlso`. What no rule matches is blocked, as in USBGuard's settings.
 */

import type { Place } from "../../base/diagnostic.ts";
import { quote } from "../../base/suggest.ts";
import type { Conversion } from "../finding.ts";
import { orderedLimits, TooInvolved } from "../limits.ts";
import { type Ordered, withoutOrder } from "../order-free.ts";
import { Reading, type SourceText } from "../reading.ts";
import { type DeviceSet, deviceData, everyDevice, holdsDevices, sharedDevices } from "./device-sets.ts";
import { setsOfRule } from "./rule.ts";
import { parseUsbRule, type UsbRule } from "./words.ts";

export function isUsbguard(text: string): boolean {
	return /^(?:allow|block|reject)(?:[ \t]+(?:id|hash|parent-hash|name|serial|via-port|with-interface|with-connect-type|if|label|[0-9a-fA-F*]+:[0-9a-fA-F*]+)\b|\s*$)/mu.test(
		text,
	);
}

const algebra = { holds: holdsDevices, shared: sharedDevices };

/** Text of the source that is quoted in a comment. */
const longestQuote = 160;

export function convertUsbguard(sources: readonly SourceText[]): Conversion {
	const reading = new Reading();
	const list = listOf(sources, reading);
	const start: Place = { file: sources[0]?.file ?? "", line: 1, column: 1 };
	reading.changed(
		start,
		"what no rule matches is blocked: ImplicitPolicyTarget of usbguard-daemon.conf is not in this file",
	);
	const end: Ordered<DeviceSet> = {
		set: everyDevice,
		accepts: false,
		place: start,
		text: "the implicit target",
	};
	const { pieces, hidden, needless } = withoutOrder([...list, end], algebra);
	const entries = pieces.map(({ set, accepts }) => deviceData(set, accepts));
	// The default posture of devices is to audit, so the last word is said.
	const open = hidden.some(({ rule, by }) => rule === end && by.accepts);
	if (!pieces.some(({ set }) => holdsDevices(set, everyDevice))) entries.push(deviceData(everyDevice, open));
	const short = (text: string) => (text.length > longestQuote ? `${text.slice(0, longestQuote)} …` : text);
	const comments = [
		...reading.findings.map(
			({ kind, line, message }) => `${kind === "lost" ? "no counterpart" : "note"}: line ${line}: ${message}`,
		),
		...reading.comments,
		...pieces.map(
			({ origin: { place, text } }, i) => `matchDevice[${i}] is line ${place.line}: ${short(text)}`,
		),
		...hidden.map(
			({ rule, by }) =>
				`never reached, behind line ${by.place.line}: line ${rule.place.line}: ${short(rule.text)}`,
		),
		...needless
			.filter((rule) => rule !== end)
			.map(({ place, text }) => `holds without an entry: line ${place.line}: ${short(text)}`),
	];
	const document = {
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorHostPolicy",
		metadata: { name: "usbguard" },
		spec: {
			nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } },
			severity: 5,
			action: "Block",
			device: { matchDevice: entries },
		},
	} as const;
	return { policies: [{ comments, document }], findings: reading.findings };
}

interface Line {
	readonly rule: UsbRule;
	readonly place: Place;
	readonly text: string;
}

function linesOf({ file, text }: SourceText, reading: Reading): readonly Line[] {
	return text.split("\n").flatMap((raw, i) => {
		const line = raw.trim();
		if (line === "" || line.startsWith("#")) return [];
		const place = { file, line: i + 1, column: 1 };
		const rule = parseUsbRule(line);
		if (rule !== null) return { rule, place, text: line };
		reading.lost(place, `${quote(line)} is no rule of USBGuard`);
		return [];
	});
}

function listOf(sources: readonly SourceText[], reading: Reading): readonly Ordered<DeviceSet>[] {
	const lines = sources.flatMap((source) => linesOf(source, reading));
	const lastAllow = lines.findLastIndex(({ rule }) => rule.accepts);
	const list: Ordered<DeviceSet>[] = [];
	for (const [i, { rule, place, text }] of lines.entries()) {
		if (rule.rejects) reading.changed(place, "reject: the device is refused, but not removed");
		if (i > lastAllow) {
			reading.same(place, `no rule after it allows anything, so what it refuses is refused anyway: ${text}`);
			continue;
		}
		for (const set of setsOfRule(rule, place, reading))
			list.push({ set, accepts: rule.accepts, place, text });
		if (list.length > orderedLimits.rules)
			throw new TooInvolved(`more than ${orderedLimits.rules} conditions are not converted at once`);
	}
	return list;
}
