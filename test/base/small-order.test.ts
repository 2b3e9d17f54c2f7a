import { expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { isSmallOrder, smallOrderMessage } from "../../src/base/small-order.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { parsePublicKey, publicText } from "../../src/source/signing-key.ts";

const points = [
	`${"00".repeat(32)}`,
	`01${"00".repeat(31)}`,
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	`ec${"ff".repeat(30)}7f`,
	`ed${"ff".repeat(30)}7f`,
	`ee${"ff".repeat(30)}7f`,
];
const both = points.flatMap((point) => {
	const bytes = Buffer.from(point, "hex");
	const negative = Buffer.from(bytes);
	negative[31] = (negative[31] ?? 0) | 0x80;
	return [bytes, negative];
});

test.each(both.map((point) => point.toString("hex")))(
	"%s is trusted nowhere: as a key, as PEM, in the settings",
	(hex) => {
		const point = Buffer.from(hex, "hex");
		expect(isSmallOrder(point)).toBe(true);
		const text = `ed25519:${point.toString("base64")}`;
		expect(parsePublicKey(text)).toEqual({ ok: false, message: smallOrderMessage });
		const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), point]);
		const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString("base64")}\n-----END PUBLIC KEY-----\n`;
		expect(parsePublicKey(pem).ok).toBe(false);
		const settings = parseConfig("c", JSON.stringify({ trustedKeys: [text] }));
		expect(settings.ok ? [] : settings.diagnostics.map(({ hint }) => hint)).toEqual([
			expect.stringContaining("small order"),
		]);
	},
);

test("without the check one signature would fit: the identity as key and as R, and S = 0", () => {
	const identity = Buffer.from(points[1] ?? "", "hex");
	const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), identity]);
	const key = createPublicKey({ key: der, format: "der", type: "spki" });
	expect(
		verify(null, Buffer.from("any set of policies"), key, Buffer.concat([identity, Buffer.alloc(32)])),
	).toBe(true);
});

test("keys that somebody made are none of these", () => {
	for (let count = 0; count < 50; count++) {
		const text = publicText(generateKeyPairSync("ed25519").publicKey);
		expect(parsePublicKey(text).ok).toBe(true);
		expect(parseConfig("c", JSON.stringify({ trustedKeys: [text] })).ok).toBe(true);
	}
});
