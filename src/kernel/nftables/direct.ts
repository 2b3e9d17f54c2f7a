/**
 * Transactions of plain commands as the kernel's own messages. libnftables lists all chains and counters of a table
 * before it adds anything, and needs kilobytes for each object: with a hundred thousand of them that takes longer than
 * everything else. What is not plain is left to it.
 */

import { NFNL_SUBSYS_NFTABLES, NFPROTO_INET, NFTA_TABLE } from "../nftables-message.ts";
import { checkedName } from "./check.ts";
import type { Command } from "./commands.ts";
import type { ElementChange } from "./direct-changes.ts";
import { encodeControlGroups, readControlGroups } from "./direct-control-groups.ts";
import {
	encodeElements,
	encodeInterfaces,
	encodeInterval,
	encodeIntervalKeys,
	encodeList,
	encodeOwnElements,
	readInterfaces,
} from "./direct-elements.ts";
import { encodeRule, ownSets, type RuleContent, readRule } from "./direct-rules.ts";
import { encodeOwnSet, encodeSet, readSet, type SetContent } from "./direct-sets.ts";
import type { TreeInterval } from "./direct-tree.ts";
import { BatchWriter } from "./direct-writer.ts";
import type { NftMap, NftObject, NftSet, Quota, Rule } from "./objects.ts";

/** linux/netfilter/nf_tables.h */
const NEWCHAIN = 3;
const DELCHAIN = 5;
const NEWRULE = 6;
const DELRULE = 8;
const NEWSET = 9;
const DELSET = 11;
const NEWELEMENTS = 12;
const DELELEMENTS = 14;
const NEWOBJ = 18;
const DELOBJ = 20;
const CHAIN_NAME = 3;
const RULE_CHAIN = 2;
const SET_NAME = 2;
const OBJ_NAME = 2;
const OBJ_TYPE = 3;
const OBJ_DATA = 4;
const OBJECT_COUNTER = 1;
const OBJECT_QUOTA = 2;
const QUOTA_BYTES = 1;
const QUOTA_FLAGS = 2;
const QUOTA_USED = 4;
/** NFT_QUOTA_F_INV: it matches from there on. */
const QUOTA_OVER = 1;

const CREATE = 0x400;
const APPEND = 0x800;

/** Types and flags of the messages of steps. */
const messages = {
	flush: [(NFNL_SUBSYS_NFTABLES << 8) | DELRULE, 0],
	counter: [(NFNL_SUBSYS_NFTABLES << 8) | NEWOBJ, CREATE],
	quota: [(NFNL_SUBSYS_NFTABLES << 8) | NEWOBJ, CREATE],
	chain: [(NFNL_SUBSYS_NFTABLES << 8) | NEWCHAIN, CREATE],
	rule: [(NFNL_SUBSYS_NFTABLES << 8) | NEWRULE, CREATE | APPEND],
	set: [(NFNL_SUBSYS_NFTABLES << 8) | NEWSET, CREATE],
	elements: [(NFNL_SUBSYS_NFTABLES << 8) | NEWELEMENTS, CREATE],
	interfaces: [(NFNL_SUBSYS_NFTABLES << 8) | NEWELEMENTS, CREATE],
	"control-groups": [(NFNL_SUBSYS_NFTABLES << 8) | NEWELEMENTS, CREATE],
	// Of no element: all of them.
	"empty-set": [(NFNL_SUBSYS_NFTABLES << 8) | DELELEMENTS, 0],
	"delete-chain": [(NFNL_SUBSYS_NFTABLES << 8) | DELCHAIN, 0],
	"delete-set": [(NFNL_SUBSYS_NFTABLES << 8) | DELSET, 0],
	"delete-counter": [(NFNL_SUBSYS_NFTABLES << 8) | DELOBJ, 0],
	"delete-quota": [(NFNL_SUBSYS_NFTABLES << 8) | DELOBJ, 0],
} as const;

