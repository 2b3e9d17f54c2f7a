/** The kernel's nf_tables as drivers' users see it: typed transactions, and what a table holds. */

import type { NetlinkSocket } from "../../../ffi/netlink.ts";
import type { Nftables } from "../../../ffi/nftables.ts";
import { type Answer, perform } from "../netlink-request.ts";
import { UnwritableError } from "./check.ts";
import type { Command } from "./commands.ts";
import { changeBatch, directBatch } from "./direct.ts";
import { type ElementChange, elementChange, type SetChange } from "./direct-changes.ts";
import { listTable, type TableRead } from "./listing.ts";
import { elementCount } from "./objects.ts";
import type { QuietLoads } from "./quiet.ts";
import { listRules, type RulesRead } from "./rule-listing.ts";
import { script } from "./writer.ts";

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: string };

export interface NftKernel {
	/** Bytes that a transaction without libnftables may have; absent where all goes through it. */
	readonly room?: number;
	/** One transaction on a table of family inet: all commands take effect, or none. */
	run(table: string, commands: readonly Command[]): Outcome;
	/**
	 * One transaction that changes elements of sets; what it begins with says whether the table is still ours. Null where
	 * nothing was changed, as that cannot be done so, or the kernel refused it. Absent where all goes through libnftables.
	 */
	change?(table: string, first: readonly Command[], sets: readonly SetChange[]): Outcome | null;
	/** The names in a table. */
	list(table: string): TableRead;
	/** The rules of a chain; none where there is no such chain. */
	rules(table: string, chain: string): RulesRead;
}

/**
 * The kernel of this thread's network namespace. What is written goes through libnftables, unless it is plain and there
 * is a `socket` of NETLINK_NETFILTER to send it by; what is read does not. A large load is made by `quiet`, where there is one.
 */
export function nftKernel(
	nftables: Pick<Nftables, "run">,
	socket: NetlinkSocket | null = null,
	quiet: () => QuietLoads | null = () => null,
): NftKernel {
	let sequence = 0;
	return {
		...(socket === null ? {} : { room: socket.sendBuffer }),
		run: (table, commands) => {
			sequence += 1;
			const sent = socket && sendDirectly(socket, table, { commands, sequence, quiet: quiet() });
			if (sent !== null) return sent;
			const text = written(table, commands);
			if (!text.ok) return text;
			const result = nftables.run(text.script);
			return result.ok ? { ok: true } : { ok: false, error: result.error };
		},
		...(socket === null
			? {}
			: {
					change: (table: string, first: readonly Command[], sets: readonly SetChange[]) => {
						sequence += 1;
						return changeDirectly(socket, table, first, { sets, sequence, quiet: quiet() });
					},
				}),
		list: listTable,
		rules: listRules,
	};
}

/** Bytes of some 5 000 elements: the kernel tells of fewer in less time than it takes to have nobody told. */
const largeLoad = 512 * 1024;

function transact(
	socket: NetlinkSocket,
	batch: Uint8Array,
	sequence: number,
	quiet: QuietLoads | null,
): Answer {
	const send = () => perform(socket, batch, sequence);
	return quiet === null || batch.length < largeLoad ? send() : quiet.around(send);
}

/** Null where the commands are left to libnftables: what is not plain, what is too long to be sent, and what the kernel refused, to have it in words. */
function sendDirectly(
	socket: NetlinkSocket,
	table: string,
	what: {
		readonly commands: readonly Command[];
		readonly sequence: number;
		readonly quiet: QuietLoads | null;
	},
): Outcome | null {
	const { commands, sequence, quiet } = what;
	const batch = writtenDirectly(table, commands, sequence);
	if (batch === null) return null;
	const answer = transact(socket, batch, sequence, quiet);
	if (answer.ok) return { ok: true };
	// Where no answer came nobody knows what became of it, so it must not be done twice.
	return answer.errno > 0 ? null : { ok: false, error: answer.error };
}

/**
 * Where more comes and goes than this part of a set, it is loaded anew: the kernel takes new elements faster than it finds
 * old ones.
 */
const mostChanged = 0.5;

function changeDirectly(
	socket: NetlinkSocket,
	table: string,
	first: readonly Command[],
	what: {
		readonly sets: readonly SetChange[];
		readonly sequence: number;
		readonly quiet: QuietLoads | null;
	},
): Outcome | null {
	const { sets, sequence, quiet } = what;
	const changes: ElementChange[] = [];
	for (const set of sets) {
		const change = elementChange(set, elementCount(set.after) * mostChanged);
		if (change === null) return null;
		changes.push(change);
	}
	const batch = safely(() => changeBatch(table, first, changes, sequence));
	if (batch === null || batch.length > socket.sendBuffer) return null;
	const answer = transact(socket, batch, sequence, quiet);
	if (answer.ok) return { ok: true };
	return answer.errno > 0 ? null : { ok: false, error: answer.error };
}

function writtenDirectly(table: string, commands: readonly Command[], sequence: number): Uint8Array | null {
	return safely(() => directBatch(table, commands, sequence));
}

function safely(write: () => Uint8Array | null): Uint8Array | null {
	try {
		return write();
	} catch (error) {
		if (error instanceof UnwritableError) return null;
		throw error;
	}
}

/** A saved ruleset may hold what must not be written: nothing of it is, as if the kernel had refused it. */
function written(
	table: string,
	commands: readonly Command[],
): { readonly ok: true; readonly script: string } | { readonly ok: false; readonly error: string } {
	try {
		return { ok: true, script: script(table, commands) };
	} catch (error) {
		if (error instanceof UnwritableError) return { ok: false, error: error.message };
		throw error;
	}
}
