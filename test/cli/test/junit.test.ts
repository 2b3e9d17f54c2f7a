import { expect, test } from "bun:test";
import { junit } from "../../../src/cli/test/junit.ts";

const base = { expectedPolicy: null, file: "t.yaml", line: 3 } as const;

test("one suite a document, hostile names included", () => {
	const text = junit([
		{
			...base,
			test: "a",
			name: 'x"<&>\u0000\u001b',
			ok: true,
			expected: "Allow",
			actual: "Allow",
			policy: "p",
		},
		{ ...base, test: "a", name: "y", ok: false, expected: "Block", actual: "Allow", policy: null },
		{ ...base, test: "b", name: "z", ok: false, expected: "Block", actual: "Audit", policy: "p" },
	]);
	expect(text).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="portward test" tests="3" failures="2">
  <testsuite name="a" tests="2" failures="1">
    <testcase classname="a" name="x&quot;&lt;&amp;&gt;??" file="t.yaml" line="3"/>
    <testcase classname="a" name="y" file="t.yaml" line="3"><failure message="expected Block, found Allow"/></testcase>
  </testsuite>
  <testsuite name="b" tests="1" failures="1">
    <testcase classname="b" name="z" file="t.yaml" line="3"><failure message="expected Block, found Audit by p"/></testcase>
  </testsuite>
</testsuites>
`);
});
