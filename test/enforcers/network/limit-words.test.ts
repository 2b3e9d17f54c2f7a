import { expect, test } from "bun:test";
import { limitText, refillSeconds } from "../../../src/enforcers/network/limit-words.ts";

test("limits in words", () => {
	const rate = { connections: 10, unit: "minute", burst: 5 } as const;
	expect(limitText({ ...rate, per: "source", prefix6: 64 })).toBe(
		"10/minute (burst 5) from each source (IPv6: each /64)",
	);
	expect(limitText({ ...rate, per: "source", prefix6: 128 })).toBe("10/minute (burst 5) from each source");
	expect(limitText({ max: 20, per: "rule", prefix6: 128 })).toBe("20 open connections for the whole rule");
	expect(refillSeconds(rate)).toBe(30);
});