/** One step of a transaction. */
type Step =
	| { readonly do: "flush"; readonly chain: string }
	| { readonly do: "counter"; readonly name: string }
	| { readonly do: "quota"; readonly quota: Quota }
	| {
			readonly do: "chain" | "delete-chain" | "delete-set" | "delete-counter" | "delete-quota";
			readonly name: string;
	  }
	| { readonly do: "rule"; readonly chain: string; readonly content: RuleContent }
	| { readonly do: "empty-set"; readonly name: string }
	| { readonly do: "interfaces"; readonly set: string; readonly names: readonly string[] }
	| { readonly do: "control-groups"; readonly set: string; readonly numbers: readonly bigint[] }
	| { readonly do: "set"; readonly content: SetContent }
	| { readonly do: "elements"; readonly content: SetContent };

/** Whether an object can be made without libnftables, where what it names is there. */
export function isPlain(object: NftObject): boolean {
	if (object.kind === "counter" || object.kind === "quota") return true;
	if (object.kind === "set" || object.kind === "map") return readSet(object) !== null;
	if (object.kind !== "chain" || object.hook !== undefined) return false;
	return object.rules.every((rule) => readRule(rule) !== null);
}

/**
 * The messages of a transaction on a table that is there, all with one sequence number; the last asks for an answer.
 * Null where some command is not plain.
 * @throws UnwritableError
 */
export function directBatch(
	table: string,
	commands: readonly Command[],
	sequence: number,
): Uint8Array | null {
	const steps = plainSteps(commands);
	if (steps === null || steps.length === 0) return null;
	const name = checkedName(table);
	const writer = new BatchWriter(sequence);
	writer.beginBatch();
	for (const [i, step] of steps.entries()) writeStep(writer, name, step, i);
	writer.acknowledge();
	return writer.finishBatch();
}

/**
 * The messages of a transaction that begins with `first` and changes elements of sets that are there. Null where some
 * command is not plain.
 * @throws UnwritableError
 */
export function changeBatch(
	table: string,
	first: readonly Command[],
	changes: readonly ElementChange[],
	sequence: number,
): Uint8Array | null {
	const steps = plainSteps(first);
	if (steps === null) return null;
	const name = checkedName(table);
	const writer = new BatchWriter(sequence);
	writer.beginBatch();
	for (const [i, step] of steps.entries()) writeStep(writer, name, step, i);
	const message = (what: "elements" | "empty-set") => ({
		begin: () => {
			const [type, flags] = messages[what];
			const begun = writer.begin(type, flags, NFPROTO_INET, 0);
			writer.text(NFTA_TABLE, name);
			return begun;
		},
		end: (begun: number) => writer.end(begun),
	});
	for (const { name: set, removed } of changes) {
		const remove = (interval: TreeInterval) => encodeIntervalKeys(writer, interval);
		encodeList(writer, set, removed, remove, message("empty-set"));
	}
	for (const { name: set, added, after } of changes) {
		const add = (interval: TreeInterval) => encodeInterval(writer, after, interval);
		encodeList(writer, set, added, add, message("elements"));
	}
	writer.acknowledge();
	return writer.finishBatch();
}

