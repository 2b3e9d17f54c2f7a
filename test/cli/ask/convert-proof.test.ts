import { expect, test } from "bun:test";
import { compareWithSource, describeProof, proveOrder } from "../../../src/cli/ask/convert-proof.ts";
import { assemble } from "../../../src/convert/assemble.ts";
import { readIptables } from "../../../src/convert/iptables/read.ts";

const rules = (...lines: readonly string[]) =>
	assemble(
		"iptables",
		readIptables([{ file: "r", text: `*filter\n:INPUT ACCEPT [0:0]\n${lines.join("\n")}\nCOMMIT\n` }]),
	);

test("a policy that says something else is told by the packets", () => {
	const source = rules("-A INPUT -p tcp --dport 22 -j DROP");
	const other = rules("-A INPUT -p tcp --dport 22:23 -j DROP");
	expect(describeProof(compareWithSource(source))).toEqual([expect.stringContaining("proved")]);
	const proof = compareWithSource({ ...other, ordered: source.ordered });
	expect(proof.equal).toBe(false);
	expect(describeProof(proof).join("\n")).toMatch(/Allow → Block: ingress tcp 23 from 0\.0\.0\.0\/0/u);
});

test("what cannot be compared is no proof", () => {
	const source = rules("-A INPUT -p tcp --dport 22 -j DROP");
	const long = Array.from({ length: 2001 }, () => source.ordered.ingress).flat();
	const proof = compareWithSource({ ...source, ordered: { ...source.ordered, ingress: long } });
	expect(proof).toMatchObject({ equal: false, boxes: [], reason: expect.stringContaining("2000") });
	expect(describeProof(proof)).toEqual([expect.stringContaining("not proved")]);
	expect(proveOrder([{ policies: [], findings: [] }])).toBeNull();
	expect(describeProof(null)).toEqual([]);
});
