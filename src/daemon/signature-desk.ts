/** What became of the signature of the policy directory: told once for each reason, and shown. */

import type { AlertSink } from "../report/alert-sink.ts";
import type { HostIdentity } from "../report/network-alert.ts";
import { type SignatureState, signatureAlert } from "../report/signature-status.ts";
import type { SignatureReport } from "./calls.ts";

export class SignatureDesk {
	readonly #sink: Pick<AlertSink, "publish">;
	readonly #identity: HostIdentity;
	#state: SignatureState | null = null;

	constructor(sink: Pick<AlertSink, "publish">, identity: HostIdentity) {
		this.#sink = sink;
		this.#identity = identity;
	}

	/** Null where no signature is required, and before the first reading. */
	get state(): SignatureState | null {
		return this.#state;
	}

	/** What the operator should know about it. */
	get warnings(): readonly string[] {
		const problem = this.#state?.problem ?? null;
		return problem === null ? [] : [`the policy directory is refused: ${problem}`];
	}

	/** Takes what a reading found. The same refusal is alerted once, and again when it has gone and come back. */
	read(report: SignatureReport | null, directory: string): void {
		const before = this.#state?.problem ?? null;
		this.#state = report && {
			ok: report.ok,
			serial: report.ok ? report.offered : report.accepted,
			problem: report.problem,
		};
		const problem = report?.problem ?? null;
		if (problem === null || problem === before) return;
		const serials = { Serial: report?.offered ?? null, Accepted: report?.accepted ?? null };
		this.#sink.publish([signatureAlert(problem, directory, serials, Date.now(), this.#identity)]);
	}
}
