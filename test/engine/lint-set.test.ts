import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { enforcers, kindsOf } from "../../src/engine/enforcers.ts";
import { lintSet } from "../../src/engine/lint-set.ts";
import { readPolicySet } from "../../src/engine/policy-set.ts";
import { Files } from "../cli/support/portward.ts";
import { policyText } from "./support/policy.ts";
import { third, wordPolicy } from "./support/third.ts";

const registered = [...enforcers, third];

function codes(files: Files): string[] {
	const config = defaultConfig();
	const set = readPolicySet([files.path], config, kindsOf(registered));
	return [...set.diagnostics, ...lintSet(set, config, registered)].map(({ code }) => code).sort();
}

test("every enforcer that is registered says what it has to say", () => {
	using files = new Files();
	files.put("w.yaml", wordPolicy("w", "lengthy"));
	files.put("n.yaml", policyText("ingress:\n- iface: [eth0]\n", "n"));
	expect(codes(files)).toEqual(["long-word"]);
});

test("what is for other hosts is looked at alone", () => {
	using files = new Files();
	const elsewhere = wordPolicy("w", "lengthy").replace('"*"', '"elsewhere"');
	files.put("w.yaml", elsewhere);
	files.put("v.yaml", wordPolicy("v", "short"));
	expect(codes(files)).toEqual(["long-word"]);
});
