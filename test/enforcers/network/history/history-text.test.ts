import { expect, test } from "bun:test";
import fc from "fast-check";
import { escapeJson } from "../../../../src/base/terminal.ts";
import { historyText } from "../../../../src/enforcers/network/history/history-text.ts";
import { historyJson, type SeenFlow } from "../../../../src/enforcers/network/history/seen-flow.ts";
import { beginning, flow, guestFlow } from "./support/flows.ts";

const name = fc.oneof(fc.constantFrom("eth0", 'a"b\\', "\u202e\u0007", "müller🦊", ""), fc.string());

const anyFlow: fc.Arbitrary<SeenFlow> = fc
	.record({
		base: fc.constantFrom(
			flow("ingress tcp 22 from 10.0.0.1"),
			flow("egress udp 53 to 10.1.0.0/24"),
			flow("ingress 58 from 2001:db8::/64"),
			flow("egress 253 to 2001:db8::1"),
			guestFlow("ingress sctp 65535 from 10.0.0.9"),
		),
		interface: name,
		policy: fc.option(name),
		action: fc.constantFrom("Allow", "Audit", "Block"),
		count: fc.integer({ min: 1 }),
		bytes: fc.option(fc.nat()),
		firstSeen: fc.oneof(fc.nat(5000), fc.integer({ min: 0, max: 8.64e15 })),
		lastSeen: fc.nat(100_000).map((more) => beginning + more),
		isNew: fc.boolean(),
	})
	.map(({ base, ...rest }): SeenFlow => ({ ...base, ...rest }));

test("bytes piece by piece are those of the whole text", () => {
	fc.assert(
		fc.property(fc.array(anyFlow, { maxLength: 20 }), fc.constantFrom(1, 50), (few, times) => {
			const flows = Array.from({ length: times }, () => few).flat();
			const history = { since: beginning, flows, merged: 3, lost: 4 };
			const text = `${escapeJson(JSON.stringify(historyJson(history)))}\n`;
			expect(Buffer.from(historyText(history, flows, flows.length)).toString()).toBe(text);
		}),
	);
});

test("very many flows with long names, of which more bytes come than is usual", () => {
	const flows = Array.from({ length: 5000 }, () =>
		flow("ingress tcp 22 from 10.0.0.1", { policy: "é".repeat(253) }),
	);
	const bytes = historyText({ since: 0, merged: 0, lost: 0 }, flows, flows.length);
	expect(JSON.parse(Buffer.from(bytes).toString())).toEqual(
		JSON.parse(JSON.stringify(historyJson({ since: 0, flows, merged: 0, lost: 0 }))),
	);
});
