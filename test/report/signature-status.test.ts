import { expect, test } from "bun:test";
import { signatureAlert } from "../../src/report/signature-status.ts";

test("the alert names the directory, the reason and the serials that are known", () => {
	const host = { clusterName: "c", hostName: "h", nodeId: "n" };
	const alert = signatureAlert("it is old", "/p", "signed", { Serial: 3, Accepted: null }, 0, host);
	expect(alert).toMatchObject({
		Resource: "/p",
		Type: "SystemEvent",
		Tags: "SIGNATURE",
		EventData: { Serial: "3" },
	});
	expect(alert.Message).toBe(
		"The policy directory is refused: it is old; in force is what was signed before",
	);
	expect(Object.keys(alert.EventData)).toEqual(["Serial"]);
});
