/** Random ordered rules: what their text means here is what the first that matches says, for every packet that is asked. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { convertTexts, differences } from "./support/host.ts";
import { type Chains, chains, compare, hasPorts, type Rule, textOf } from "./support/random-rules.ts";

const policies = fc.constantFrom("ACCEPT", "DROP");
const names = ["INPUT", "one", "two"] as const;

function holds(write: (all: Chains, policy: "ACCEPT" | "DROP") => string): void {
	fc.assert(
		fc.property(chains(), policies, (all, policy) => {
			const host = convertTexts([write(all, policy)]);
			expect(host.findings.filter(({ kind }) => kind === "lost")).toEqual([]);
			expect(differences(host)).toEqual([]);
			compare(all, policy, host);
		}),
		{ numRuns: 40 },
	);
}

test("as iptables-save prints them", () => {
	holds((all, policy) => {
		const lines = names.flatMap((name) => all[name].map((one) => textOf(name, one)));
		const text = [
			"*filter",
			`:INPUT ${policy} [0:0]`,
			":one - [0:0]",
			":two - [0:0]",
			...lines,
			"COMMIT",
			"",
		];
		return text.join("\n");
	});
});

function expressionsOf(one: Rule): readonly object[] {
	const match = (left: object, right: unknown, negated = false) => ({
		match: { op: negated ? "!=" : "==", left, right },
	});
	const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } });
	const found: object[] = [];
	if (one.block !== null) {
		const [addr, len] = one.block.split("/");
		found.push(match(field("ip", "saddr"), { prefix: { addr, len: Number(len) } }, one.notBlock));
	}
	if (one.link !== null)
		found.push(match({ meta: { key: "iifname" } }, one.link.replace("+", "*"), one.notLink));
	if (one.protocol !== null) found.push(match({ meta: { key: "l4proto" } }, one.protocol));
	if (one.protocol === "icmp" && one.source === 8) found.push(match(field("icmp", "type"), "echo-request"));
	if (hasPorts(one) && one.source !== null) found.push(match(field("th", "sport"), { set: [one.source] }));
	if (hasPorts(one) && one.ports !== null)
		found.push(match(field(one.protocol ?? "", "dport"), { range: one.ports }, one.notPorts));
	const { target } = one;
	if (target === "one" || target === "two") found.push({ [one.goes ? "goto" : "jump"]: { target } });
	else found.push({ [target.toLowerCase()]: null });
	return found;
}

test("as nft -j prints them", () => {
	holds((all, policy) => {
		const place = { family: "ip", table: "t" };
		const hook = { type: "filter", hook: "input", prio: 0, policy: policy.toLowerCase() };
		const objects = [
			...names.map((name) => ({ chain: { ...place, name, ...(name === "INPUT" ? hook : {}) } })),
			...names.flatMap((chain) =>
				all[chain].map((one) => ({ rule: { ...place, chain, expr: expressionsOf(one) } })),
			),
		];
		return JSON.stringify({ nftables: objects });
	});
});
