/** The highest serial of a signed set of policies that was in force: what keeps older sets from coming back. */

import { join } from "node:path";
import { distrustDirectory } from "../source/held-directory.ts";
import type { Problem, SignedSet } from "../source/policy-signature.ts";
import { readState, removeState, writeState } from "./state-file.ts";

export type SerialRead =
	/** `set` is null before any signed set was in force. `problem`: why an earlier version had to be used, or null. */
	| { readonly ok: true; readonly set: SignedSet | null; readonly problem: string | null }
	| { readonly ok: false; readonly message: string };

export function serialPath(stateDirectory: string): string {
	return join(stateDirectory, "serial.json");
}

export function readSerial(stateDirectory: string): SerialRead {
	const path = serialPath(stateDirectory);
	// Who can exchange the state directory can bring an older set back.
	const untrusted = distrustDirectory(stateDirectory, "the state directory");
	if (untrusted !== null) return { ok: false, message: untrusted };
	const state = readState(path);
	if (!state.ok) {
		return state.reason === "absent"
			? { ok: true, set: null, problem: null }
			: { ok: false, message: state.message };
	}
	return isSignedSet(state.value)
		? { ok: true, set: state.value, problem: state.problem }
		: { ok: false, message: `${path} is not what portward wrote` };
}

/** Why a set whose signature is good must not be enforced, or null. */
export function checkSerial(set: SignedSet, known: SerialRead): Problem | null {
	if (!known.ok) {
		return {
			code: "unknown-serial",
			message: `nobody can tell which signed policies are the newest: ${known.message}`,
			hint: "see that the policy directory is the newest, then as root: portward policy reset-serial",
		};
	}
	const accepted = known.set;
	if (accepted === null || set.serial > accepted.serial) return null;
	if (set.serial < accepted.serial) {
		return {
			code: "old-serial",
			message: `the signed policies have serial ${set.serial}; ${accepted.serial} was in force before`,
			hint: "sign them anew, which gives them the next serial: portward policy sign DIR --key FILE --serial N",
		};
	}
	if (set.digest === accepted.digest) return null;
	return {
		code: "reused-serial",
		message: `other policies than these were in force with the same serial ${set.serial}`,
		hint: "sign them anew with a higher serial: portward policy sign DIR --key FILE --serial N",
	};
}

/** Records that a set is in force; never a lower one. Returns an error text, or null. */
export function raiseSerial(stateDirectory: string, { serial, digest }: SignedSet): string | null {
	const known = readSerial(stateDirectory);
	if (!known.ok) return known.message;
	if (known.set !== null && known.set.serial > serial) return null;
	return writeState(serialPath(stateDirectory), { serial, digest });
}

/** Forgets which serial was in force. Returns an error text, or null. Any set that a trusted key ever signed is taken then. */
export function forgetSerial(stateDirectory: string): string | null {
	return removeState(serialPath(stateDirectory));
}

function isSignedSet(value: unknown): value is SignedSet {
	if (typeof value !== "object" || value === null) return false;
	const serial: unknown = "serial" in value ? value.serial : null;
	const digest: unknown = "digest" in value ? value.digest : null;
	return (
		Number.isSafeInteger(serial) && Number(serial) >= 1 && typeof digest === "string" && digest.length === 64
	);
}
