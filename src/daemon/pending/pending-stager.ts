/** Copies a set of policies for a pending change and reads the copy as the enforcers would: on a thread of its own. */

import { dirname } from "node:path";
import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Config } from "../../config/model.ts";
import { listsBeside, listsUnlike } from "../../engine/groups/lists-beside.ts";
import { PolicyEngine } from "../../engine/policy-engine.ts";
import type { PolicySettings, Reloaded } from "../../engine/reading.ts";
import type { FileOperations } from "../../state/pending-files.ts";
import { readCopy, readTree, treeDigest, writeTree } from "../../state/pending-tree.ts";
import { WorkerGone, type WorkerLike } from "../../threads/rpc.ts";
import { WorkerSlot } from "../../threads/worker-slot.ts";
import type { StagedPolicies, StagingCalls } from "../policy-calls.ts";

/** Problems that are told; there is little use in more. */
const mostProblems = 20;

/** The policy directory's own stay there. */
const noLists = { ok: true, files: [] } as const;

/** What the thread does: see StagingCalls.stage. */
export async function stagePolicies(
	{ from, name, settings }: Parameters<StagingCalls["stage"]>[0],
	operations: FileOperations,
): Promise<StagedPolicies> {
	const renamed = (problems: readonly string[], directory: string): StagedPolicies => ({
		ok: false,
		problems: bounded(problems.map((line) => line.replaceAll(directory, () => name))),
	});
	const read = readTree(from, settings);
	if (!read.ok) return renamed(read.problems, from);
	const { policyDir } = settings.config;
	const beside = from === policyDir ? noLists : listsBeside(from, read.files, settings);
	if (!beside.ok) return renamed(beside.problems, from);
	// One that is the same stays where it is, and so may be written anew while the change pends.
	const lists = listsUnlike(beside.files, policyDir);
	const files = [...read.files, ...lists];
	try {
		await writeTree(settings.directory, files, operations);
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return { ok: false, problems: [`the policies cannot be copied: ${reason}`] };
	}
	const reloaded = new PolicyEngine(settings).reload(settings.config);
	const problems = brokenParts(reloaded);
	return problems.length > 0
		? renamed(problems, settings.directory)
		: { ok: true, digest: treeDigest(files), lists: lists.length };
}

/** What the thread answers: see StagingCalls.digest. */
export async function digestPolicies({
	directory,
	checkPermissions,
	copy,
}: Parameters<StagingCalls["digest"]>[0]): Promise<string | null> {
	const read = readTree(directory, { checkPermissions });
	if (!read.ok) return null;
	if (!copy) return read.digest;
	return await readCopy(directory).then(treeDigest, () => null);
}

/** Why a set is not to be enforced as it is: a change is taken whole or not at all. */
function brokenParts(reloaded: Reloaded): string[] {
	const errors = reloaded.diagnostics.filter(({ severity }) => severity === "error").map(sentence);
	if (errors.length > 0) return errors;
	return reloaded.complete && !reloaded.lastGood && !reloaded.withheld
		? []
		: ["the set of policies is refused as a whole"];
}

function sentence({ file, line, column, message, hint }: Diagnostic): string {
	return `${file}:${line}:${column}: ${message}${hint === "" ? "" : `; ${hint}`}`;
}

function bounded(problems: readonly string[]): readonly string[] {
	const more = problems.length - mostProblems;
	return more > 0 ? [...problems.slice(0, mostProblems), `and ${more} more`] : problems;
}

/** A set of policies, and where its last good versions are kept. */
export interface PolicySource {
	readonly directory: string;
	readonly stateDirectory: string;
}

/** A set of policies that has its last good versions next to it. */
export function stateOf(directory: string): PolicySource {
	return { directory, stateDirectory: dirname(directory) };
}

/** Settings that every reading has in common. */
export type StagerSettings = Pick<PolicySettings, "checkPermissions" | "hostname"> & {
	readonly config: Config;
};

export class PendingStager {
	readonly #create: () => WorkerLike;
	readonly #settings: () => StagerSettings;

	constructor(create: () => WorkerLike, settings: () => StagerSettings) {
		this.#create = create;
		this.#settings = settings;
	}

	/** Copies `from`, called `name`, to `directory` and checks the copy; its own state would lie in `stateDirectory`. */
	stage(from: string, name: string, { directory, stateDirectory }: PolicySource): Promise<StagedPolicies> {
		const settings = { ...this.#settings(), directory, stateDirectory };
		const failed = (problem: string): StagedPolicies => ({ ok: false, problems: [problem] });
		return this.#ask((worker) => worker.call("stage", { from, name, settings }), failed);
	}

	/** The digest of the policies in a directory; null where they cannot be read. @param copy with the lists that lie beside */
	digest(directory: string, copy = false): Promise<string | null> {
		const { checkPermissions } = this.#settings();
		return this.#ask(
			(worker) => worker.call("digest", { directory, checkPermissions, copy }),
			() => null,
		);
	}

	/** Whether two sets mean the same on every host, message and severity included; not so where one cannot be read. */
	async sameMeaning(one: string, other: string): Promise<boolean> {
		const { checkPermissions, config } = this.#settings();
		const { ignoreUnknownKinds } = config;
		const meaning = (directory: string) =>
			this.#ask(
				(worker) => worker.call("meaning", { directory, checkPermissions, ignoreUnknownKinds }),
				() => null,
			);
		const first = await meaning(one);
		return first !== null && first === (await meaning(other));
	}

	/** See FileOperations.syncFileSystem. */
	async sync(directory: string): Promise<void> {
		const problem = await this.#ask((worker) => worker.call("sync", { directory }), String);
		if (problem !== null) throw new Error(problem);
	}

	async #ask<T>(
		call: (worker: WorkerSlot<StagingCalls>) => Promise<T>,
		failed: (problem: string) => T,
	): Promise<T> {
		const worker = new WorkerSlot<StagingCalls>("staging", this.#create, () => {});
		try {
			return await call(worker);
		} catch (error) {
			// A bug that one set of policies brings out, or a lack of memory: that set is not taken.
			if (error instanceof WorkerGone || error instanceof Error) {
				return failed(`the policies cannot be read: ${error.message.split("\n", 1)[0]}`);
			}
			throw error;
		} finally {
			worker.recycle();
		}
	}
}
