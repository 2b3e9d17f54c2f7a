/** The zones of a set of policies, held against brute force over random policies. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseCidr } from "../../../../../src/base/cidr.ts";
import { isIcmp, isTransport, protocolText } from "../../../../../src/base/protocol.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import { type Zone, zonesOf } from "../../../../../src/enforcers/network/compile/verdict/zones.ts";
import { policy, rule } from "../build.ts";
import { failsafes, packets, policySets } from "../generate.ts";
import { judge, type OraclePacket } from "../oracle.ts";

function holds(zone: Zone, { family, address }: OraclePacket): boolean {
	return zone.addresses.some((text) => {
		const parsed = parseCidr(text);
		if (!parsed.ok) throw new Error(parsed.message);
		const { cidr } = parsed;
		const rest = BigInt((family === 4 ? 32 : 128) - cidr.prefix);
		return cidr.family === family && cidr.base >> rest === address >> rest;
	});
}

/** The zones that are about a packet: those of the narrowest interface that has any. */
function zonesFor(zones: readonly Zone[], packet: OraclePacket): readonly Zone[] {
	const own = zones.filter(({ direction }) => direction === packet.direction);
	const names = [...new Set(own.map((zone) => zone.interface))];
	const fits = names.filter(
		(name) =>
			name === null ||
			name === packet.interface ||
			(name.endsWith("*") && packet.interface.startsWith(name.slice(0, -1))),
	);
	fits.sort(
		(a, b) => (b?.length ?? -1) - (a?.length ?? -1) || Number(a?.endsWith("*")) - Number(b?.endsWith("*")),
	);
	const nearest = fits.find((name) => name === packet.interface) ?? fits[0] ?? null;
	return own.filter((zone) => zone.interface === nearest && holds(zone, packet));
}

test("a packet is in one zone, and meets there what the zone says", () => {
	const met = { services: 0, otherwise: 0 };
	fc.assert(
		fc.property(
			policySets,
			failsafes,
			fc.constantFrom("audit", "block" as const),
			fc.array(packets, { minLength: 20, maxLength: 30 }),
			(policies, failsafe, posture, sample) => {
				const meaning = { posture, allowlistScope: "direction" as const, failsafe };
				const found = zonesOf(buildModel(ruleSets(policies), meaning));
				if (!found.ok) throw new Error(found.message);
				for (const one of sample) {
					const packet = { ...one, source: null };
					const [zone, ...more] = zonesFor(found.zones, packet);
					expect(more).toEqual([]);
					const service = zone?.services.find(
						({ protocol, ports }) =>
							packet.protocol !== null &&
							protocol === protocolText(packet.protocol) &&
							(ports === null || (ports[0] <= packet.port && packet.port <= ports[1])),
					);
					met[service === undefined ? "otherwise" : "services"] += 1;
					const port = isTransport(packet.protocol) ? packet.port : 0;
					expect(service?.action ?? zone?.otherwise).toBe(
						judge(policies, meaning, { ...packet, port }).action,
					);
					expect(isIcmp(packet.protocol) && service?.ports != null).toBe(false);
				}
			},
		),
		{ numRuns: 150 },
	);
	expect(Math.min(met.services, met.otherwise)).toBeGreaterThan(50);
});

test("what is written in another way is the same zones; one that says nothing is one zone", () => {
	const failsafe = { ingress: [], egress: [] };
	const meaning = { posture: "block", allowlistScope: "direction", failsafe } as const;
	const zones = (...peers: string[]) =>
		zonesOf(buildModel(ruleSets([policy("a", rule("Allow", { peers, ports: ["tcp/22-23"] }))]), meaning));
	expect(zones("10.0.0.0/8")).toEqual(zones("10.0.0.0/9", "10.128.0.0/9"));
	expect(zones("10.0.0.0/8")).toMatchObject({
		ok: true,
		zones: [
			{
				direction: "ingress",
				addresses: ["10.0.0.0/8"],
				rest: false,
				otherwise: "Block",
				services: [{ protocol: "tcp", ports: [22, 23], action: "Allow" }],
			},
			{ direction: "ingress", rest: true, otherwise: "Block", services: [] },
			{ direction: "egress", addresses: ["0.0.0.0/0", "::/0"], rest: true, otherwise: "Allow", services: [] },
		],
	});
});
