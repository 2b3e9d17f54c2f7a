/**
 * KubeArmor's copies of a host's policies (/opt/kubearmor/policies) as policies that a directory takes. They hold what
 * KubeArmor made of a policy: the name as policyName, inherited fields at each rule, and what it adds for itself. Pure.
 */

import { isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import type { Place } from "../../base/diagnostic.ts";
import { quote } from "../../base/suggest.ts";
import { readDocuments } from "../documents.ts";
import type { Finding } from "../finding.ts";
import type { Source } from "../kubernetes.ts";
import type { SourceText } from "../reading.ts";

export interface ImportedPolicy {
	/** Of the document in its source. */
	readonly place: Place;
	readonly name: string;
	/** As a policy directory takes it, if it is right. */
	readonly document: Readonly<Record<string, unknown>>;
}

export interface ImportedPolicies {
	readonly policies: readonly ImportedPolicy[];
	readonly findings: readonly Finding[];
}

/** Blocks of a KubeArmorHostPolicy that are for something else than ports. */
const otherBlocks: Readonly<Record<string, string>> = {
	process: "portward has no rules for processes",
	file: "portward has no rules for files",
	network: "portward has no rules for sockets of processes; a KubeArmorNetworkPolicy is for packets",
	capabilities: "portward has no rules for capabilities",
	syscalls: "portward has no rules for system calls",
	apparmor: "portward loads no profiles of AppArmor",
};

/** What KubeArmor adds for itself. */
const ownFields = new Set(["identities"]);
/** Numbers of Go that stand for nothing where they are 0. */
const unsetAtZero = new Set(["severity", "level", "endPort"]);

export function importPolicies(sources: readonly SourceText[]): ImportedPolicies {
	const findings: Finding[] = [];
	const policies = sources.flatMap((source) => {
		const read = readDocuments(source);
		// A copy that KubeArmor could not read either is none of its policies.
		for (const problem of read.problems) findings.push({ ...problem, kind: "lost" });
		return read.sources.flatMap((document) => importOne(document, findings) ?? []);
	});
	return { policies, findings };
}

function importOne(source: Source, findings: Finding[]): ImportedPolicy | null {
	const { root, place } = source;
	const lost = (node: Node | null, message: string) => {
		findings.push({ ...place(node), kind: "lost", message });
		return null;
	};
	if (!isMap(root)) return lost(root, "this is no policy");
	const metadata = mapAt(root, "metadata");
	const spec = mapAt(root, "spec");
	const name = textAt(metadata, "policyName") ?? textAt(metadata, "name") ?? "";
	if (name === "" || spec === null) return lost(root, "this is no policy with a name and a spec");
	const kind = textAt(root, "kind") ?? guessedKind(metadata, spec);
	const about = `policy ${quote(name)}`;
	if (kind === "KubeArmorNetworkPolicy") {
		if (size(spec.get("selector", true)) > 0)
			return lost(spec, `${about} selects pods: portward guards hosts, not containers`);
		return made(kind, name, data(spec), place(root));
	}
	if (kind !== "KubeArmorHostPolicy") return lost(root, `${about} is for containers: portward guards hosts`);
	const kept: Record<string, unknown> = {};
	for (const [field, value] of Object.entries(data(spec))) {
		const why = Object.hasOwn(otherBlocks, field) ? otherBlocks[field] : undefined;
		if (why === undefined) kept[field] = value;
		else if (size(spec.get(field, true)) > 0)
			lost(nodeAt(spec, field), `${about}: spec.${field} is left out: ${why}`);
	}
	if (!("device" in kept)) return lost(root, `nothing of ${about} is left: it has no rules for devices`);
	return made(kind, name, kept, place(root));
}

function made(
	kind: string,
	name: string,
	spec: Readonly<Record<string, unknown>>,
	place: Place,
): ImportedPolicy {
	const document = { apiVersion: "security.kubearmor.com/v1", kind, metadata: { name }, spec };
	return { place, name, document };
}

/** Copies of older versions name no kind. */
function guessedKind(metadata: YAMLMap | null, spec: YAMLMap): string {
	if (textAt(metadata, "namespaceName") !== null) return "KubeArmorPolicy";
	return spec.has("ingress") || spec.has("egress") ? "KubeArmorNetworkPolicy" : "KubeArmorHostPolicy";
}

function nodeAt(map: YAMLMap, key: string): Node | null {
	const node: unknown = map.get(key, true);
	return isMap(node) || isSeq(node) || isScalar(node) ? node : null;
}

function mapAt(map: YAMLMap, key: string): YAMLMap | null {
	const node: unknown = map.get(key, true);
	return isMap(node) ? node : null;
}

function textAt(map: YAMLMap | null, key: string): string | null {
	const value: unknown = map?.get(key);
	return typeof value === "string" && value !== "" ? value : null;
}

/** How much a node says, in rules and values; what is empty all the way down says nothing. */
function size(node: unknown): number {
	if (isMap(node)) return node.items.reduce((sum, { value }) => sum + size(value), 0);
	if (isSeq(node)) return node.items.reduce<number>((sum, item) => sum + size(item), 0);
	return isScalar(node) && node.value !== null && node.value !== "" ? 1 : 0;
}

/** The fields of a mapping as plain data, without what Go writes for what was never said. */
function data(map: YAMLMap): Record<string, unknown> {
	const fields = map.items.flatMap(({ key, value }): [string, unknown][] => {
		const name = isScalar(key) ? String(key.value) : "";
		if (ownFields.has(name)) return [];
		const plain = plainData(value);
		const unset = plain === null || plain === undefined || plain === "" || isEmptyMap(plain);
		return unset || (plain === 0 && unsetAtZero.has(name)) ? [] : [[name, plain]];
	});
	return Object.fromEntries(fields);
}

function plainData(node: unknown): unknown {
	if (isMap(node)) return data(node);
	if (isSeq(node)) return node.items.map(plainData);
	return isScalar(node) ? node.value : undefined;
}

function isEmptyMap(value: unknown): boolean {
	return (
		typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
	);
}
