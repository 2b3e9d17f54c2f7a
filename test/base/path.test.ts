import { expect, test } from "bun:test";
import { formatPath, type Path } from "../../src/base/path.ts";

function path(...keys: (string | number)[]): Path | null {
	let at: Path | null = null;
	for (const key of keys) at = { parent: at, key };
	return at;
}

test.each([
	[[], ""],
	[["spec"], "spec"],
	[["spec", "ingress", 0, "ports", 1, "port"], "spec.ingress[0].ports[1].port"],
	[
		["spec", "nodeSelector", "matchLabels", "kubernetes.io/hostname"],
		'spec.nodeSelector.matchLabels["kubernetes.io/hostname"]',
	],
	[["a b"], '["a b"]'],
	[["spec", "x\n\u202e"], 'spec["x\\n\\u202e"]'],
	[["spec", "y".repeat(1000)], `spec["${"y".repeat(77)}..."]`],
])("%j is %s", (keys, text) => {
	expect(formatPath(path(...keys))).toBe(text);
});
