/** What can be converted, and how a file tells which of it it is. */

import { assemble, type OrderedConversion } from "./assemble.ts";
import { convertCalico, isCalico } from "./calico/read.ts";
import { readDocuments } from "./documents.ts";
import type { Conversion, Finding } from "./finding.ts";
import { isFirewalld, readFirewalld } from "./firewalld/read.ts";
import { isIptables, readIptables } from "./iptables/read.ts";
import { convertKubernetes, isKubernetesPolicy, type Source } from "./kubernetes.ts";
import { TooInvolved } from "./limits.ts";
import { isNft, readNft } from "./nft/read.ts";
import type { SourceText } from "./reading.ts";
import { convertUsbguard, isUsbguard } from "./usbguard/read.ts";

/** Why nothing can be converted. */
export type Problem = Omit<Finding, "kind">;

export type Converted =
	| { readonly ok: true; readonly conversions: readonly (Conversion | OrderedConversion)[] }
	| { readonly ok: false; readonly problems: readonly Problem[] };

export interface Format {
	readonly name: string;
	/** Whether a text looks like it. */
	readonly is: (text: string) => boolean;
	/** Converts files that are taken together. */
	readonly convert: (sources: readonly SourceText[]) => Converted;
}

const done = (...conversions: readonly Conversion[]): Converted => ({ ok: true, conversions });

const iptables: Format = {
	name: "iptables",
	is: isIptables,
	convert: (sources) =>
		withoutContent(sources, isIptables, "a table of iptables-save") ??
		done(assemble("iptables", readIptables(sources))),
};

const nft: Format = {
	name: "nft",
	is: isNft,
	convert(sources) {
		const read = readNft(sources);
		return "problems" in read ? { ok: false, problems: read.problems } : done(assemble("nftables", read));
	},
};

const firewalld: Format = {
	name: "firewalld",
	is: isFirewalld,
	convert(sources) {
		const read = readFirewalld(sources);
		return "problems" in read ? { ok: false, problems: read.problems } : done(assemble("firewalld", read));
	},
};

const calico: Format = {
	name: "calico",
	is: (text) => /projectcalico\.org\//u.test(text),
	convert: (sources) =>
		documentsOf(
			sources,
			isCalico,
			"NetworkPolicy, GlobalNetworkPolicy or HostEndpoint of projectcalico.org",
			(all) => done(...convertCalico(all)),
		),
};

const usbguard: Format = {
	name: "usbguard",
	is: isUsbguard,
	convert: (sources) =>
		withoutContent(sources, isUsbguard, "a rule of USBGuard") ?? done(convertUsbguard(sources)),
};

const kubernetes: Format = {
	name: "kubernetes",
	is: (text) => /networking\.k8s\.io\//u.test(text),
	convert: (sources) =>
		documentsOf(sources, isKubernetesPolicy, "NetworkPolicy of networking.k8s.io", (all) =>
			done(convertKubernetes(all)),
		),
};

/** In the order in which they are tried. */
export const formats: readonly Format[] = [iptables, nft, firewalld, calico, kubernetes, usbguard];

/** The format of a text, or null. */
export function formatOf(text: string): Format | null {
	return formats.find((format) => format.is(text)) ?? null;
}

/** Never throws, whatever the texts. */
export function convertAll(format: Format, sources: readonly SourceText[]): Converted {
	try {
		return format.convert(sources);
	} catch (error) {
		if (!(error instanceof TooInvolved)) throw error;
		const [first] = sources;
		return { ok: false, problems: [{ file: first?.file ?? "", line: 1, column: 1, message: error.message }] };
	}
}

/** A problem for each text that has nothing of its format, as `--from` may say it of anything. */
function withoutContent(
	sources: readonly SourceText[],
	is: Format["is"],
	what: string,
): Extract<Converted, { ok: false }> | null {
	const others = sources.filter(({ text }) => !is(text));
	const problems = others.map(({ file }) => ({ file, line: 1, column: 1, message: `there is not ${what}` }));
	return problems.length === 0 ? null : { ok: false, problems };
}

/** Every document has to be one that the format knows. */
function documentsOf(
	sources: readonly SourceText[],
	isOne: (source: Source) => boolean,
	what: string,
	convert: (documents: readonly Source[]) => Converted,
): Converted {
	const read = sources.map(readDocuments);
	const documents = read.flatMap((one) => one.sources);
	const others = documents.filter((document) => !isOne(document));
	const message = `this is no ${what}`;
	const problems = [
		...read.flatMap((one) => one.problems),
		...others.map(({ root, place }) => ({ ...place(root), message })),
	];
	return problems.length > 0 ? { ok: false, problems } : convert(documents);
}
