import { expect, test } from "bun:test";
import { describeOthers, othersJson } from "../../../src/cli/ask/explain-others.ts";

const translation = {
	family: "ip",
	table: "nat",
	chain: "PREROUTING",
	tools: ["Docker"],
	port: 8080,
	named: true,
} as const;

test("a translation is told with where it leads, as far as that is known", () => {
	expect(describeOthers({ deciding: [], translations: [translation] }, "Allow")).toBe(
		"  ip nat PREROUTING (Docker) redirects or translates this port: policies judge the packet behind that; ask about port 8080\n",
	);
	const vague = { ...translation, tools: [], port: null, named: false };
	expect(describeOthers({ deciding: [], translations: [vague] }, "Block")).toBe(
		"  ip nat PREROUTING may redirect or translate this port, as a rule of it names none: policies judge the packet behind that; ask about where it leads\n",
	);
});

test("fields are there only where there is something to tell", () => {
	expect(othersJson({ deciding: [], translations: [] })).toEqual({});
	expect(othersJson({ deciding: [], translations: [translation] })).toEqual({ translations: [translation] });
});
