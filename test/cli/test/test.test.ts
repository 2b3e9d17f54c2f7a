import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const database = policy("database-only", {
	nodeSelector: { matchLabels: { role: "database" } },
	action: "Allow",
	ingress: [
		{ from: [block("10.0.1.0/24")], ports: [port("TCP", 5432)] },
		{ from: [block("10.0.9.0/24")], ports: [port("TCP", 22)] },
	],
});

const cases = (...lines: readonly string[]) => `
apiVersion: portward.io/v1
kind: PortwardTest
metadata: { name: database }
spec:
  nodeLabels: { role: database }
  settings: { hostDefaultNetworkPosture: block }
  cases:
${lines.map((line) => `  - { direction: ingress, protocol: tcp, ${line} }`).join("\n")}
`;

const reaches =
	"name: the application reaches it, address: 10.0.1.5, port: 5432, expect: Allow, policy: database-only";
const stranger = "name: a stranger does not, address: 192.0.2.1, port: 5432, expect: Block";

/** `portward test` of a directory with the policy and some test cases; settings that are not the test's. */
async function ask(text: string, ...args: readonly string[]) {
	using files = new Files({ "a.yaml": database, "t.yaml": text });
	files.config({ hostDefaultNetworkPosture: "audit" });
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const ended = await portward("test", ...common, ...args.map((arg) => arg.replace("DIR", files.path)));
	const file = join(files.path, ".junit.xml");
	return { ...ended, xml: args.includes("DIR/.junit.xml") ? readFileSync(file, "utf8") : "" };
}

test("cases that hold, each with the labels and settings of its document", async () => {
	const { code, out, xml } = await ask(cases(reaches, stranger), "--junit", "DIR/.junit.xml");
	expect(out).toBe(
		"ok  database: the application reaches it\nok  database: a stranger does not\n2 passed, 0 failed\n",
	);
	expect(code).toBe(0);
	expect(xml).toContain('<testsuite name="database" tests="2" failures="0">');
});

test("what is staged is named, as no case is held against it", async () => {
	const document = JSON.parse(database);
	const annotations = { "portward.io/mode": "staged" };
	const metadata = { ...document.metadata, name: "later", annotations };
	using files = new Files({
		"a.yaml": database,
		"b.yaml": JSON.stringify({ ...document, metadata }),
		"t.yaml": cases(reaches),
	});
	const common = ["test", "--policy-dir", files.path, "--config", files.config({})];
	for (const more of [[], [join(files.path, "t.yaml")]]) {
		const { code, error } = await portward(...common, ...more);
		expect([code, error]).toEqual([0, `portward: ${files.path}: 1 staged, so not in force: later\n`]);
	}
});

test("a case that does not hold says what was found, by whom, and where the case is", async () => {
	const wrong = "name: wrong, address: 192.0.2.1, port: 5432, expect: Allow, policy: database-only";
	const { code, out } = await ask(cases(reaches, wrong));
	expect(code).toBe(1);
	expect(out).toContain(
		"FAILED  database: wrong: Block by DefaultPosture, expected Allow by database-only (",
	);
	expect(out).toContain("t.yaml:10)");
	expect(out).toEndWith("1 passed, 1 failed\n");
	const json = JSON.parse((await ask(cases(reaches, wrong), "--json")).out);
	expect(json).toMatchObject({
		ok: false,
		passed: 1,
		failed: 1,
		cases: [
			{
				test: "database",
				name: "the application reaches it",
				ok: true,
				expected: "Allow",
				actual: "Allow",
				policy: "database-only",
			},
			{
				test: "database",
				name: "wrong",
				ok: false,
				expected: "Allow",
				actual: "Block",
				policy: "DefaultPosture",
			},
		],
	});
});

test("the right action by another policy than was expected does not hold", async () => {
	const other = "address: 10.0.1.5, port: 5432, expect: Allow, policy: another";
	expect((await ask(cases(other))).out).toContain("Allow by database-only, expected Allow by another");
});

test("--coverage names the rules that no case decides", async () => {
	expect((await ask(cases(reaches), "--coverage")).out).toEndWith(
		"No case decides 1 of 2 rules:\n  database-only ingress[1]\n",
	);
	const json = JSON.parse((await ask(cases(reaches), "--coverage", "--json")).out);
	expect(json.coverage).toEqual({ rules: 2, undecided: ["database-only ingress[1]"] });
	const both = cases(reaches, "address: 10.0.9.1, port: 22, expect: Allow");
	expect((await ask(both, "--coverage")).out).toEndWith("Some case decides each of 2 rules.\n");
});

test("test cases and settings that are wrong, and none at all, are failures", async () => {
	expect((await ask(cases("address: 10.0.1.5, port: 5432"))).error).toContain("expect is missing");
	const settings = cases(reaches).replace(
		"hostDefaultNetworkPosture: block",
		"hostDefaultNetworkPosture: closed",
	);
	const wrong = await ask(settings);
	expect(wrong.code).toBe(1);
	expect(wrong.error).toContain("spec.settings.hostDefaultNetworkPosture");
	expect((await ask("# nothing\n{}\n")).code).toBe(1);
	using files = new Files({ "a.yaml": database });
	files.config({});
	const none = await portward("test", "--policy-dir", files.path, "--config", join(files.path, ".config"));
	expect(none.code).toBe(64);
});

test("a directory with test cases is valid as it is", async () => {
	using files = new Files({ "a.yaml": database, "t.yaml": cases(reaches) });
	files.config({ nodeLabels: { role: "database" } });
	const { code, out } = await portward("validate", files.path, "--config", join(files.path, ".config"));
	expect([code, out.split(",")[0]]).toEqual([0, "1 valid"]);
});
