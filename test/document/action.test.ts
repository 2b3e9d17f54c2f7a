import { test } from "bun:test";
import { expectRefused, policyText } from "../engine/support/policy.ts";

test.each([
	["ACCEPT", "write Allow"],
	["permit", "write Allow"],
	["Pass", "write Allow"],
	["log", "write Audit"],
	["Warn", "write Audit"],
	["deny", "write Block"],
	["Drop", "write Block"],
	["REJECT", "write Block"],
	["no", "write Block"],
	['"Allow "', "write Allow"],
	["Adit", "did you mean Audit?"],
	["frobnicate", "known actions"],
])("action %s: the hint is %s", (word, hint) => {
	expectRefused(policyText(`action: ${word}\ningress: [{}]`), "bad-action spec.action", hint);
});
