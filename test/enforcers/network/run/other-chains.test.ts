import { expect, test } from "bun:test";
import type {
	ForeignChain,
	foreignChains,
} from "../../../../src/enforcers/network/observe/foreign-chains.ts";
import { OtherChains } from "../../../../src/enforcers/network/run/other-chains.ts";

const chain: ForeignChain = {
	family: "inet",
	table: "firewalld",
	chain: "filter_INPUT",
	type: "filter",
	hook: "input",
	priority: 10,
	policy: "accept",
	tools: ["firewalld"],
	legacy: false,
};

test("reads at most every ten seconds, and keeps what it had when nothing can be read", () => {
	const asked: string[] = [];
	let answer: ReturnType<typeof foreignChains> = { ok: true, chains: [chain] };
	const others = new OtherChains((table) => {
		asked.push(table);
		return answer;
	});
	expect(others.beside("t", 0)).toEqual([chain]);
	expect(others.beside("t", 9_999)).toEqual([chain]);
	expect(asked).toEqual(["t"]);
	answer = { ok: false, error: "no memory" };
	expect(others.beside("t", 10_000)).toEqual([chain]);
	answer = { ok: true, chains: [] };
	expect(others.beside("t", 20_000)).toEqual([]);
	expect(asked).toHaveLength(3);
});
