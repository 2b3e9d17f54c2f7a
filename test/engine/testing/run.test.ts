import { expect, test } from "bun:test";
import { defaultConfig } from "../../../src/config/parse.ts";
import { asideOf } from "../../../src/document/parse.ts";
import { readPolicySet } from "../../../src/engine/policy-set.ts";
import { policyTestKind } from "../../../src/engine/testing/kind.ts";
import { modelsIn } from "../../../src/engine/testing/models.ts";
import { runTests } from "../../../src/engine/testing/run.ts";
import { Files } from "../../cli/support/portward.ts";
import { block, policy } from "../../system/support/case.ts";

const cases = (settings: string) => `
apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: t }
spec:
  settings: { ${settings} }
  cases:
  - { name: blocked, direction: ingress, protocol: tcp, address: 192.0.2.1, port: 22, expect: Block, policy: p }
  - { name: passes, direction: ingress, protocol: tcp, address: 198.51.100.1, port: 22, expect: Block }
`;

function run(settings: string) {
	using files = new Files({
		"p.yaml": policy("p", { action: "Block", ingress: [{ from: [block("192.0.2.0/24")] }] }),
		"t.yaml": cases(settings),
	});
	const config = defaultConfig();
	const { asides } = readPolicySet([files.path], config);
	const tests = asides.flatMap((document) => asideOf(policyTestKind, document));
	return runTests(tests, modelsIn(files.path), config);
}

test("each case is held against the model, and rules that decided are covered", () => {
	const { results, covered, rules, diagnostics } = run("");
	expect(results.map(({ name, ok, actual }) => [name, ok, actual])).toEqual([
		["blocked", true, "Block"],
		["passes", false, "Allow"],
	]);
	expect([...covered]).toEqual([...rules]);
	expect(diagnostics).toEqual([]);
});

test("settings that are wrong are told at the test, and nothing is run", () => {
	const { results, diagnostics } = run("hostDefaultNetworkPosture: open");
	expect(results).toEqual([]);
	expect(diagnostics[0]).toMatchObject({ severity: "error" });
	expect(diagnostics[0]?.path).toContain("spec.settings");
});
