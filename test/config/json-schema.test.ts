/** What the schema of the settings refuses the validator refuses, and what that takes the schema takes. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { settingsSchema } from "../../src/config/json-schema.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { takes } from "../support/json-schema.ts";

const root = join(import.meta.dir, "../..");

describe("settings", () => {
	const schema = settingsSchema;
	const value = fc.oneof(
		fc.constantFrom<unknown>(
			null,
			true,
			false,
			0,
			1,
			33,
			10,
			65_536,
			1.5,
			"",
			"block",
			"audit",
			"/x",
			"x",
			"off",
		),
		fc.constantFrom<unknown>("127.0.0.1:1", "unix:/x", "required", [], {}, { a: "b" }, { a: 1 }, [
			"ed25519:x",
		]),
		fc.constantFrom<unknown>(
			{ cert: "/a", key: "/b" },
			[{ protocol: "TCP", port: 22 }],
			[{ port: "6000-6010" }],
		),
	);
	const known = Object.keys(schema.properties as object);

	test("what the validator takes the schema takes, and it refuses what is no setting", () => {
		let taken = 0;
		const nested = [
			"address",
			"detail",
			"tls",
			"tokenFile",
			"ingress",
			"egress",
			"stdout",
			"file",
			"perSecond",
		];
		fc.assert(
			fc.property(
				fc.dictionary(
					fc.constantFrom(...known, "x"),
					fc.oneof(value, fc.dictionary(fc.constantFrom(...nested), value, { maxKeys: 2 })),
					{ maxKeys: 2 },
				),
				(settings) => {
					if (!parseConfig("c.yaml", JSON.stringify(settings)).ok) return;
					taken++;
					expect(takes(settings, schema)).toBe(true);
				},
			),
			{ numRuns: 3000 },
		);
		expect(taken).toBeGreaterThan(300);
		expect(takes(null, schema)).toBe(true);
		for (const wrong of [
			{ hostDefaultNetworkPostur: "block" },
			{ hostDefaultNetworkPosture: "Block" },
			{ nflogGroup: 65_536 },
			{ confirmWithin: 9.5 },
			{ status: { adress: "127.0.0.1:1" } },
			{ trustedKeys: ["rsa:x"] },
			{ failsafe: { ingress: [{ protokol: "TCP" }] } },
			{ table: "a-b" },
			{ policyDir: 1 },
		]) {
			expect([wrong, takes(wrong, schema)]).toEqual([wrong, false]);
			expect(parseConfig("c.yaml", JSON.stringify(wrong)).ok).toBe(false);
		}
	});

	test("the sample settings", () => {
		const text = readFileSync(join(root, "packaging/config.yaml"), "utf8");
		expect(takes(Bun.YAML.parse(text), schema)).toBe(true);
	});
});
