import { describe, expect, test } from "bun:test";
import { isBroken, parseOneDocument } from "../../src/document/parse.ts";
import { registeredKinds } from "../../src/engine/enforcers.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { policyText } from "../engine/support/policy.ts";

/** A policy as one element of a YAML list, at a depth of indentation. */
function element(name: string, depth: number, spec = "ingress: [{}]"): string {
	const indent = " ".repeat(depth);
	const lines = policyText(spec, name).trimEnd().split("\n");
	return lines.map((line, index) => `${indent}${index === 0 ? "- " : "  "}${line}\n`).join("");
}

const list = (...items: string[]) => `apiVersion: v1\nitems:\n${items.join("")}kind: List\nmetadata: {}\n`;

describe("a list of policies", () => {
	test.each([
		["kind: List", list(element("a", 0), element("b", 0))],
		["an indented one", list(element("a", 4), element("b", 4))],
		["a bare sequence", `${element("a", 0)}# between\n${element("b", 0)}`],
		[
			"KubeArmorNetworkPolicyList",
			list(element("a", 0), element("b", 0)).replace("kind: List", "kind: KubeArmorNetworkPolicyList"),
		],
		["after another document", `${policyText("ingress: [{}]", "a")}---\n${list(element("b", 0))}`],
	])("%s: each element is a document that parses alone to the same", (_what, text) => {
		const { documents, syntaxBroken } = parsePolicyFile("f.yaml", text);
		expect(syntaxBroken).toBe(false);
		expect(documents.map(({ index, name }) => [index, name])).toEqual([
			[0, "a"],
			[1, "b"],
		]);
		for (const document of documents) {
			expect(isBroken(document)).toBe(false);
			const alone = parseOneDocument(
				"f.yaml",
				document.source,
				document.firstLine,
				document.index,
				registeredKinds,
			);
			expect(alone?.policy).toEqual(document.policy);
			expect(alone?.place).toEqual(document.place);
		}
	});

	test("a JSON array, on one line or several", () => {
		const item = (name: string) => ({
			apiVersion: "security.kubearmor.com/v1",
			kind: "KubeArmorNetworkPolicy",
			metadata: { name },
			spec: { nodeSelector: { matchLabels: { a: "b" } }, ingress: [{}] },
		});
		for (const text of [
			JSON.stringify([item("a"), item("b")]),
			JSON.stringify({ kind: "List", items: [item("a"), item("b")] }, null, 2),
		]) {
			const { documents } = parsePolicyFile("f.json", text);
			expect(documents.map(({ name }) => name)).toEqual(["a", "b"]);
			for (const { source, firstLine, index, policy } of documents)
				expect(parseOneDocument("f.json", source, firstLine, index, registeredKinds)?.policy?.name).toBe(
					policy?.name ?? "",
				);
		}
	});

	test("one bad element takes no other down, and has its own place", () => {
		const { documents } = parsePolicyFile("f.yaml", list(element("a", 0, "action: Adit"), element("b", 0)));
		expect(documents.map(isBroken)).toEqual([true, false]);
		expect(documents[0]?.diagnostics[0]).toMatchObject({ line: 11, column: 13, path: "spec.action" });
	});

	test("an anchor of one element means nothing in another", () => {
		const text = list(element("a", 0, "ingress: &all [{}]"), element("b", 0, "ingress: *all"));
		const { documents } = parsePolicyFile("f.yaml", text);
		expect(documents.map(({ diagnostics }) => diagnostics.map(({ code }) => code))).toEqual([
			[],
			["bad-alias"],
		]);
	});

	test("a list without policies is an error: a template that rendered nothing deletes none", () => {
		for (const text of ["apiVersion: v1\nkind: List\nitems: []\n", "kind: List\n"]) {
			const { documents } = parsePolicyFile("f.yaml", text);
			expect(documents.map(({ diagnostics }) => diagnostics.map(({ code }) => code))).toEqual([
				["empty-list"],
			]);
		}
	});

	test("its elements count towards the documents of a file", () => {
		const { documents, syntaxBroken } = parsePolicyFile(
			"f.json",
			JSON.stringify(Array.from({ length: 10_001 }, () => ({}))),
		);
		expect(documents).toHaveLength(10_001);
		expect(syntaxBroken).toBe(true);
		expect(documents.at(-1)?.diagnostics[0]?.code).toBe("too-many-documents");
	});
});
