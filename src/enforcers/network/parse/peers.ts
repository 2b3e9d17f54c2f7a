/** `from` and `to`: address blocks with holes, and groups of them. */

import type { Node } from "yaml";
import { containsCidr, formatCidr } from "../../../base/cidr.ts";
import type { Cidr } from "../../../base/model.ts";
import { formatPath, type Path } from "../../../base/path.ts";
import { blockAround, formatSuffix, suffixMeetsBlock } from "../../../base/suffix.ts";
import { quote } from "../../../base/suggest.ts";
import { type BlockResult, parseBlock, parsePeerBlock } from "../../../document/block.ts";
import { isPolicyName } from "../../../document/metadata.ts";
import type { Fields, Item, NodeReader, Remedies } from "../../../document/nodes.ts";
import type { GroupUse, IpBlock, NetworkRule } from "../model.ts";

const podPeer = {
	code: "no-pods",
	message: "this host has no pods to select",
	hint: "write an address block: - ipBlock: {cidr: 10.0.1.0/24}",
};

export const peerFields = ["ipBlock", "group"] as const;
export const blockFields = ["cidr", "except"] as const;

const peerRemedies: Remedies = {
	podSelector: podPeer,
	namespaceSelector: podPeer,
	cidr: {
		code: "unknown-field",
		message: "cidr stands outside ipBlock",
		hint: "write - ipBlock: {cidr: 10.0.1.0/24}",
	},
	except: {
		code: "unknown-field",
		message: "except stands outside ipBlock",
		hint: "write - ipBlock: {cidr: 10.0.0.0/8, except: [10.0.1.0/24]}",
	},
};

/** What stands for a group whose members are not known, or that has none: no peers at all would be anybody. */
export function nobody(place: IpBlock["place"]): IpBlock {
	const cidr = { family: 4, base: 0n, prefix: 32 } as const;
	return { cidr, except: [cidr], place };
}

/** The entries of a list; what is wrong with one is reported, and the others are read. */
export function readPeers(reader: NodeReader, node: Node, path: Path): Pick<NetworkRule, "peers" | "groups"> {
	const own: IpBlock[] = [];
	const uses: GroupUse[] = [];
	for (const item of reader.items(node, path, "[{ipBlock: {cidr: 10.0.1.0/24}}]")) {
		const fields = reader.fields(item.node, item.path, peerFields, peerRemedies);
		if (fields === null) continue;
		if (fields.has("group")) {
			const use = readGroup(reader, fields, item);
			if (use !== null) uses.push(use);
		} else {
			const peer = readPeer(reader, fields, item);
			if (peer !== null) own.push(peer);
		}
	}
	const [first] = uses;
	if (first === undefined) return { peers: own };
	return { peers: own.length > 0 ? own : [nobody(first.place)], groups: { uses, own } };
}

function readGroup(reader: NodeReader, fields: Fields, { node, path }: Item): GroupUse | null {
	if (fields.has("ipBlock")) {
		const hint = "write two entries: - ipBlock: {cidr: 10.0.1.0/24} and - group: NAME";
		reader.error(node, path, "two-peers", "one entry has both a block and a group", hint);
		return null;
	}
	const field = reader.present(fields, "group");
	if (field === null) {
		if (!reader.failed) {
			const hint = "write group: NAME, the name of a PortwardAddressGroup, or leave the entry out";
			reader.error(node, path, "missing-field", "group has no name", hint);
		}
		return null;
	}
	const name = reader.text(field.node, field.path);
	if (name === null) return null;
	if (!isPolicyName(name)) {
		const hint = "write the metadata.name of a PortwardAddressGroup";
		reader.error(field.node, field.path, "bad-name", `${quote(name)} is not the name of a group`, hint);
		return null;
	}
	return { name, place: reader.place(field.node), path: formatPath(field.path), members: null };
}