function plainSteps(commands: readonly Command[]): Step[] | null {
	const steps: Step[] = [];
	const addRules = (chain: string, rules: readonly Rule[]) =>
		rules.every((rule) => {
			const content = readRule(rule);
			if (content !== null) steps.push({ do: "rule", chain, content });
			return content !== null;
		});
	const addSet = (object: NftSet | NftMap) => {
		const content = readSet(object);
		if (content === null) return false;
		steps.push({ do: "set", content });
		if (content.order.length > 0) steps.push({ do: "elements", content });
		return true;
	};
	const plain = commands.every((command) => {
		if (command.do === "flush" && command.kind === "chain") {
			steps.push({ do: "flush", chain: command.name });
			return true;
		}
		if (command.do === "flush") {
			steps.push({ do: "empty-set", name: command.name });
			return true;
		}
		if (command.do === "add-elements") {
			const numbers = readControlGroups(command.keys);
			if (numbers !== null) {
				steps.push({ do: "control-groups", set: command.set, numbers });
				return true;
			}
			const names = readInterfaces(command.keys);
			if (names !== null) steps.push({ do: "interfaces", set: command.set, names });
			return names !== null;
		}
		if (command.do === "delete") {
			// To the kernel a map is a set.
			const kind = command.kind === "map" ? "set" : command.kind;
			steps.push({ do: `delete-${kind}`, name: command.name });
			return true;
		}
		if (command.do === "add-rules") return addRules(command.chain, command.rules);
		if (command.do !== "declare") return false;
		return command.objects.every((object) => {
			if (object.kind === "counter") steps.push({ do: "counter", name: object.name });
			else if (object.kind === "quota") steps.push({ do: "quota", quota: object });
			else if (object.kind === "set" || object.kind === "map") return addSet(object);
			else if (object.kind !== "chain" || object.hook !== undefined) return false;
			else {
				steps.push({ do: "chain", name: object.name });
				return addRules(object.name, object.rules);
			}
			return true;
		});
	});
	return plain ? steps : null;
}

/** More than a rule has sets of its own. */
const idsOfStep = 32;

/** @param place of the step in the batch. */
function writeStep(writer: BatchWriter, table: string, step: Step, place: number): void {
	const id = (place + 1) * idsOfStep;
	const begin = (what: keyof typeof messages = step.do) => {
		const [type, flags] = messages[what];
		const message = writer.begin(type, flags, NFPROTO_INET, 0);
		// The table is the first attribute of each.
		writer.text(NFTA_TABLE, table);
		return message;
	};
	if (step.do === "elements") {
		encodeElements(writer, step.content, begin, (message) => writer.end(message));
		return;
	}
	const sets = step.do === "rule" ? ownSets(step.content) : [];
	for (const [i, { type, values }] of sets.entries()) {
		const set = begin("set");
		encodeOwnSet(writer, type, values.length, id + i);
		writer.end(set);
		const elements = begin("elements");
		encodeOwnElements(writer, values, id + i);
		writer.end(elements);
	}
	const message = begin();
	switch (step.do) {
		case "set":
			encodeSet(writer, step.content, id);
			break;
		case "counter":
		case "delete-counter":
		case "delete-quota":
			writer.text(OBJ_NAME, checkedName(step.name));
			writer.u32(OBJ_TYPE, step.do === "delete-quota" ? OBJECT_QUOTA : OBJECT_COUNTER);
			if (step.do === "counter") writer.close(writer.open(OBJ_DATA));
			break;
		case "quota":
			encodeQuota(writer, step.quota);
			break;
		case "empty-set":
		case "delete-set":
			writer.text(SET_NAME, checkedName(step.name));
			break;
		case "interfaces":
			encodeInterfaces(writer, checkedName(step.set), step.names);
			break;
		case "control-groups":
			encodeControlGroups(writer, checkedName(step.set), step.numbers);
			break;
		case "flush":
			writer.text(RULE_CHAIN, checkedName(step.chain));
			break;
		case "rule":
			writer.text(RULE_CHAIN, checkedName(step.chain));
			encodeRule(writer, step.content, id);
			break;
		default:
			writer.text(CHAIN_NAME, checkedName(step.name));
	}
	writer.end(message);
}

function encodeQuota(writer: BatchWriter, { name, match, bytes, used }: Quota): void {
	writer.text(OBJ_NAME, checkedName(name));
	writer.u32(OBJ_TYPE, OBJECT_QUOTA);
	const data = writer.open(OBJ_DATA);
	writer.u64(QUOTA_BYTES, bytes);
	writer.u32(QUOTA_FLAGS, match === "over" ? QUOTA_OVER : 0);
	if (used !== undefined) writer.u64(QUOTA_USED, used);
	writer.close(data);
}
