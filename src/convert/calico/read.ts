/**
 * Calico's GlobalNetworkPolicy and NetworkPolicy (projectcalico.org/v3), for hosts. Policies that select an endpoint are
 * asked by their order, then by name; the first rule that matches decides, and what none decides is denied. HostEndpoints
 * say which interfaces of which node are meant; without them the labels of selectors are taken for labels of hosts.
 */

import { isMap, isScalar, isSeq, type Node } from "yaml";
import type { Direction } from "../../base/model.ts";
import { isPolicyName } from "../../document/metadata.ts";
import { assemble, type OrderedConversion } from "../assemble.ts";
import { fieldOf } from "../json-value.ts";
import type { Source } from "../kubernetes.ts";
import type { ChainRule, Entrance } from "../ordered.ts";
import { everything, setsOf } from "../packets.ts";
import { Reading } from "../reading.ts";
import { interfaceOf } from "../words.ts";
import { readCalicoRule } from "./rule.ts";
import { type Labels, parseSelector, type Selector } from "./selector.ts";

const kinds: ReadonlySet<unknown> = new Set(["GlobalNetworkPolicy", "NetworkPolicy", "HostEndpoint"]);

export function isCalico({ root }: Source): boolean {
	return (
		isMap(root) && kinds.has(root.get("kind")) && /projectcalico\.org\//u.test(String(root.get("apiVersion")))
	);
}

interface Policy {
	readonly source: Source;
	readonly name: string;
	readonly order: number;
	readonly selector: Selector | null;
	readonly global: boolean;
	readonly spec: unknown;
	/** The list of rules of a direction; null where the policy does not speak of it. */
	readonly rules: Readonly<Record<Direction, readonly Node[] | null>>;
}

interface Endpoint {
	readonly source: Source;
	readonly name: string;
	readonly node: string;
	readonly labels: Labels;
	readonly interface: string;
	/** What is decided where no policy selects it. */
	readonly accepts: boolean;
}

export function convertCalico(sources: readonly Source[]): readonly OrderedConversion[] {
	const endpoints = sources.filter((source) => kindOf(source) === "HostEndpoint").map(endpointOf);
	const policies = sources.filter((source) => kindOf(source) !== "HostEndpoint").map(policyOf);
	policies.sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
	const said = new Set<string>();
	const names = new Set<string>();
	const conversions =
		endpoints.length > 0
			? [...Map.groupBy(endpoints, ({ node }) => node)].map(([node, own]) =>
					ofNode(node, own, policies, names),
				)
			: bySelector(policies, names);
	// A policy that several nodes have is told once.
	return conversions.map((conversion) => ({
		...conversion,
		findings: conversion.findings.filter(({ file, line, column, message }) => {
			const key = `${file}:${line}:${column} ${message}`;
			if (said.has(key)) return false;
			said.add(key);
			return true;
		}),
	}));
}

function kindOf({ root }: Source): unknown {
	return isMap(root) ? root.get("kind") : null;
}

/** Plain values; aliases are nothing, and the document is not deep. */
function plain(node: unknown): unknown {
	if (isScalar(node)) return node.value;
	if (isSeq(node)) return node.items.map(plain);
	if (!isMap(node)) return undefined;
	return Object.fromEntries(
		node.items.map(({ key, value }) => [String(isScalar(key) ? key.value : ""), plain(value)]),
	);
}

function labelsOf(value: unknown): Labels {
	return typeof value === "object" && value !== null
		? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, String(one)]))
		: {};
}

function endpointOf(source: Source): Endpoint {
	const document = plain(source.root);
	const metadata = fieldOf(document, "metadata");
	const spec = fieldOf(document, "spec");
	const profiles = fieldOf(spec, "profiles");
	return {
		source,
		name: String(fieldOf(metadata, "name")),
		node: String(fieldOf(spec, "node") ?? "*"),
		labels: labelsOf(fieldOf(metadata, "labels")),
		interface: String(fieldOf(spec, "interfaceName") ?? ""),
		accepts: Array.isArray(profiles) && profiles.includes("projectcalico-default-allow"),
	};
}

function policyOf(source: Source): Policy {
	const { root } = source;
	const document = plain(root);
	const spec = fieldOf(document, "spec");
	const node = isMap(root) ? root.get("spec", true) : null;
	const order = fieldOf(spec, "order");
	const types = fieldOf(spec, "types");
	const has = (direction: Direction) => fieldOf(spec, direction) !== undefined;
	const speaks = (direction: Direction) =>
		Array.isArray(types)
			? types.some((type) => String(type).toLowerCase() === direction)
			: has(direction) || (direction === "ingress" && !has("egress"));
	const rules = (direction: Direction): readonly Node[] | null => {
		if (!speaks(direction)) return null;
		const list = isMap(node) ? node.get(direction, true) : null;
		return isSeq(list) ? list.items.flatMap((item) => (isMap(item) ? item : [])) : [];
	};
	return {
		source,
		name: String(fieldOf(fieldOf(document, "metadata"), "name")),
		order: typeof order === "number" ? order : Number.POSITIVE_INFINITY,
		selector: parseSelector(String(fieldOf(spec, "selector") ?? "")),
		global: fieldOf(document, "kind") === "GlobalNetworkPolicy",
		spec,
		rules: { ingress: rules("ingress"), egress: rules("egress") },
	};
}

