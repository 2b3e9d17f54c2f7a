/** What became of the tests beside the policies: told once for each outcome, and shown. */

import type { TestReport } from "../../engine/testing/gate.ts";
import type { HostIdentity } from "../../report/alert.ts";
import type { AlertSink } from "../../report/sinks/alert-sink.ts";
import { describeTests, type TestsState, testsAlert } from "../../report/tests-status.ts";

export interface TestsMonitorOptions {
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
}

export class TestsMonitor {
	readonly #options: TestsMonitorOptions;
	#state: TestsState | null = null;

	constructor(options: TestsMonitorOptions) {
		this.#options = options;
	}

	/** Null where no tests lie beside the policies, and before the first reading. */
	get state(): TestsState | null {
		return this.#state;
	}

	/** What the operator should know about it. */
	get warnings(): readonly string[] {
		const text = this.#state && describeTests(this.#state);
		return text === null ? [] : [text];
	}

	/** Takes what a reading found. The same failures are alerted once, and again when they have gone and come back. */
	read(report: TestReport | null, directory: string): void {
		const before = this.#state;
		this.#state = report && stateOf(report);
		const state = this.#state;
		if (state === null || state.problems.length === 0) return;
		if (before !== null && Bun.deepEquals(before, state)) return;
		const { sink, identity } = this.#options;
		sink.publish([testsAlert(state, directory, Date.now(), identity)]);
	}
}

function stateOf({ mode, passed, failed, refuses, findings }: TestReport): TestsState {
	const problems = findings.map(({ file, line, message }) => `${file}:${line}: ${message}`);
	return { mode, passed, failed, refused: refuses, problems };
}
