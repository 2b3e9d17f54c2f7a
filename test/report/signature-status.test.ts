import { expect, test } from "bun:test";
import { formatFamilies } from "../../src/report/metrics/exposition.ts";
import { signatureAlert, signatureFamilies } from "../../src/report/signature-status.ts";

test("metrics say whether the directory is taken and which serial is, and nothing where no signature is required", () => {
	const samples = (...state: Parameters<typeof signatureFamilies>) =>
		formatFamilies(signatureFamilies(...state))
			.split("\n")
			.filter((line) => line !== "" && !line.startsWith("#"));
	expect(samples({ ok: true, serial: 7, problem: null, remedy: "", standing: null })).toEqual([
		"portward_policy_serial 7",
		"portward_policy_signature_ok 1",
	]);
	expect(samples({ ok: false, serial: null, problem: "why", remedy: "do", standing: "none" })).toEqual([
		"portward_policy_signature_ok 0",
	]);
	expect(samples(null)).toEqual([]);
});

test("the alert names the directory, the reason and the serials that are known", () => {
	const host = { clusterName: "c", hostName: "h", nodeId: "n" };
	const alert = signatureAlert("it is old", "/p", "signed", { Serial: 3, Accepted: null }, 0, host);
	expect(alert).toMatchObject({
		Resource: "/p",
		Type: "SystemEvent",
		Tags: "SIGNATURE",
		EventData: { Serial: "3" },
	});
	expect(alert.Message).toEndWith("it is old");
	expect(Object.keys(alert.EventData)).toEqual(["Serial"]);
});
