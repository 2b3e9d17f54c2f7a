import { expect, test } from "bun:test";
import { panicAlert } from "../../src/report/panic-alert.ts";

test("the alerts of the opening and of the end say what, why and since when, and obey no terminal", () => {
	const host = { clusterName: "c", hostName: "h", nodeId: "n" };
	const panic = { since: "2026-01-02T03:04:05.000Z", reason: "drill \u001b[2J" };
	const opened = panicAlert(panic, true, "kubearmor", Date.UTC(2026, 0, 2, 3, 4, 6), host);
	expect(opened).toMatchObject({
		UpdatedTime: "2026-01-02T03:04:06.000000Z",
		Type: "SystemEvent",
		Resource: "table inet kubearmor",
		Severity: "10",
		Tags: "PANIC",
		EventData: { Since: panic.since },
	});
	expect(opened.Data).toBe("Reason=drill\\x20\\x1b[2J Since=2026-01-02T03:04:05.000Z");
	const ended = panicAlert(panic, false, "kubearmor", 0, host);
	expect([ended.Severity, ended.Tags]).toEqual(["5", "PANIC"]);
	expect(ended.Message).not.toBe(opened.Message);
});
