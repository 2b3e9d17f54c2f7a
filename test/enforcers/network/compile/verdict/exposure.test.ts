/** Who can reach a port, held against brute force over random policies. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatCidr } from "../../../../../src/base/cidr.ts";
import { isTransport } from "../../../../../src/base/protocol.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import { type ExposedPort, Exposure } from "../../../../../src/enforcers/network/compile/verdict/exposure.ts";
import { policy, rule } from "../build.ts";
import { failsafes, packets, policySets } from "../generate.ts";
import { judge } from "../oracle.ts";

/** One that no rule names, and one of each range that the generator's rules tell apart. */
const sources = [null, 1500, 1899, 1900, 1901, 1950, 1999, 2000, 5353];

test("an address is told exactly where a connection from some source port passes", () => {
	let [inside, outside] = [0, 0];
	fc.assert(
		fc.property(
			policySets,
			failsafes,
			fc.constantFrom("audit", "block" as const),
			fc.array(packets, { minLength: 10, maxLength: 20 }),
			(policies, failsafe, posture, sample) => {
				const meaning = { posture, allowlistScope: "direction" as const, failsafe };
				const model = buildModel(ruleSets(policies), meaning);
				const asked = sample.flatMap(({ protocol, family, port, address, interface: name }) =>
					isTransport(protocol) ? [{ protocol, family, port, address, name }] : [],
				);
				const exposure = new Exposure(model, asked);
				for (const { protocol, family, port, address, name } of asked) {
					const told = exposure
						.regions(name, { protocol, family, port })
						.some(({ first, last }) => first <= address && address <= last);
					const passes = sources.some((source) => {
						const packet = {
							direction: "ingress",
							protocol,
							family,
							port,
							address,
							interface: name,
							source,
						} as const;
						return judge(policies, meaning, packet).action !== "Block";
					});
					expect(told).toBe(passes);
					if (passes) inside++;
					else outside++;
				}
			},
		),
		{ numRuns: 120 },
	);
	expect(Math.min(inside, outside)).toBeGreaterThan(50);
});

test("blocks, and any where every address passes", () => {
	const policies = [
		policy("a", rule("Allow", { peers: ["10.0.1.0/24"], ports: ["tcp/5432"] })),
		policy("b", rule("Audit", { ports: ["tcp/22"], interfaces: ["eth0"] })),
	];
	const failsafe = { ingress: [], egress: [] };
	const model = buildModel(ruleSets(policies), { posture: "block", allowlistScope: "direction", failsafe });
	const port = (number: number): ExposedPort => ({ protocol: "tcp", family: 4, port: number });
	const exposure = new Exposure(model, [port(5432), port(22), port(80)]);
	const blocks = (name: string, number: number) => {
		const found = exposure.blocks(name, port(number));
		return found === "any" ? found : found.map(formatCidr);
	};
	expect(blocks("eth0", 5432)).toEqual(["10.0.1.0/24"]);
	expect([blocks("eth0", 22), blocks("eth1", 22), blocks("eth0", 80)]).toEqual(["any", [], []]);
});
