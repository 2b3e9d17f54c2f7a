/** Reads the policy directory as the settings ask: signed sets whole or not at all, and never an older one again. */

import type { Config } from "../config/model.ts";
import type { PolicyDirectory, PolicyDirectoryReader } from "../source/policy-directory.ts";
import type { Problem, SignedSet } from "../source/policy-signature.ts";
import { checkSerial, raiseSerial, readSerial } from "../state/policy-serial.ts";
import type { SignatureReport } from "./reading.ts";

type SignatureSettings = Pick<Config, "policySignature" | "trustedKeys" | "stateDir">;

export interface SignedRead {
	readonly directory: PolicyDirectory;
	/** Null where no signature is required. */
	readonly signature: SignatureReport | null;
	/** What should be known though the set is taken. */
	readonly warning: Problem | null;
}

export class SignedPolicies {
	readonly #reader: Pick<PolicyDirectoryReader, "read">;
	readonly #raises: boolean;
	#offered: { readonly stateDir: string; readonly set: SignedSet } | null = null;

	/** @param raises whether `inForce` records the serial: not for a set that may still be taken back. */
	constructor(reader: Pick<PolicyDirectoryReader, "read">, raises: boolean) {
		this.#reader = reader;
		this.#raises = raises;
	}

	read({ policySignature, trustedKeys, stateDir }: SignatureSettings): SignedRead {
		this.#offered = null;
		if (policySignature === "off")
			return { directory: this.#reader.read(null), signature: null, warning: null };
		const directory = this.#reader.read(trustedKeys);
		const known = readSerial(stateDir);
		const accepted = known.ok ? (known.set?.serial ?? null) : null;
		const problem = directory.problem ?? (directory.set && checkSerial(directory.set, known));
		const offered = directory.set?.serial ?? null;
		if (problem !== null) {
			return {
				directory: { ...directory, files: [], problem, set: null, feeds: new Map() },
				signature: {
					...{ ok: false, offered, accepted, problem: problem.message, remedy: problem.hint },
					standing: "none",
				},
				warning: null,
			};
		}
		if (directory.set !== null) this.#offered = { stateDir, set: directory.set };
		const warning =
			!known.ok || known.problem === null
				? null
				: {
						code: "damaged-state",
						message: `the record of the newest signed policies is damaged: ${known.problem}`,
						hint: "an older set than the newest may be taken; see that the policy directory is the newest",
					};
		return {
			directory,
			signature: { ok: true, offered, accepted, problem: null, remedy: "", standing: null },
			warning,
		};
	}

	/** The set that was read last is in force as a whole. Returns why that could not be recorded, or null. */
	inForce(): string | null {
		if (this.#offered === null || !this.#raises) return null;
		return raiseSerial(this.#offered.stateDir, this.#offered.set);
	}
}