/** Whether a policy can be converted at all; what cannot is told. */
function usable({ source, spec, selector }: Policy, reading: Reading): boolean {
	const place = source.place(source.root);
	const left = (what: string) => {
		reading.lost(place, `${what}: the policy is left out`);
		return false;
	};
	if (selector === null) return left("its selector is not understood");
	if (fieldOf(spec, "preDNAT") === true || fieldOf(spec, "doNotTrack") === true)
		return left("preDNAT and doNotTrack");
	const tier = fieldOf(spec, "tier") ?? "default";
	if (tier !== "default") return left(`the tier ${String(tier)}`);
	if (
		fieldOf(spec, "namespaceSelector") !== undefined ||
		fieldOf(spec, "serviceAccountSelector") !== undefined
	)
		return left("selectors of namespaces and service accounts");
	if (fieldOf(spec, "applyOnForward") === true)
		reading.changed(place, "applyOnForward: forwarding is not covered");
	return true;
}

/** Rules of policies that select an endpoint, as one chain; null where none of them speaks of the direction. */
function chainOf(policies: readonly Policy[], direction: Direction, reading: Reading): ChainRule[] | null {
	const speaking = policies.filter(({ rules }) => rules[direction] !== null);
	if (speaking.length === 0) return null;
	return speaking.flatMap(({ name, source, rules }) =>
		(rules[direction] ?? []).flatMap(
			(node) => readCalicoRule(plain(node), source.place(node), direction, name, reading) ?? [],
		),
	);
}

const failsafe =
	"Felix' failsafe ports are not in the source: name what must stay reachable in failsafe of the settings, or in a policy";

/** Without endpoints: policies of one selector are one policy of hosts. */
function bySelector(policies: readonly Policy[], names: Set<string>): readonly OrderedConversion[] {
	const early = new Reading();
	const used = policies.filter((policy) => usable(policy, early));
	const groups = Map.groupBy(used, ({ selector }) =>
		JSON.stringify(Object.entries(selector?.labels ?? { "?": "" }).sort()),
	);
	const conversions = [...groups.values()].map((own) => {
		const reading = new Reading();
		const [first] = own;
		const labels = first?.selector?.labels ?? null;
		const place =
			first === undefined ? { file: "", line: 1, column: 1 } : first.source.place(first.source.root);
		reading.changed(place, failsafe);
		if (labels === null)
			reading.lost(place, "hosts are selected by equal labels alone: the policies are left out");
		if (groups.size > 1) {
			const message =
				"other policies have other selectors: which comes first on a host that several select is not kept; give the HostEndpoints as well";
			reading.lost(place, message);
		}
		if (own.some(({ global }) => !global))
			reading.changed(place, "hosts have no namespaces: the policy holds for every host that it selects");
		for (const direction of labels === null ? [] : (["ingress", "egress"] as const)) {
			const rules = chainOf(own, direction, reading);
			if (rules === null) continue;
			reading.chains.set(direction, rules);
			const end = {
				chain: direction,
				packets: everything(),
				accepts: false,
				place,
				text: "what no rule decides",
			};
			reading.entrances[direction].push(end);
		}
		const all = Object.keys(labels ?? {}).length === 0;
		return assemble(unused(first?.name ?? "", names), reading, all || labels === null ? undefined : labels);
	});
	return early.findings.length === 0 ? conversions : [assemble("calico", early), ...conversions];
}

/** The endpoints of a node: an interface with one of its own belongs to that, every other to the endpoint of all. */
function ofNode(
	node: string,
	endpoints: readonly Endpoint[],
	policies: readonly Policy[],
	names: Set<string>,
): OrderedConversion {
	const reading = new Reading();
	const [first] = endpoints;
	const place =
		first === undefined ? { file: "", line: 1, column: 1 } : first.source.place(first.source.root);
	reading.changed(place, failsafe);
	const used = policies.filter((policy) => {
		if (!usable(policy, reading)) return false;
		if (!policy.global)
			reading.lost(
				policy.source.place(policy.source.root),
				"a policy of a namespace does not mean host endpoints: it is left out",
			);
		return policy.global;
	});
	const links = endpoints.map(({ source, interface: name }) => {
		const match = name === "*" ? null : interfaceOf(name);
		if (match === undefined)
			reading.lost(source.place(source.root), "it names no interface: it is taken for every one");
		return match ?? null;
	});
	for (const direction of ["ingress", "egress"] as const) {
		const go = endpoints.map((endpoint, i): ChainRule => {
			const own = used.filter(({ selector }) => selector?.matches(endpoint.labels));
			const at = endpoint.source.place(endpoint.source.root);
			const rules = chainOf(own, direction, reading);
			const accepts = rules === null && endpoint.accepts;
			const end = { place: at, text: `the end of ${endpoint.name}`, match: everything(), unless: [] };
			const chain = `${direction} ${i}`;
			reading.chains.set(chain, [
				...(rules ?? []),
				{ ...end, target: { kind: accepts ? "accept" : "drop" } },
			]);
			const match = setsOf({ blocks: null, entries: null, interfaces: [links[i] ?? null] }, [4, 6]);
			const target = { kind: "jump", chain, comesBack: false } as const;
			return { place: at, text: `HostEndpoint ${endpoint.name}`, match, unless: [], target };
		});
		const named = (at: number) => (links[at] === null ? 1 : 0);
		const sorted = go.map((rule, i) => ({ rule, i })).sort((a, b) => named(a.i) - named(b.i));
		reading.chains.set(
			direction,
			sorted.map(({ rule }) => rule),
		);
		const text = "no HostEndpoint";
		const entrance: Entrance = { chain: direction, packets: everything(), accepts: true, place, text };
		reading.entrances[direction].push(entrance);
	}
	return assemble(unused(node === "*" ? "calico" : node, names), reading, { "kubernetes.io/hostname": node });
}

function unused(wanted: string, names: Set<string>): string {
	const base = isPolicyName(wanted) ? wanted : "calico";
	let name = base;
	for (let i = 2; names.has(name); i++) name = `${base}-${i}`;
	names.add(name);
	return name;
}
