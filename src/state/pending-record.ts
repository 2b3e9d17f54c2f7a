/** pending.json: the change that waits for its confirmation, written before it is enforced. */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { readState } from "./state-file.ts";

/** The SSH connection that a process belongs to. */
export interface SshSession {
	/** Client's address and port, then the server's, as SSH_CONNECTION has them. */
	readonly connection: string;
	/** Seconds since boot at which the oldest known process of the connection started. */
	readonly opened: number;
}

export interface Asker {
	readonly uid: number;
	readonly pid: number;
	/** Null for one that belongs to no SSH connection that could be found. */
	readonly session: SshSession | null;
}

export interface PendingChange {
	/** 16 hexadecimal digits. */
	readonly id: string;
	/** `apply`: a directory that was named. `directory`: a change of the policy directory itself. */
	readonly source: "apply" | "directory";
	/** The directory that was copied. */
	readonly from: string;
	/** Null where nobody did but the directory changed. */
	readonly asker: Asker | null;
	/** random(4): a clock that counts from boot means nothing in another one. */
	readonly boot: string;
	/** Seconds since boot at which it was asked for, and at which it rolls back. */
	readonly started: number;
	readonly deadline: number;
	/** How long it was given, from being enforced on. */
	readonly seconds: number;
	/** Seconds since boot at which it was in force; null before that. */
	readonly enforced: number | null;
	/** Of the copy; see treeDigest. */
	readonly digest: string;
	/** Of the policy directory when it was asked for; null when that could not be read. */
	readonly base: string | null;
	/** What confirming has been decided to do, and whoever finds it must finish. Null while it is not confirmed. */
	readonly confirming: readonly Takeover[] | null;
}

/** A directory whose content the copy becomes. */
export interface Takeover {
	/** A real path. */
	readonly target: string;
	/** Whether the old content stays, under another name. */
	readonly keep: boolean;
}

export type PendingRead =
	| { readonly state: "none" }
	| { readonly state: "known"; readonly change: PendingChange }
	/** There is a record, and it cannot be used. */
	| { readonly state: "damaged"; readonly problem: string };

export const idPattern = /^[0-9a-f]{16}$/;

export function recordPath(stateDirectory: string): string {
	return join(stateDirectory, "pending.json");
}

/** The state directory of the pending set; its policies are in `policies` below it. */
export function changeDirectory(stateDirectory: string, id: string): string {
	return join(stateDirectory, "pending", id);
}

/** A change as it is before it is enforced; `now` in seconds since boot. */
export function newChange(
	facts: Omit<PendingChange, "started" | "deadline" | "enforced" | "confirming">,
	now: number,
): PendingChange {
	return { ...facts, started: now, deadline: now + facts.seconds, enforced: null, confirming: null };
}

/** Whether what is enforced with this state directory may still be taken back. */
export function isPendingState(stateDirectory: string, settings: { readonly stateDir: string }): boolean {
	return dirname(stateDirectory) === dirname(changeDirectory(settings.stateDir, "0"));
}

/** With `confirm: required`: where the policies that were confirmed last are. */
export function snapshotDirectory(stateDirectory: string): string {
	return join(stateDirectory, "confirmed", "policies");
}

/** Said where that is not there, as after a start with policies that were in force before they had to be confirmed. */
export const neverConfirmed = {
	message: "no confirmed policies are kept",
	hint: "portward reload puts the policy directory in force for a time, and portward confirm keeps it",
};

/**
 * With `confirm: required`: what is in force while nothing is pending, and where its last good versions are.
 * Where policies were in force before they had to be confirmed, their last good versions stand in for the first
 * snapshot: nothing opens because a setting was made.
 */
export function settledPolicies(stateDirectory: string) {
	const directory = snapshotDirectory(stateDirectory);
	return { directory, stateDirectory: existsSync(directory) ? dirname(directory) : stateDirectory };
}

/** The state directory of what is in force while nothing is pending. */
export function settledState({
	stateDir,
	confirm,
}: {
	readonly stateDir: string;
	readonly confirm: "optional" | "required";
}): string {
	return confirm === "required" ? settledPolicies(stateDir).stateDirectory : stateDir;
}

/** Where a client puts its copy of the policies that it asks for, in a directory of its own. */
export function incomingDirectory(stateDirectory: string): string {
	return join(stateDirectory, "incoming");
}

export function readRecord(stateDirectory: string): PendingRead {
	const path = recordPath(stateDirectory);
	const state = readState(path);
	if (!state.ok) {
		return state.reason === "absent" ? { state: "none" } : { state: "damaged", problem: state.message };
	}
	// A version before the newest would be of a change that is settled, or of this one before it was confirmed.
	if (state.problem !== null) return { state: "damaged", problem: state.problem };
	return isChange(state.value)
		? { state: "known", change: state.value }
		: { state: "damaged", problem: `${path} is not what portward wrote` };
}

function isChange(value: unknown): value is PendingChange {
	if (!isObject(value)) return false;
	const { id, source, from, asker, boot, started, deadline, seconds, enforced, digest, base, confirming } =
		value;
	return (
		typeof id === "string" &&
		idPattern.test(id) &&
		(source === "apply" || source === "directory") &&
		[from, boot, digest].every((text) => typeof text === "string") &&
		[started, deadline, seconds].every(Number.isFinite) &&
		(enforced === null || Number.isFinite(enforced)) &&
		(base === null || typeof base === "string") &&
		(asker === null || isAsker(asker)) &&
		(confirming === null || (Array.isArray(confirming) && confirming.every(isTakeover)))
	);
}

function isAsker(value: unknown): value is Asker {
	if (!isObject(value)) return false;
	const { uid, pid, session } = value;
	if (![uid, pid].every(Number.isSafeInteger)) return false;
	return (
		session === null ||
		(isObject(session) && typeof session.connection === "string" && Number.isFinite(session.opened))
	);
}

function isTakeover(value: unknown): value is Takeover {
	if (!isObject(value)) return false;
	const { target, keep } = value;
	return typeof target === "string" && target.startsWith("/") && typeof keep === "boolean";
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}
