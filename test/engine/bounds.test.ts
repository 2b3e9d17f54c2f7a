/** What hostile files cost: each is parsed in a process of its own, whose memory and time are measured. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { parseSyntax, syntaxLimits } from "../../src/document/syntax.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";

const megabyte = 1024 * 1024;
const parser = join(import.meta.dir, "../../src/engine/parse.ts");

/** Runs in the other process: the text is made there, as an argument could not hold it. */
const program = `
	import { parsePolicyFile } from ${JSON.stringify(parser)};
	import { readFileSync } from "node:fs";
	const text = eval(process.argv[1] ?? "");
	const before = process.cpuUsage();
	const { documents } = parsePolicyFile("f.yaml", text);
	const used = process.cpuUsage(before);
	const peak = /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
	const first = documents[0]?.diagnostics ?? [];
	console.log(JSON.stringify({ megabytes: Number(peak) / 1024, found: first.length, code: first.at(-1)?.code,
		seconds: (used.user + used.system) / 1e6 }));
`;

const repeated = (text: string) =>
	`${JSON.stringify(text)}.repeat(${Math.floor((14 * megabyte) / text.length)})`;
const list = `"[" + Array.from({ length: 9900 }, (_, i) => "{ipBlock: {cidr: 10.0." + (i >> 8) + "." + (i & 255) + "/32}}").join() + "]"`;
const head = `"apiVersion: security.kubearmor.com/v1\\nkind: KubeArmorNetworkPolicy\\nmetadata: {name: a}\\nspec:\\n  nodeSelector: {matchLabels: {a: b}}\\n  ingress:\\n    - from: &x "`;

describe("a file of 14 MB, or one that unfolds to a million elements, takes no more than 512 MB and 5 seconds", () => {
	test.concurrent.each([
		["quotes behind tabs", repeated('\t"'), "file-too-complex"],
		["dashes", repeated("-\n"), "file-too-complex"],
		["keys", repeated("some: \n"), "file-too-complex"],
		["empty documents", repeated("---\n"), "too-many-documents"],
		["aliases", `${head} + ${list} + "\\n" + "    - from: *x\\n".repeat(99)`, "too-many-elements"],
	])(
		"%s",
		async (_, text, code) => {
			const child = Bun.spawn([process.execPath, "-e", program, text], { stdout: "pipe", stderr: "inherit" });
			const found = JSON.parse(await new Response(child.stdout).text());
			expect(found.megabytes).toBeLessThan(512);
			// Of a processor: the machine may have other work. The collector works on others beside it.
			expect(found.seconds).toBeLessThan(10);
			expect(found.found).toBeLessThanOrEqual(syntaxLimits.problems);
			if (code !== undefined) expect(found.code).toBe(code);
		},
		120_000,
	);
});

test("at most a hundred problems are kept, whichever part of YAML finds them", () => {
	const pieces = fc.constantFrom(
		'"',
		"'",
		"\t",
		"-",
		"- ",
		"? ",
		": ",
		"\n",
		"  ",
		"[",
		"]",
		"}",
		",",
		"&a ",
		"*b",
		"!",
		"|",
		"a",
		"@",
		"`",
		"%",
		"#",
	);
	fc.assert(
		fc.property(
			fc.array(pieces, { minLength: 1, maxLength: 6 }),
			fc.integer({ min: 1, max: 400 }),
			(piece, times) => {
				const source = `${piece.join("")}\n`.repeat(times);
				expect(parseSyntax(source).problems.length).toBeLessThanOrEqual(syntaxLimits.problems + 1);
				for (const { diagnostics } of parsePolicyFile("f.yaml", source).documents)
					expect(diagnostics.length).toBeLessThanOrEqual(syntaxLimits.problems + 2);
			},
		),
		{ numRuns: 150 },
	);
});

test("what is beyond the bounds is an error of its own document; what stands before it is read", () => {
	const good = JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name: "p" },
		spec: { nodeSelector: { matchLabels: { a: "b" } }, action: "Block", ingress: [{}] },
	});
	const { documents, syntaxBroken } = parsePolicyFile("f.yaml", `${good}\n---\n${"-\n".repeat(700_000)}`);
	expect(documents.map((document) => document.policy?.name ?? document.diagnostics[0]?.code)).toEqual([
		"p",
		"file-too-complex",
	]);
	expect(syntaxBroken).toBe(true);
});
