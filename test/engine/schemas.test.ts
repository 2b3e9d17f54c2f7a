/** What the schemas refuse the validators refuse, and what the validators take the schemas take. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseAllDocuments } from "yaml";
import { isBroken } from "../../src/document/parse.ts";
import { podKinds } from "../../src/document/pod-kinds.ts";
import { registeredKinds } from "../../src/engine/enforcers.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { documentSchema, kindSchemas, schemaOfKind } from "../../src/engine/schemas.ts";
import { takes } from "../support/json-schema.ts";

const root = join(import.meta.dir, "../..");

function filesOf(...folders: readonly string[]): { readonly file: string; readonly text: string }[] {
	return folders.flatMap((folder) =>
		readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
			.filter((name) => /\.(?:ya?ml|json)$/u.test(name) && statSync(join(root, folder, name)).isFile())
			.map((name) => ({ file: join(folder, name), text: readFileSync(join(root, folder, name), "utf8") })),
	);
}

const corpus = filesOf("test/fixtures", "policies").filter(({ file }) => !file.includes("usb-devices"));
const whole = documentSchema();

/** Values of documents, aliases followed; none where the text is no YAML. */
function valuesOf(text: string): unknown[] {
	const documents = parseAllDocuments(text, { logLevel: "silent" });
	if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return [];
	return documents.flatMap((document) => {
		const value: unknown = document.toJS();
		return value === null ? [] : [value];
	});
}

const valid = (text: string) => {
	const { documents, syntaxBroken } = parsePolicyFile("p.yaml", text);
	return !syntaxBroken && documents.length > 0 && !documents.some(isBroken);
};

describe("the corpora", () => {
	test("what the validators take the schema takes", () => {
		const taken = corpus.filter(({ text }) => valid(text));
		expect(taken.length).toBeGreaterThan(30);
		for (const { file, text } of taken) {
			for (const value of valuesOf(text)) expect([file, takes(value, whole)]).toEqual([file, true]);
		}
	});

	test("it refuses most of what is wrong in form", () => {
		const refused = corpus.filter(({ text }) => valuesOf(text).some((value) => !takes(value, whole)));
		for (const { file, text } of refused) expect([file, valid(text)]).toEqual([file, false]);
		const names = refused.map(({ file }) => file.replace("test/fixtures/", ""));
		expect(names).toEqual(
			expect.arrayContaining([
				"policies-bad/misspelt-fields.yaml",
				"policies-bad/quota.yaml",
				"policies-bad/match-protocols.yaml",
				"policies-bad/bad-ports.yaml",
				"policies-bad/bad-blocks.yaml",
			]),
		);
	});
});

describe("random changes of good documents", () => {
	const good = corpus.filter(({ text }) => valid(text)).flatMap(({ text }) => valuesOf(text));
	const tests = valuesOf(
		`apiVersion: portward.io/v1
kind: PortwardTest
metadata: {name: t}
spec:
  nodeLabels: {role: a}
  settings: {hostDefaultNetworkPosture: block}
  cases:
  - {name: a, direction: ingress, protocol: tcp, address: 10.0.0.1, port: 22, sourcePort: 1, interface: eth0, expect: Allow, policy: p}
  - {direction: Egress, protocol: ICMP, address: 10.0.0.1, icmpType: echo-request, expect: block}
`,
	);
	const devices = valuesOf(
		`apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata: {name: d}
spec:
  nodeSelector: {matchLabels: {role: a}}
  action: Allow
  device:
    matchDevice:
    - {class: HID, subClass: 1, protocol: "0x02", level: 1, vendorId: 046d, productId: "c31c", serial: [a, b], port: 1-4.*, connectType: hotplug, unlessAlso: [8], severity: 3, tags: [x], message: m}
    - {class: 0x08, descriptorsHash: "${"0a".repeat(32)}", product: p, manufacturer: m}
`,
	);
	const value = fc.oneof(
		fc.constantFrom<unknown>(
			null,
			true,
			0,
			1,
			7,
			22,
			65_535,
			65_536,
			-1,
			1.5,
			"",
			"*",
			"22",
			"ssh",
			"TCP",
			"icmp",
		),
		fc.constantFrom<unknown>(
			"audit",
			"ALLOW",
			"10.0.0.0/8",
			"::/0",
			"eth0",
			"eth*",
			"HID",
			"0x08",
			[],
			{},
			["a"],
			[{}],
		),
		fc.constantFrom<unknown>(
			"Hotplug",
			"NOT USED",
			"echo-request",
			"1-4",
			"0x50",
			["HID"],
			6,
			255,
			"2001:db8::1",
		),
	);

	/** Every place of a document, as keys from its root. */
	function places(at: unknown, path: readonly string[] = []): (readonly string[])[] {
		if (at === null || typeof at !== "object") return [path];
		return [path, ...Object.entries(at).flatMap(([key, inner]) => places(inner, [...path, key]))];
	}

	function changed(
		at: unknown,
		[key, ...rest]: readonly string[],
		change: (old: unknown) => unknown,
	): unknown {
		if (key === undefined) return change(at);
		const copy: Record<string, unknown> = Array.isArray(at) ? ([...at] as never) : { ...(at as object) };
		const next = changed(copy[key], rest, change);
		if (next === undefined && !Array.isArray(copy)) delete copy[key];
		else copy[key] = next === undefined ? null : next;
		return copy;
	}

	const fields = [
		"from",
		"to",
		"ports",
		"iface",
		"action",
		"severity",
		"port",
		"protocol",
		"class",
		"level",
		"x",
	];
	const mutation = fc.record({
		document: fc.constantFrom(...good, ...tests, ...tests, ...devices, ...devices),
		at: fc.nat(),
		replacement: fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: fc.constant(undefined) }),
		field: fc.option(fc.constantFrom(...fields)),
	});

	test("what the validators take the schema takes", () => {
		let taken = 0;
		fc.assert(
			fc.property(fc.array(mutation, { minLength: 1, maxLength: 1 }), ([one]) => {
				if (one === undefined) return;
				const all = places(one.document);
				const path = all[one.at % all.length] ?? [];
				const result = changed(one.document, path, (old) =>
					one.field !== null && old !== null && typeof old === "object" && !Array.isArray(old)
						? { ...old, [one.field]: one.replacement ?? null }
						: one.replacement,
				);
				const text = JSON.stringify(result);
				if (text === undefined || !valid(text)) return;
				taken++;
				expect(takes(result, whole)).toBe(true);
			}),
			{ numRuns: 3000 },
		);
		expect(taken).toBeGreaterThan(300);
	});
});

test("every kind that is registered has a schema, but those that are for pods", () => {
	const pods = podKinds.map(({ name }) => name);
	expect(Object.keys(kindSchemas).toSorted()).toEqual(
		registeredKinds.names.filter((name) => !pods.includes(name)).toSorted(),
	);
});

test("a name that is no kind has none", () => {
	expect(schemaOfKind("KubeArmorPolicy")).toBeNull();
	expect(schemaOfKind("constructor")).toBeNull();
});
