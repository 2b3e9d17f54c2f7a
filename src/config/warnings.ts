/** What is allowed in the settings and seldom meant as it stands. */

import { isMap, isNode, isScalar, type ParsedNode } from "yaml";
import { formatCidr } from "../base/cidr.ts";
import type { Path } from "../base/path.ts";
import { parseBlock } from "../document/block.ts";
import type { NodeReader } from "../document/nodes.ts";
import type { Config } from "./model.ts";

/** Warns at the places of the file that `contents` is. */
export function warnOfSettings(reader: NodeReader, contents: ParsedNode, config: Config): void {
	warnOfAudit(reader, contents, config);
	warnOfRelated(reader, contents, config);
	warnOfBareNetworks(reader, contents, config);
}

/** The node at a path of keys and indices; the whole file where nothing stands there. */
function nodeAt(contents: ParsedNode, keys: readonly (string | number)[]): ParsedNode {
	const node: unknown = isMap(contents) ? contents.getIn(keys, true) : null;
	return isNode(node) && isParsed(node) ? node : contents;
}

function isParsed(node: object): node is ParsedNode {
	return "range" in node && Array.isArray(node.range);
}

function pathOf(keys: readonly (string | number)[]): Path | null {
	return keys.reduce<Path | null>((parent, key) => ({ parent, key }), null);
}

function warnOfAudit(reader: NodeReader, contents: ParsedNode, { enforcement }: Config): void {
	if (enforcement !== "audit") return;
	const keys = ["enforcement"];
	const message = "no policy refuses anything, neither by a Block nor by a posture: it is only alerted";
	const hint = "write enforcement: enforce once the alerts tell what you expect";
	reader.warn(nodeAt(contents, keys), pathOf(keys), "enforcement-audit", message, hint);
}

function warnOfRelated(reader: NodeReader, contents: ParsedNode, { related }: Config): void {
	if (related !== "accept") return;
	const keys = ["related"];
	const message =
		"what helpers of connection tracking expect passes whatever the policies say: who speaks FTP, TFTP or SIP with this host chooses the ports";
	const hint = "write related: policy where no such helper is needed";
	reader.warn(nodeAt(contents, keys), pathOf(keys), "related-accept", message, hint);
}

function warnOfBareNetworks(reader: NodeReader, contents: ParsedNode, { failsafe }: Config): void {
	for (const direction of ["ingress", "egress"] as const) {
		for (const index of failsafe[direction].keys()) {
			const keys = ["failsafe", direction, index, "cidr"];
			const node = nodeAt(contents, keys);
			const text = isScalar(node) ? node.value : null;
			const block = typeof text === "string" ? parseBlock(text, "") : null;
			if (!block?.ok || block.network === null) continue;
			const message = `${text} is read as this one address, and looks like a whole network`;
			const hint = `write ${formatCidr(block.network)} for the network, or ${formatCidr(block.cidr)} for the one address`;
			reader.warn(node, pathOf(keys), "bare-network", message, hint);
		}
	}
}
