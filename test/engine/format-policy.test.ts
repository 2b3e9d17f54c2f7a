/** The canonical form is one, means the same, and keeps every comment, wherever somebody put one. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { isBroken } from "../../src/document/parse.ts";
import { formatPolicy } from "../../src/engine/format-policy.ts";
import { meaningText } from "../../src/engine/meaning.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";

const root = join(import.meta.dir, "../..");
const corpus = ["test/fixtures", "policies"].flatMap((folder) =>
	readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
		.filter((name) => /\.(?:ya?ml|json)$/u.test(name) && !name.includes("usb-devices"))
		.map((name) => ({ file: join(folder, name), text: readFileSync(join(root, folder, name), "utf8") })),
);

function read(file: string, text: string): { readonly valid: boolean; readonly meaning: string } {
	const { documents, syntaxBroken } = parsePolicyFile(file, text);
	return {
		valid: !syntaxBroken && !documents.some(isBroken),
		meaning: meaningText(documents.flatMap(({ policy }) => policy ?? [])),
	};
}

const good = corpus.filter(({ file, text }) => read(file, text).valid);

test("every good file of the corpora", () => {
	expect(good.length).toBeGreaterThan(35);
	for (const { file, text } of good) {
		const formatted = formatPolicy(file, text);
		if (!formatted.ok) throw new Error(`${file}: ${JSON.stringify(formatted.diagnostics)}`);
		expect(read(file, formatted.text)).toEqual(read(file, text));
		expect(formatPolicy(file, formatted.text)).toEqual(formatted);
	}
});

test("every broken file of the corpora is left, with the places of its errors", () => {
	for (const { file, text } of corpus) {
		if (read(file, text).valid) continue;
		const formatted = formatPolicy(file, text);
		expect([file, formatted.ok]).toEqual([file, false]);
		if (formatted.ok) continue;
		const errors = parsePolicyFile(file, text).documents.flatMap(({ diagnostics }) =>
			diagnostics.filter(({ severity }) => severity === "error"),
		);
		expect(formatted.diagnostics).toEqual(errors);
	}
});

test("comments in random places", () => {
	const yaml = good.filter(({ text }) => !text.trimStart().startsWith("{") && text.includes("\n"));
	const insertion = fc.record({ line: fc.nat(), behind: fc.boolean(), indent: fc.nat(8) });
	let done = 0;
	let left = 0;
	fc.assert(
		fc.property(
			fc.constantFrom(...yaml),
			fc.array(insertion, { minLength: 1, maxLength: 4 }),
			({ file, text }, insertions) => {
				const lines = text.trimEnd().split("\n");
				for (const [i, { line, behind, indent }] of insertions.entries()) {
					const at = line % lines.length;
					if (behind) lines[at] += ` # comment ${i}`;
					else lines.splice(at, 0, `${" ".repeat(indent)}# comment ${i}`);
				}
				const commented = `${lines.join("\n")}\n`;
				if (!read(file, commented).valid) return;
				const formatted = formatPolicy(file, commented);
				if (!formatted.ok) {
					left++;
					return;
				}
				done++;
				expect(read(file, formatted.text)).toEqual(read(file, commented));
				expect(formatPolicy(file, formatted.text)).toEqual(formatted);
				const kept = (one: string) => [...one.matchAll(/# comment \d/gu)].map(([all]) => all).sort();
				expect(kept(formatted.text)).toEqual(kept(commented));
			},
		),
		{ numRuns: 200 },
	);
	expect(done).toBeGreaterThan(100);
	// What is left as it is is rare.
	expect(left / (done + left)).toBeLessThan(0.1);
});

test("tests keep their cases and settings", () => {
	const text = `kind: PortwardTest
apiVersion: portward.io/v1
spec:
  cases:
  - {expect: Allow, direction: ingress, protocol: tcp, port: 22, address: 10.0.0.1}
  settings: {b: 1, a: 2}
metadata: {name: t}
`;
	expect(formatPolicy("t.yaml", text)).toEqual({
		ok: true,
		text: `apiVersion: portward.io/v1
kind: PortwardTest
metadata: {name: t}
spec:
  settings: {b: 1, a: 2}
  cases:
  - {direction: ingress, protocol: tcp, address: 10.0.0.1, port: 22, expect: Allow}
`,
	});
});
