/**
 * Kubernetes' NetworkPolicy (networking.k8s.io/v1) as policies of a host. Its meaning: a policy isolates what it selects,
 * in the directions of policyTypes; what any policy allows passes, and the rest of an isolated direction is dropped. Here
 * an Allow makes its direction an allow-list, so that only isolation without any rule needs a Block of its own.
 */

import { isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import type { Place } from "../base/diagnostic.ts";
import type { Direction } from "../base/model.ts";
import { quote } from "../base/suggest.ts";
import { isPolicyName } from "../document/metadata.ts";
import type { Conversion, ConvertedPolicy, Finding, PeerData, PortData, RuleData } from "./finding.ts";

/** One document, and where its nodes are. */
export interface Source {
	readonly root: Node;
	readonly place: (node: Node | null) => Place;
}

export function isKubernetesPolicy({ root }: Source): boolean {
	return (
		isMap(root) &&
		root.get("kind") === "NetworkPolicy" &&
		/^networking\.k8s\.io\//u.test(String(root.get("apiVersion")))
	);
}

/** Converts documents that are all Kubernetes' policies; they are taken together, as a cluster takes them. */
export function convertKubernetes(sources: readonly Source[]): Conversion {
	const findings: Finding[] = [];
	const read = sources.map((source) => new Reader(source, findings).policy());
	warnOfTies(sources, read, findings);
	const names = new Set<string>();
	const policies = read.flatMap((policy): ConvertedPolicy[] => {
		if (policy === null) return [];
		const { name, labels, comments, directions } = policy;
		const spec: { ingress?: RuleData[]; egress?: RuleData[] } = {};
		const notes = [...comments];
		for (const direction of ["ingress", "egress"] as const) {
			const rules = directions[direction];
			if (rules === null) continue;
			if (rules.length > 0) {
				spec[direction] = rules;
				continue;
			}
			// Nothing is allowed here. Where another policy allows something to the same hosts, its Allow isolates them.
			const other = read.find(
				(one) =>
					one !== null &&
					one !== policy &&
					sameLabels(one.labels, labels) &&
					(one.directions[direction]?.length ?? 0) > 0,
			);
			if (other) notes.push(`${direction}: isolated; the Allow of ${other.name} already drops the rest`);
			else spec[direction] = [{ action: "Block" }];
		}
		if (spec.ingress === undefined && spec.egress === undefined) return [];
		const own = unusedName(name, names);
		names.add(own);
		return [
			{
				comments: notes,
				document: {
					apiVersion: "security.kubearmor.com/v1",
					kind: "KubeArmorNetworkPolicy",
					metadata: { name: own },
					spec: { nodeSelector: { matchLabels: labels }, severity: 5, action: "Allow", ...spec },
				},
			},
		];
	});
	return { policies, findings };
}

/** Policies of several namespaces may have one name. */
function unusedName(name: string, names: ReadonlySet<string>): string {
	let own = name;
	for (let i = 2; names.has(own); i++) own = `${name}-${i}`;
	return own;
}

/** Where a Block of everything and an Allow of everything mean one host, the Block wins here, the Allow there. */
function warnOfTies(sources: readonly Source[], read: readonly (Read | null)[], findings: Finding[]): void {
	for (const direction of ["ingress", "egress"] as const) {
		const denies = read.some((one) => one?.directions[direction]?.length === 0);
		for (const [i, one] of read.entries()) {
			const rules = one?.directions[direction] ?? [];
			const source = sources[i];
			const all = rules.some((rule) => Object.keys(rule).length === 0);
			if (!denies || !all || one === null || one === undefined || source === undefined) continue;
			const clash = read.some(
				(other) => other?.directions[direction]?.length === 0 && !sameLabels(other.labels, one.labels),
			);
			if (!clash) continue;
			const message = `${direction}: on hosts that a policy without ${direction} rules selects as well, its Block wins over this Allow of everything`;
			findings.push({ ...source.place(source.root), kind: "changed", message });
		}
	}
}

interface Read {
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly comments: readonly string[];
	/** Null: not isolated. */
	readonly directions: Readonly<Record<Direction, RuleData[] | null>>;
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
	const text = (labels: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(labels).sort());
	return text(a) === text(b);
}

class Reader {
	readonly #source: Source;
	readonly #findings: Finding[];
	readonly #comments: string[] = [];

	constructor(source: Source, findings: Finding[]) {
		this.#source = source;
		this.#findings = findings;
	}

	policy(): Read | null {
		const { root } = this.#source;
		if (!isMap(root)) return null;
		const spec = root.get("spec", true);
		if (!isMap(spec)) {
			this.#find("lost", root, "there is no spec, so there is nothing to convert");
			return null;
		}
		const labels = this.#labels(spec);
		const types = this.#types(spec);
		const side = (direction: Direction) => (types.has(direction) ? this.#rules(spec, direction) : null);
		const directions = { ingress: side("ingress"), egress: side("egress") };
		for (const direction of ["ingress", "egress"] as const) {
			if (directions[direction] === null && spec.has(direction))
				this.#find("lost", spec, `${direction} is not in policyTypes, so its rules have no effect`);
		}
		return { name: this.#name(root), labels, comments: this.#comments, directions };
	}

	#find(kind: Finding["kind"], node: Node | null, message: string): void {
		this.#findings.push({ ...this.#source.place(node), kind, message });
		this.#comments.push(`${kind === "lost" ? "no counterpart" : "note"}: ${message}`);
	}

	#name(root: YAMLMap): string {
		const metadata = root.get("metadata", true);
		const name = isMap(metadata) ? metadata.get("name") : null;
		const namespace = isMap(metadata) ? metadata.get("namespace", true) : null;
		if (isScalar(namespace))
			this.#find(
				"changed",
				namespace,
				"hosts have no namespaces: the policy holds for every host that it selects",
			);
		if (typeof name === "string" && isPolicyName(name)) return name;
		this.#find("changed", root, "it has no name that can be used, and is called converted");
		return "converted";
	}

	#labels(spec: YAMLMap): Readonly<Record<string, string>> {
		const selector = spec.get("podSelector", true);
		const matched = isMap(selector) ? selector.get("matchLabels", true) : null;
		if (isMap(selector) && selector.has("matchExpressions"))
			this.#find("lost", selector, "matchExpressions: hosts are selected by equal labels alone");
		if (!isMap(matched) || matched.items.length === 0) {
			this.#comments.push("podSelector is empty: every host");
			return { "kubernetes.io/hostname": "*" };
		}
		this.#find(
			"changed",
			selector as Node,
			"labels of pods are taken for labels of hosts: give them to the hosts as nodeLabels",
		);
		const labels: [string, string][] = matched.items.flatMap(({ key, value }) =>
			isScalar(key) && isScalar(value) ? [[String(key.value), String(value.value)]] : [],
		);
		return Object.fromEntries(labels);
	}

	/** By default Ingress, and Egress where there are rules for it. */
	#types(spec: YAMLMap): ReadonlySet<Direction> {
		const list = spec.get("policyTypes", true);
		if (!isSeq(list)) return new Set(spec.has("egress") ? ["ingress", "egress"] : ["ingress"]);
		const words = list.items.map((item) => (isScalar(item) ? String(item.value).toLowerCase() : ""));
		return new Set((["ingress", "egress"] as const).filter((direction) => words.includes(direction)));
	}

	#rules(spec: YAMLMap, direction: Direction): RuleData[] {
		const list = spec.get(direction, true);
		if (!isSeq(list)) return [];
		return list.items.flatMap((rule) => (isMap(rule) ? (this.#rule(rule, direction) ?? []) : []));
	}

	/** Null where nothing of the rule is left: without its peers or ports it would allow more than it says. */
	#rule(rule: YAMLMap, direction: Direction): RuleData | null {
		const side = direction === "ingress" ? "from" : "to";
		const peers = this.#list(rule, side, (peer) => this.#peer(peer));
		const ports = this.#list(rule, "ports", (port) => this.#port(port));
		if (peers === null || ports === null) return null;
		return {
			...(peers.length === 0 ? {} : { [side]: peers }),
			...(ports.length === 0 ? {} : { ports }),
		};
	}

	/** The elements that have a counterpart; none for a list that is absent or empty, null where nothing of it is left. */
	#list<T>(rule: YAMLMap, name: string, read: (item: YAMLMap) => T | null): readonly T[] | null {
		const list = rule.get(name, true);
		if (!isSeq(list) || list.items.length === 0) return [];
		const found = list.items.flatMap((item) => (isMap(item) ? (read(item) ?? []) : []));
		return found.length === 0 ? null : found;
	}

	#peer(peer: YAMLMap): PeerData | null {
		const block = peer.get("ipBlock", true);
		if (!isMap(block)) {
			const what = peer.has("podSelector") ? "podSelector" : "namespaceSelector";
			this.#find(
				"lost",
				peer,
				`${what}: which addresses pods have is not known here; write their blocks as ipBlock`,
			);
			return null;
		}
		const except = block.get("except", true);
		const holes = isSeq(except)
			? except.items.flatMap((item) => (isScalar(item) ? [String(item.value)] : []))
			: [];
		const cidr = String(block.get("cidr"));
		return { ipBlock: { cidr, ...(holes.length === 0 ? {} : { except: holes }) } };
	}

	#port(entry: YAMLMap): PortData | null {
		const protocol = String(entry.get("protocol") ?? "TCP").toUpperCase();
		const port = entry.get("port");
		if (port === undefined || port === null) return { protocol };
		const number = Number(port);
		if (!Number.isInteger(number)) {
			this.#find("lost", entry, `port ${quote(String(port))} is the name of a pod's port; write its number`);
			return null;
		}
		const end = Number(entry.get("endPort") ?? number);
		return { protocol, port: number, ...(end === number ? {} : { endPort: end }) };
	}
}
