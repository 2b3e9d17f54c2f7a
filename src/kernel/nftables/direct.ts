/**
 * Transactions of plain commands as the kernel's own messages. libnftables lists all chains and counters of a table
 * before it adds anything, and needs kilobytes for each object: with a hundred thousand of them that takes longer than
 * everything else. What is not plain is left to it.
 */

import { NFNL_SUBSYS_NFTABLES, NFPROTO_INET, NFTA_TABLE } from "../nftables-message.ts";
import { checkedName } from "./check.ts";
import type { Command } from "./commands.ts";
import { encodeRule, type RuleContent, readRule } from "./direct-rules.ts";
import { BatchWriter } from "./direct-writer.ts";
import type { NftObject, Rule } from "./objects.ts";

/** linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h */
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const NEWCHAIN = 3;
const DELCHAIN = 5;
const NEWRULE = 6;
const DELRULE = 8;
const DELSET = 11;
const NEWOBJ = 18;
const DELOBJ = 20;
const CHAIN_NAME = 3;
const RULE_CHAIN = 2;
const SET_NAME = 2;
const OBJ_NAME = 2;
const OBJ_TYPE = 3;
const OBJ_DATA = 4;
const OBJECT_COUNTER = 1;

const ACKNOWLEDGE = 0x4;
const CREATE = 0x400;
const APPEND = 0x800;

/** Types and flags of the messages of steps. */
const messages = {
	flush: [(NFNL_SUBSYS_NFTABLES << 8) | DELRULE, 0],
	counter: [(NFNL_SUBSYS_NFTABLES << 8) | NEWOBJ, CREATE],
	chain: [(NFNL_SUBSYS_NFTABLES << 8) | NEWCHAIN, CREATE],
	rule: [(NFNL_SUBSYS_NFTABLES << 8) | NEWRULE, CREATE | APPEND],
	"delete-chain": [(NFNL_SUBSYS_NFTABLES << 8) | DELCHAIN, 0],
	"delete-set": [(NFNL_SUBSYS_NFTABLES << 8) | DELSET, 0],
	"delete-counter": [(NFNL_SUBSYS_NFTABLES << 8) | DELOBJ, 0],
} as const;

/** One step of a transaction. */
type Step =
	| { readonly do: "flush"; readonly chain: string }
	| { readonly do: "counter"; readonly name: string }
	| { readonly do: "chain" | "delete-chain" | "delete-set" | "delete-counter"; readonly name: string }
	| { readonly do: "rule"; readonly chain: string; readonly content: RuleContent };

/** Whether an object can be made without libnftables, where the counters that it names are there. */
export function isPlain(object: NftObject): boolean {
	if (object.kind === "counter") return true;
	if (object.kind !== "chain" || object.hook !== undefined) return false;
	return object.rules.every((rule) => typeof rule === "string" && readRule(rule) !== null);
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
	writer.message(BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES, () => {});
	for (const [i, step] of steps.entries()) writeStep(writer, name, step, i + 1 === steps.length);
	writer.message(BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES, () => {});
	return writer.finish();
}

function plainSteps(commands: readonly Command[]): Step[] | null {
	const steps: Step[] = [];
	const addRules = (chain: string, rules: readonly Rule[]) =>
		rules.every((rule) => {
			const content = readRule(rule);
			if (content !== null) steps.push({ do: "rule", chain, content });
			return content !== null;
		});
	const plain = commands.every((command) => {
		if (command.do === "flush" && command.kind === "chain") {
			steps.push({ do: "flush", chain: command.name });
			return true;
		}
		if (command.do === "delete" && command.kind !== "quota") {
			// To the kernel a map is a set.
			const kind = command.kind === "map" ? "set" : command.kind;
			steps.push({ do: `delete-${kind}`, name: command.name });
			return true;
		}
		if (command.do === "add-rules") return addRules(command.chain, command.rules);
		if (command.do !== "declare") return false;
		return command.objects.every((object) => {
			if (object.kind === "counter") steps.push({ do: "counter", name: object.name });
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

function writeStep(writer: BatchWriter, table: string, step: Step, last: boolean): void {
	const [type, flags] = messages[step.do];
	writer.message(type, flags | (last ? ACKNOWLEDGE : 0), NFPROTO_INET, 0, () => {
		// The table is the first attribute of each.
		writer.text(NFTA_TABLE, table);
		if (step.do === "counter") {
			writer.text(OBJ_NAME, checkedName(step.name));
			writer.u32(OBJ_TYPE, OBJECT_COUNTER);
			writer.nest(OBJ_DATA, () => {});
		} else if (step.do === "delete-counter") {
			writer.text(OBJ_NAME, checkedName(step.name));
			writer.u32(OBJ_TYPE, OBJECT_COUNTER);
		} else if (step.do === "delete-set") writer.text(SET_NAME, checkedName(step.name));
		else if (step.do === "flush" || step.do === "rule") {
			writer.text(RULE_CHAIN, checkedName(step.chain));
			if (step.do === "rule") encodeRule(writer, step.content);
		} else writer.text(CHAIN_NAME, checkedName(step.name));
	});
}
