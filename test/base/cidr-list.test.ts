import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatCidr, parseCidr } from "../../src/base/cidr.ts";
import { lineOfBlock, listLimits, parseCidrList } from "../../src/base/cidr-list.ts";

const parse = (text: string) => parseCidrList(Buffer.from(text));

function blocks(text: string): string[] {
	const list = parse(text);
	if (!list.ok) throw new Error(`${list.line}:${list.column}: ${list.message}`);
	return list.blocks.map(formatCidr);
}

describe("a list", () => {
	test.each([
		["", []],
		["\n\n", []],
		["# nothing\n; nothing\n", []],
		["10.0.0.0/8", ["10.0.0.0/8"]],
		["10.0.0.0/8\r\n192.0.2.1\r\n", ["10.0.0.0/8", "192.0.2.1/32"]],
		["  10.0.0.0/8\t# office\n", ["10.0.0.0/8"]],
		["1.10.16.0/20 ; SBL256894\n", ["1.10.16.0/20"]],
		["\ufeff192.0.2.0/24", ["192.0.2.0/24"]],
		["0.0.0.0/0\n::/0", ["0.0.0.0/0", "::/0"]],
		["2001:DB8::/32#x\n2001:db8::1", ["2001:db8::/32", "2001:db8::1/128"]],
	])("%j holds %j", (text, expected) => {
		expect(blocks(text)).toEqual(expected);
	});

	test("host bits are cleared, and counted", () => {
		const list = parse("10.0.0.1/8\n2001:db8::1/32\n10.0.0.0/8");
		expect(list).toMatchObject({ ok: true, hostBits: 2 });
	});

	test.each([
		["10.0.0.0/8\n\n  10.0.0.256\n", 3, 3, "part above 255"],
		["10.0.0.0/33", 1, 1, "prefix length"],
		["10.0.0.0/8 10.1.0.0/16", 1, 12, "follows the block"],
		["010.0.0.1", 1, 1, "four decimal numbers"],
		["10.0.0.0/08", 1, 1, "prefix length"],
		["<html>", 1, 1, "not an IP address"],
		["example.com", 1, 1, "names are not resolved"],
		["\ufeffexample.com", 1, 1, "names are not resolved"],
		["0.0.0.0", 1, 1, "no host has"],
		["::", 1, 1, "no host has"],
		["::ffff:192.0.2.1", 1, 1, "IPv4-mapped"],
		["10.0.0.0/8\n\0", 2, 1, "not an IP address"],
		["10.0.0.0-10.0.0.9", 1, 1, ""],
	])("%j is refused at %d:%d", (text, line, column, message) => {
		const list = parse(text);
		expect(list).toMatchObject({ ok: false, line, column });
		if (!list.ok) expect(list.message).toContain(message);
	});

	test("has bounds", () => {
		const many = "10.0.0.1\n".repeat(listLimits.blocks);
		expect(parse(many).ok).toBe(true);
		expect(parse(`${many}10.0.0.1`)).toMatchObject({ ok: false, line: listLimits.blocks + 1 });
		expect(parseCidrList(new Uint8Array(listLimits.bytes + 1).fill(0x0a)).ok).toBe(false);
	});

	test("reads each line as the strict parser does", () => {
		const part = fc.constantFrom("0", "1", "01", "10", "255", "256", "999", "1000", "", "a");
		const address = fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));
		const prefix = fc.constantFrom("", "/", "/0", "/8", "/08", "/31", "/32", "/33", "/128", "/x");
		const line = fc.tuple(address, prefix).map(([base, length]) => base + length);
		fc.assert(
			fc.property(
				fc.oneof(line, fc.string({ maxLength: 12, unit: fc.constantFrom(..."0123.:/afA") })),
				(text) => {
					const alone = parseCidr(text);
					const list = parse(text);
					const none = alone.ok && !text.includes("/") && alone.cidr.base === 0n;
					if (text === "") expect(list).toMatchObject({ ok: true, blocks: [] });
					else if (!alone.ok || none) expect(list.ok).toBe(false);
					else
						expect(list).toMatchObject({ ok: true, blocks: [alone.cidr], hostBits: Number(alone.hostBits) });
				},
			),
		);
	});

	test("never throws, whatever its bytes", () => {
		fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseCidrList(bytes)));
	});
});

describe("the line of a block", () => {
	const bytes = Buffer.from("# a list\n10.0.0.0/8\r\n\n192.0.2.7 ; one\n2001:db8::/32\n192.0.2.7/32\n");
	const lineOf = (text: string) => {
		const parsed = parseCidr(text);
		if (!parsed.ok) throw new Error(parsed.message);
		return lineOfBlock(bytes, parsed.cidr);
	};

	test("is the first that has it, however it is written", () => {
		expect(["10.0.0.0/8", "192.0.2.7/32", "2001:DB8::/32"].map(lineOf)).toEqual([2, 4, 5]);
	});

	test("is none for what lies in a block, and in what is no list", () => {
		expect(lineOf("10.1.0.0/16")).toBeNull();
		const cidr = { family: 4, base: 0x0a000000n, prefix: 8 } as const;
		expect(lineOfBlock(Buffer.from("10.0.0.0/8\nnonsense\n"), cidr)).toBeNull();
	});
});
