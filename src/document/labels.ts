/** Which policies are for this host: its labels, and nodeSelector against them. */

import type { Diagnostic } from "../base/diagnostic.ts";
import type { NodeSelector } from "../base/model.ts";
import { type NearMiss, nearMiss } from "../base/near-miss.ts";
import { compilePattern } from "../base/pattern.ts";
import { nearest, quote } from "../base/suggest.ts";
import { hostnamePatternLabels } from "./selector.ts";

/** What the system knows about itself; `arch` as Node and Bun name it (x64, arm64). */
export interface HostFacts {
	readonly hostname: string;
	readonly arch: string;
}

export type Labels = Readonly<Record<string, string>>;

export interface Selection {
	readonly selected: boolean;
	/** Warnings about labels that this host does not have, or nearly; their place is the selector. */
	readonly diagnostics: readonly Diagnostic[];
}

const hostnameLabels: readonly string[] = ["kubearmor.io/hostname", "kubernetes.io/hostname"];

/** Kubernetes names architectures as Go does. */
const goArchitectures: Labels = { x64: "amd64", arm64: "arm64" };

/** The labels of this host: `configured` over the system's own. */
export function nodeLabels(configured: Labels, host: HostFacts): Labels {
	const arch = Object.hasOwn(goArchitectures, host.arch) ? goArchitectures[host.arch] : undefined;
	return Object.assign(Object.create(null), {
		"kubernetes.io/hostname": host.hostname,
		"kubearmor.io/hostname": host.hostname,
		"kubernetes.io/arch": arch ?? host.arch,
		"kubernetes.io/os": "linux",
		...configured,
	});
}

/**
 * Whether every pair of the selector matches, case-sensitively. Host name
 * labels take comma lists and `*` for any characters; the `hostnamereg` labels
 * are anchored regular expressions over the host name of the same domain. No
 * pairs select nothing; the parser has warned of that already.
 */
export function matchSelector(selector: NodeSelector, labels: Labels): Selection {
	const pairs = Object.entries(selector.matchLabels);
	const diagnostics: Diagnostic[] = [];
	let selected = pairs.length > 0;
	for (const [name, wanted] of pairs) {
		const isPattern = hostnamePatternLabels.includes(name);
		const source = isPattern ? name.slice(0, -"reg".length) : name;
		const value = Object.hasOwn(labels, source) ? labels[source] : undefined;
		if (value === undefined) {
			diagnostics.push(unknownLabel(selector, source, labels));
			selected = false;
		} else if (isPattern) {
			const pattern = compilePattern(wanted);
			selected &&= pattern.ok && pattern.matches(value);
		} else {
			const hostname = hostnameLabels.includes(name);
			const matches = hostname ? matchesHostnames : (one: string, other: string) => one === other;
			if (matches(wanted, value)) continue;
			selected = false;
			const miss = nearMiss(wanted, value, hostname, matches);
			if (miss !== null) diagnostics.push(finding(selector, "selector-near-miss", miss));
		}
	}
	return { selected, diagnostics };
}

function unknownLabel(selector: NodeSelector, name: string, labels: Labels): Diagnostic {
	const meant = nearest(name, Object.keys(labels));
	return finding(selector, "unknown-label", {
		message: `this host has no label ${quote(name)}, so the policy is not for it`,
		hint:
			`${meant === null ? "" : `did you mean ${meant}? Or `}add it to nodeLabels in the configuration, or select by one of: ` +
			`${Object.keys(labels).join(", ")}; kubernetes.io/hostname: "*" selects every host`,
	});
}

function finding(selector: NodeSelector, code: string, { message, hint }: NearMiss): Diagnostic {
	return {
		...selector.place,
		path: "spec.nodeSelector.matchLabels",
		severity: "warning",
		code,
		message,
		hint,
	};
}

/** "web-1, web-2" or "db-*": any of the names, `*` standing for any characters. */
function matchesHostnames(list: string, hostname: string): boolean {
	return list.split(",").some((name) => {
		const trimmed = name.trim();
		return trimmed !== "" && matchesGlob(trimmed, hostname);
	});
}

/** Linear in the pattern for each character at worst: it only ever returns to the last `*`. */
function matchesGlob(glob: string, text: string): boolean {
	let at = 0;
	let star = -1;
	let retry = 0;
	for (let i = 0; i < text.length; ) {
		if (glob[at] === "*") {
			star = at++;
			retry = i;
		} else if (glob[at] === text[i]) {
			at++;
			i++;
		} else if (star >= 0) {
			at = star + 1;
			i = ++retry;
		} else return false;
	}
	while (glob[at] === "*") at++;
	return at === glob.length;
}
