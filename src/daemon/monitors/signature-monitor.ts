/** What became of the signature of the policy directory: told once for each reason, and shown. */

import type { SignatureReport } from "../../engine/reading.ts";
import type { HostIdentity } from "../../report/alert.ts";
import type { Logger } from "../../report/log.ts";
import { type SignatureState, serialResetAlert, signatureAlert } from "../../report/signature-status.ts";
import type { AlertSink } from "../../report/sinks/alert-sink.ts";
import type { ControlReply } from "../../serve/control/control-protocol.ts";
import { forgetSerial } from "../../state/policy-serial.ts";
import { takeReset } from "../../state/serial-reset.ts";

export interface SignatureMonitorOptions {
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	readonly log: Logger;
	/** Where the serial is kept. */
	readonly stateDirectory: string;
}

export class SignatureMonitor {
	readonly #options: SignatureMonitorOptions;
	#state: SignatureState | null = null;

	constructor(options: SignatureMonitorOptions) {
		this.#options = options;
	}

	/** Null where no signature is required, and before the first reading. */
	get state(): SignatureState | null {
		return this.#state;
	}

	/** What the operator should know about it, and do. */
	get warnings(): readonly string[] {
		const { problem = null, remedy = "" } = this.#state ?? {};
		if (problem === null) return [];
		return [`the policy directory is refused: ${problem}${remedy === "" ? "" : `; ${remedy}`}`];
	}

	/** Tells what was done while no daemon ran. */
	start(): void {
		const by = takeReset(this.#options.stateDirectory);
		if (by !== null) this.#tellReset(by);
	}

	/** Forgets the serial. The caller reads the policies anew. */
	reset(by: string): ControlReply {
		const problem = forgetSerial(this.#options.stateDirectory);
		if (problem !== null) return { ok: false, message: `the serial cannot be reset: ${problem}` };
		this.#tellReset(by);
		return { ok: true, message: "the serial is reset" };
	}

	/** Takes what a reading found. The same refusal is alerted once, and again when it has gone and come back. */
	read(report: SignatureReport | null, directory: string): void {
		const before = this.#state?.problem ?? null;
		this.#state = report && {
			ok: report.ok,
			serial: report.ok ? report.offered : report.accepted,
			problem: report.problem,
			remedy: report.remedy,
			standing: report.standing,
		};
		const problem = report?.problem ?? null;
		if (problem === null || problem === before) return;
		const { sink, identity } = this.#options;
		const serials = { Serial: report?.offered ?? null, Accepted: report?.accepted ?? null };
		const standing = report?.standing ?? null;
		sink.publish([signatureAlert(problem, directory, standing, serials, Date.now(), identity)]);
	}

	#tellReset(by: string): void {
		const { identity, log, sink, stateDirectory } = this.#options;
		log.warn("the serial of signed policies was reset; an older set than before would be taken", { by });
		sink.publish([serialResetAlert(stateDirectory, by, Date.now(), identity)]);
	}
}
