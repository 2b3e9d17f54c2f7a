import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { noteEnforcement, postureInForce, settingsWarnings } from "../../src/report/enforcement-notice.ts";

const enforce = { ...defaultConfig(), stateDir: "/tmp" };
const audit = { ...enforce, enforcement: "audit" } as const;

test("while nothing is refused, status and readiness say so, and the posture in force is audit", () => {
	expect(settingsWarnings(enforce)).toEqual([]);
	expect(settingsWarnings(audit)).toEqual([expect.stringContaining("enforcement is audit")]);
	const ready = { ready: true, body: "ready: what is on disk is enforced" };
	expect(noteEnforcement(ready, enforce)).toEqual(ready);
	expect(noteEnforcement(ready, audit).body).toBe(
		"ready: what is on disk is enforced; enforcement is audit, so nothing is refused",
	);
	const not = { ready: false, body: "not ready: the policies are being read" };
	expect(noteEnforcement(not, audit)).toEqual(not);
	expect([postureInForce("block", audit), postureInForce("block", enforce)]).toEqual(["audit", "block"]);
});
