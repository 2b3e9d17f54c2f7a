import { expect, test } from "bun:test";
import { defaultConfig } from "../../../../../src/config/parse.ts";
import { networkEnforcer } from "../../../../../src/enforcers/network/enforcer.ts";
import { networkPart } from "../../../../../src/enforcers/network/model.ts";
import { drawGraph } from "../../../../../src/enforcers/network/run/graph/draw-graph.ts";
import { parsePolicyFile } from "../../../../../src/engine/parse.ts";
import { block, policy, port } from "../../../../system/support/case.ts";

function drawn(rules: readonly object[]) {
	const { documents } = parsePolicyFile("p.yaml", policy("p", { action: "Block", ingress: rules }));
	const request = { config: defaultConfig(), purpose: "question", wish: null } as const;
	const compiled = networkEnforcer.compile(networkPart.in(documents), request);
	if (!compiled.ok) throw new Error("does not compile");
	return drawGraph(compiled.kept);
}

test("zones and services are drawn", () => {
	const drawing = drawn([{ from: [block("192.0.2.0/24")], ports: [port("TCP", 22)] }]);
	expect(drawing).toMatchObject({ ok: true, svg: expect.stringContaining(">192.0.2.0/24</text>") });
});

test("so many that the thread would be held up are not", () => {
	const from = Array.from({ length: 41 }, (_, index) => block(`10.0.${index}.0/24`));
	const ports = Array.from({ length: 50 }, (_, index) => port("TCP", 1 + 2 * index));
	expect(drawn([{ from, ports }])).toMatchObject({ ok: false, message: expect.stringContaining("too many") });
	expect(drawn([{ from: from.slice(0, 40), ports }]).ok).toBe(true);
});