function readPeer(reader: NodeReader, fields: Fields, { node, path }: Item): IpBlock | null {
	const block = reader.present(fields, "ipBlock");
	if (block === null) {
		if (!reader.failed) {
			const hint =
				"write ipBlock: {cidr: 10.0.1.0/24} or group: NAME, or leave the whole list out to match any address";
			reader.error(node, path, "missing-field", "ipBlock is missing", hint);
		}
		return null;
	}
	const parts = reader.fields(block.node, block.path, blockFields);
	if (parts === null) return null;
	const cidrField = reader.present(parts, "cidr");
	if (cidrField === null) {
		reader.error(block.node, block.path, "missing-field", "cidr is missing", "write cidr: 10.0.1.0/24");
		return null;
	}
	const read = readPeerBlock(reader, cidrField.node, cidrField.path);
	const exceptField = reader.present(parts, "except");
	const except = exceptField ? readExcept(reader, exceptField.node, exceptField.path, read) : [];
	return read && { ...read, except, place: reader.place(cidrField.node) };
}

/** A block, or a suffix with the block around it; null when it is neither, which is reported. */
function readPeerBlock(reader: NodeReader, node: Node, path: Path): Pick<IpBlock, "cidr" | "suffix"> | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const result = parsePeerBlock(text, anyHint);
	if (result.ok && "suffix" in result) return { cidr: blockAround(result.suffix), suffix: result.suffix };
	const cidr = blockOf(reader, { node, path, text }, result);
	return cidr && { cidr };
}

const anyHint = "leave from (or to) out to match any address, or write 0.0.0.0/0 and ::/0 as two entries";

/** One block; null when it is none, which is reported. */
export function readCidr(reader: NodeReader, node: Node, path: Path, anyBlock = anyHint): Cidr | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	return blockOf(reader, { node, path, text }, parseBlock(text, anyBlock));
}

interface Written {
	readonly node: Node;
	readonly path: Path;
	readonly text: string;
}

function blockOf(reader: NodeReader, { node, path, text }: Written, result: BlockResult): Cidr | null {
	if (!result.ok) {
		reader.error(node, path, "bad-cidr", result.message, result.hint);
		return null;
	}
	const { cidr, hostBits, network } = result;
	if (hostBits) {
		const block = formatCidr(cidr);
		const message = `${text} has host bits set and is read as ${block}`;
		reader.warn(node, path, "host-bits", message, `write ${block}`);
	}
	if (network !== null) {
		const message = `${text} is read as this one address, ${formatCidr(cidr)}, and looks like a whole network`;
		const hint = `write ${formatCidr(network)} for the network, or ${formatCidr(cidr)} for the one address`;
		reader.warn(node, path, "bare-network", message, hint);
	}
	return cidr;
}

function readExcept(
	reader: NodeReader,
	node: Node,
	path: Path,
	block: Pick<IpBlock, "cidr" | "suffix"> | null,
): Cidr[] {
	const holes: Cidr[] = [];
	const items = reader.items(node, path, "[10.0.1.0/28]");
	if (items.length === 0 && !reader.failed) {
		const hint = "leave except out, or name the blocks that the entry does not match";
		reader.warn(node, path, "empty-list", "except is an empty list, so the entry is the whole block", hint);
	}
	for (const { node: item, path: at } of items) {
		const hole = readCidr(reader, item, at);
		if (hole === null || block === null) continue;
		const { cidr, suffix } = block;
		if (suffix === undefined ? !containsCidr(cidr, hole) : !suffixMeetsBlock(suffix, hole)) {
			const message =
				suffix === undefined
					? `${formatCidr(hole)} does not lie inside the block ${formatCidr(cidr)}`
					: `no address of ${formatCidr(hole)} ends as ${formatSuffix(suffix)} says`;
			reader.error(item, at, "except-outside", message, "an exception must be a part of its own cidr");
		} else if (hole.prefix <= cidr.prefix) {
			const message = "the exception is the whole block, so this entry matches nothing";
			reader.warn(item, at, "matches-nothing", message, "remove the entry or narrow the exception");
		}
		holes.push(hole);
	}
	return holes;
}
