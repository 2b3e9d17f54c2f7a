/** What status and alerts say about the tests that lie beside the policies. Pure. */

import type { Alert, HostIdentity } from "./alert.ts";
import { systemAlert } from "./system-alert.ts";

export interface TestsState {
	/** `enforce`: a failing test refuses the set of policies. */
	readonly mode: "warn" | "enforce";
	readonly passed: number;
	readonly failed: number;
	/** The set on disk is refused for them, and what was good before stands. */
	readonly refused: boolean;
	/** At most some twenty, as FILE:LINE: what is wrong. */
	readonly problems: readonly string[];
}

/** In one line; null where every test passed. */
export function describeTests({ problems, refused }: TestsState): string | null {
	const [first] = problems;
	if (first === undefined) return null;
	const more = problems.length > 1 ? `, and ${problems.length - 1} more` : "";
	const what = refused
		? "the policies on disk are refused, as their tests fail, and what was good before stays"
		: "tests of the policies fail, and policyTests: warn takes the policies all the same";
	return `${what}: ${first}${more}`;
}

/** The alert that tests fail. `time` is in milliseconds since the epoch. */
export function testsAlert(state: TestsState, directory: string, time: number, host: HostIdentity): Alert {
	const { failed, mode, passed, problems, refused } = state;
	return systemAlert(
		{
			time,
			resource: directory,
			message: refused
				? "The policies are refused, as their tests fail; what was good before stays in force"
				: "Tests of the policies fail; the policies are in force all the same",
			severity: refused ? 8 : 5,
			tags: ["POLICY-TESTS"],
			action: refused ? "Block" : "Audit",
			enforcer: "NetworkPolicyEnforcer",
			eventData: {
				Mode: mode,
				Passed: String(passed),
				Failed: String(failed),
				Reason: problems.join("\n"),
			},
		},
		host,
	);
}
