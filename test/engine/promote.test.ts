import { describe, expect, test } from "bun:test";
import { promoteText } from "../../src/engine/promote.ts";

const rest = "spec: {nodeSelector: {matchLabels: {a: b}}, ingress: [{}]}\n";
const head = "apiVersion: security.kubearmor.com/v1\nkind: KubeArmorNetworkPolicy\n";

function promoted(text: string, ...names: readonly string[]): string {
	const result = promoteText("p.yaml", text, new Set(names));
	return result.ok ? result.text : `refused: ${result.reason}`;
}

describe("the annotation goes", () => {
	test.each([
		[
			"a line of its own, with what stands around it",
			"metadata:\n  name: a # the name\n  annotations:\n    team: x # whose\n    portward.io/mode: staged\n    # kept\n    z: y\n",
			"metadata:\n  name: a # the name\n  annotations:\n    team: x # whose\n    # kept\n    z: y\n",
		],
		[
			"the only one, with its heading",
			"metadata:\n  annotations:\n    portward.io/mode: staged\n  name: a\n",
			"metadata:\n  name: a\n",
		],
		[
			"the only one, below a comment that stays",
			"metadata:\n  annotations:\n    # since May\n    portward.io/mode: staged\n  name: a\n",
			"metadata:\n  annotations:\n    # since May\n    portward.io/mode: enforced\n  name: a\n",
		],
		[
			"behind which a comment stands",
			"metadata:\n  name: a\n  annotations:\n    portward.io/mode: staged # since May\n",
			"metadata:\n  name: a\n  annotations:\n    portward.io/mode: enforced # since May\n",
		],
		[
			"in braces",
			"metadata: {name: a, annotations: {portward.io/mode: 'staged', x: y}}\n",
			"metadata: {name: a, annotations: {portward.io/mode: 'enforced', x: y}}\n",
		],
	])("%s", (_, before, after) => {
		expect(promoted(head + before + rest, "a")).toBe(head + after + rest);
		const [windows, expected] = [before, after].map(
			(text) => `\ufeff${(head + text + rest).replaceAll("\n", "\r\n")}`,
		);
		expect(promoted(windows ?? "", "a")).toBe(expected ?? "");
	});
});

test("of several documents those that are named are promoted, also in lists and JSON", () => {
	const one = (name: string, mode: string) =>
		`${head}metadata: {name: ${name}, annotations: {portward.io/mode: ${mode}}}\n${rest}`;
	const all = (a: string, b: string) =>
		`# first\n${one("a", a)}---\n${one("b", b)}---\n${one("c", "staged")}`;
	expect(promoted(all("staged", "staged"), "b")).toBe(all("staged", "enforced"));
	expect(promoted(all("staged", "staged"), "a", "b")).toBe(all("enforced", "enforced"));
	const listed = (mode: string) =>
		JSON.stringify({
			apiVersion: "v1",
			kind: "List",
			items: [
				{
					apiVersion: "security.kubearmor.com/v1",
					kind: "KubeArmorHostPolicy",
					metadata: { name: "usb", annotations: { "portward.io/mode": mode } },
					spec: { nodeSelector: { matchLabels: { a: "b" } }, device: { matchDevice: [{ class: "HUB" }] } },
				},
			],
		});
	expect(promoted(listed("staged"), "usb")).toBe(listed("enforced"));
});

test("what is said in another way is left to a hand", () => {
	const text = `${head}metadata: {name: a, labels: {m: &m staged}, annotations: {portward.io/mode: *m}}\n${rest}`;
	expect(promoted(text, "a")).toBe("refused: write portward.io/mode: enforced in it by hand");
});
