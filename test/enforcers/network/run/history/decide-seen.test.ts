import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { decideSeen } from "../../../../../src/enforcers/network/run/history/decide-seen.ts";
import type { SeenQuestion } from "../../../../../src/enforcers/network/run/history/history-calls.ts";
import { policy, rule } from "../../compile/build.ts";
import { options } from "../../compile/options.ts";

function modelOf(guests: boolean) {
	const forwarded = { guests: { forwarded: "audit", interfaces: [], uplinks: [] } } as const;
	const compiled = compileNetwork([policy("web", rule("Block", { ports: ["tcp/80"] }))], {
		...options,
		...(guests ? forwarded : {}),
	});
	if (!compiled.ok) throw new Error("refused");
	return compiled.model;
}

const question: SeenQuestion = {
	direction: "ingress",
	forwarded: false,
	family: 4,
	address: 1n,
	interface: "eth0",
	protocol: "tcp",
	port: 80,
	source: null,
};

test("the policies say what became of a flow, and who decided", () => {
	expect(decideSeen(modelOf(true), [question, { ...question, port: 81 }], true)).toEqual([
		{ action: "Block", policy: "web" },
		{ action: "Allow", policy: "DefaultPosture" },
	]);
});

test("what is forwarded and spared is audited, and what nobody judges passes", () => {
	const forwarded = [{ ...question, forwarded: true }];
	expect(decideSeen(modelOf(true), forwarded, true)).toEqual([{ action: "Audit", policy: "web" }]);
	expect(decideSeen(modelOf(true), forwarded, false)).toEqual([{ action: "Block", policy: "web" }]);
	expect(decideSeen(modelOf(false), forwarded, false)).toEqual([
		{ action: "Allow", policy: "DefaultPosture" },
	]);
});
