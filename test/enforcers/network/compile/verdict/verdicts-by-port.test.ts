/** Every line that is told of an address is right for every port in it, by brute force; and one line holds each packet. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { isIcmp, isTransport, protocolFits, protocolText } from "../../../../../src/base/protocol.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import {
	type PortVerdict,
	verdictsByPort,
} from "../../../../../src/enforcers/network/compile/verdict/verdicts-by-port.ts";
import { policy, rule } from "../build.ts";
import { failsafes, packets, policySets } from "../generate.ts";
import { judge, type OraclePacket } from "../oracle.ts";

const holds = (range: readonly [number, number] | undefined | null, value: number) =>
	range !== undefined && range !== null && range[0] <= value && value <= range[1];

/** The line that a reader finds for a packet: what is named before what is not. */
function lineFor(verdicts: readonly PortVerdict[], packet: OraclePacket): PortVerdict | undefined {
	const side = verdicts.filter(({ direction }) => direction === packet.direction);
	const names = side.flatMap(({ interface: name }) => name ?? []);
	const prefixes = names.filter(
		(name) => name.endsWith("*") && packet.interface.startsWith(name.slice(0, -1)),
	);
	const [longest = null] = prefixes.toSorted((a, b) => b.length - a.length);
	const name = names.includes(packet.interface) ? packet.interface : longest;
	const here = side.filter((line) => line.interface === name);
	const { protocol, source } = packet;
	const text = protocol === null ? "any" : protocolText(protocol);
	const own = here.filter((line) => line.protocol === text);
	const lines = own.length > 0 ? own : here.filter((line) => line.protocol === "any");
	const range = (line: PortVerdict) => (isIcmp(protocol) ? line.icmpTypes : line.sourcePorts);
	const fromHere = lines.filter((line) => source !== null && holds(range(line), source));
	const plain = lines.filter((line) => range(line) === undefined);
	return (fromHere.length > 0 ? fromHere : plain).find(
		({ ports }) => ports === null || holds(ports, packet.port),
	);
}

test("the line of a packet names the rule that decides by brute force", () => {
	fc.assert(
		fc.property(
			policySets,
			failsafes,
			fc.constantFrom("audit", "block" as const),
			fc.array(packets, { minLength: 10, maxLength: 20 }),
			(policies, failsafe, posture, sample) => {
				const meaning = { posture, allowlistScope: "direction" as const, failsafe };
				const model = buildModel(ruleSets(policies), meaning);
				const [{ family, address } = { family: 4 as const, address: 0n }] = sample;
				const verdicts = verdictsByPort(model, { family, value: address }, null);
				for (const one of sample) {
					const packet = { ...one, family, address };
					if (!protocolFits(packet.protocol, family)) continue;
					const line = lineFor(verdicts, packet);
					const { action, policy: name, index } = judge(policies, meaning, packet);
					expect([line?.action, line?.rule?.policy ?? null, line?.rule?.index ?? -1]).toEqual([
						action,
						name,
						index,
					]);
					// One is enough: the lines are those of a name.
					if (one !== sample[0] || !isTransport(packet.protocol)) continue;
					const alone = verdictsByPort(model, { family, value: address }, packet.interface);
					expect(lineFor(alone, packet)?.action).toBe(action);
				}
			},
		),
		{ numRuns: 80 },
	);
});

test("an allow-list as ranges of ports, and an interface only where it differs", () => {
	const policies = [
		policy("web", rule("Allow", { peers: ["10.0.0.0/8"], ports: ["tcp/443", "tcp/444"] })),
		policy("ssh", rule("Allow", { peers: ["10.1.0.0/16"], ports: ["tcp/22"], interfaces: ["eth1"] })),
	];
	const failsafe = { ingress: [], egress: [] };
	const model = buildModel(ruleSets(policies), { posture: "block", allowlistScope: "direction", failsafe });
	const told = (value: bigint) =>
		verdictsByPort(model, { family: 4, value }, null).map(
			({ direction, protocol, ports, interface: name, action, rule: by }) =>
				`${direction} ${protocol} ${ports?.join("-") ?? "all"} ${name} ${action} ${by?.policy ?? ""}`,
		);
	expect(told(0x0a020304n)).toEqual([
		"ingress tcp 0-442 null Block DefaultPosture",
		"ingress tcp 443-444 null Allow web",
		"ingress tcp 445-65535 null Block DefaultPosture",
		"ingress any all null Block DefaultPosture",
		"egress any all null Allow ",
	]);
	expect(told(0x0a010203n)).toEqual([
		"ingress tcp 0-442 null Block DefaultPosture",
		"ingress tcp 443-444 null Allow web",
		"ingress tcp 445-65535 null Block DefaultPosture",
		"ingress any all null Block DefaultPosture",
		"ingress tcp 0-21 eth1 Block DefaultPosture",
		"ingress tcp 22-22 eth1 Allow ssh",
		"ingress tcp 23-442 eth1 Block DefaultPosture",
		"ingress tcp 443-444 eth1 Allow web",
		"ingress tcp 445-65535 eth1 Block DefaultPosture",
		"ingress any all eth1 Block DefaultPosture",
		"egress any all null Allow ",
	]);
});
