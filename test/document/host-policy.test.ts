import { expect, test } from "bun:test";
import { type HostBlock, hostPolicyKind } from "../../src/document/host-policy.ts";
import { Kinds, PartType } from "../../src/document/kind.ts";
import { parseDocuments } from "../../src/document/parse.ts";

/** A block that is one word. */
function block(field: string, enforcer: string): HostBlock {
	const type = new PartType<string>(enforcer);
	return {
		field,
		schema: { type: "string" },
		remedies: {},
		nothing: { message: "it says nothing", hint: "write a word" },
		read(reader, spec, { action }) {
			const found = reader.present(spec, field);
			const word = found && reader.text(found.node, found.path);
			return { action, isEmpty: word === null, part: ({ name }) => type.wrap(`${name} ${word}`) };
		},
	};
}

const kinds = new Kinds([hostPolicyKind([block("device", "usb"), block("process", "programs")])]);

function parsed(spec: object) {
	const nodeSelector = { matchLabels: { a: "b" } };
	const head = {
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorHostPolicy",
		metadata: { name: "p" },
	};
	const text = JSON.stringify({ ...head, spec: { nodeSelector, ...spec } });
	const [only] = parseDocuments("p.json", text, kinds).documents;
	if (only === undefined) throw new Error("no document");
	return only;
}

test("a document yields a part for each enforcer that has a block", () => {
	const { policy, diagnostics } = parsed({ action: "Audit", device: "stick", process: "shell" });
	expect(diagnostics).toEqual([]);
	expect(policy).toMatchObject({
		action: "Audit",
		parts: [
			{ enforcer: "usb", content: "p stick" },
			{ enforcer: "programs", content: "p shell" },
		],
	});
});

test("a block that nobody registered is told, with those that are", () => {
	const { diagnostics } = parsed({ device: "stick", file: {} });
	expect(diagnostics).toMatchObject([
		{ code: "not-enforced", path: "spec.file", hint: expect.stringContaining("the blocks device, process;") },
	]);
	expect(parsed({}).diagnostics).toMatchObject([{ code: "no-rules", message: "it says nothing" }]);
	expect(parsed({ device: [] }).policy).toBeNull();
});
