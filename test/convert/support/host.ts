/** What a host does with converted policies, read from the text that was written. */

import { expect } from "bun:test";
import { parseAddress } from "../../../src/base/cidr.ts";
import type { Action, Direction, Protocol } from "../../../src/base/model.ts";
import { proveOrder } from "../../../src/cli/ask/convert-proof.ts";
import type { Conversion, Finding } from "../../../src/convert/finding.ts";
import { convertAll, type Format, formatOf } from "../../../src/convert/formats.ts";
import { policyText } from "../../../src/convert/text.ts";
import { matchSelector } from "../../../src/document/labels.ts";
import { isBroken } from "../../../src/document/parse.ts";
import { buildModel, decidePacket, ruleSets } from "../../../src/enforcers/network/compile/program.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";

export interface Asked {
	readonly direction?: Direction;
	readonly protocol?: Protocol | null;
	readonly address: string;
	readonly port?: number;
	readonly interface?: string;
	/** The source port, or the type of ICMP. */
	readonly source?: number | null;
}

export interface Host {
	readonly conversions: readonly Conversion[];
	readonly findings: readonly Finding[];
	readonly text: string;
	readonly verdict: (asked: Asked) => Action;
}

/** Converts texts by the format of the first, and reads what comes of it. */
export function convertTexts(texts: readonly string[], labels: Readonly<Record<string, string>> = {}): Host {
	const format = formatOf(texts[0] ?? "");
	if (format === null) throw new Error("no format");
	return convertAs(format, texts, labels);
}

export function convertAs(
	format: Format,
	texts: readonly string[],
	labels: Readonly<Record<string, string>> = {},
): Host {
	const converted = convertAll(
		format,
		texts.map((text, i) => ({ file: `source-${i}`, text })),
	);
	if (!converted.ok) throw new Error(JSON.stringify(converted.problems));
	const { conversions } = converted;
	const text = conversions.flatMap(({ policies }) => policies.map(policyText)).join("---\n");
	const documents = text === "" ? [] : parsePolicyFile("converted.yaml", text).documents;
	const all = { "kubernetes.io/hostname": "h1", ...labels };
	const selected = documents.flatMap((document) => {
		expect(document.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
		expect(isBroken(document)).toBe(false);
		const { policy } = document;
		return policy !== null && matchSelector(policy.nodeSelector, all).selected
			? networkPart.of([policy])
			: [];
	});
	const model = buildModel(ruleSets(selected), {
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
	});
	return {
		conversions,
		findings: conversions.flatMap(({ findings }) => findings),
		text,
		verdict(asked) {
			const remote = parseAddress(asked.address);
			if ("message" in remote) throw new Error(remote.message);
			return decidePacket(model, {
				direction: asked.direction ?? "ingress",
				protocol: asked.protocol === undefined ? "tcp" : asked.protocol,
				family: remote.family,
				address: remote.value,
				port: asked.port ?? 0,
				source: asked.source ?? null,
				interface: asked.interface ?? "",
			}).action;
		},
	};
}

/** The differences that the proof names; a conversion that cannot be proved is one. */
export function differences(host: Host): readonly unknown[] {
	const proof = proveOrder(host.conversions);
	return proof === null || proof.reason !== null ? [proof?.reason] : proof.boxes;
}
