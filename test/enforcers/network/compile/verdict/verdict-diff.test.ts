/** The boxes of a difference, held against brute force packet by packet. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseCidr } from "../../../../../src/base/cidr.ts";
import { isTransport, protocolFits, protocolText } from "../../../../../src/base/protocol.ts";
import { formatSuffix, type Suffix, suffixMatches } from "../../../../../src/base/suffix.ts";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import type { VerdictBox } from "../../../../../src/enforcers/network/compile/verdict/verdict-box.ts";
import { diffVerdicts } from "../../../../../src/enforcers/network/compile/verdict/verdict-diff.ts";
import type { NetworkPolicy } from "../../../../../src/enforcers/network/model.ts";
import { policy, rule } from "../build.ts";
import { failsafes, packets, policySets } from "../generate.ts";
import { suffixPackets, suffixPairs } from "../generate-suffixes.ts";
import { judge, type OracleOptions, type OraclePacket } from "../oracle.ts";

const noFailsafe = { ingress: [], egress: [] };
const model = (policies: readonly NetworkPolicy[], options: OracleOptions) =>
	buildModel(ruleSets(policies), { failsafe: noFailsafe, ...options });
const strict: OracleOptions = { posture: "block", allowlistScope: "direction" };
const diff = (before: readonly NetworkPolicy[], after: readonly NetworkPolicy[]) =>
	diffVerdicts(model(before, strict), model(after, strict));

const holdsPort = (range: readonly [number, number] | null | undefined, value: number | null) =>
	range === null || range === undefined || (value !== null && range[0] <= value && value <= range[1]);

function holdsAddress(box: VerdictBox, { family, address }: OraclePacket): boolean {
	return box.addresses.some((text) => {
		const parsed = parseCidr(text);
		if (!parsed.ok || parsed.cidr.family !== family) return false;
		const size = 1n << BigInt((family === 4 ? 32 : 128) - parsed.cidr.prefix);
		return parsed.cidr.base <= address && address < parsed.cidr.base + size;
	});
}

/** Of an answer the boxes about the packet's kind of address: those that name all suffixes that it matches, else the others. */
function ofKind(
	boxes: readonly VerdictBox[],
	{ direction, family, address }: OraclePacket,
	named: readonly Suffix[],
) {
	const kind = named.filter((suffix) => family === 6 && suffixMatches(suffix, address)).map(formatSuffix);
	const own = boxes.filter(
		(box) => box.direction === direction && box.suffixes?.toSorted().join() === kind.toSorted().join(),
	);
	return kind.length > 0 && own.length > 0 ? own : boxes.filter((box) => box.suffixes === undefined);
}

/** The boxes of an answer that mean a packet, as its reader takes them: "any" and null are every other. */
function boxesFor(
	all: readonly VerdictBox[],
	packet: OraclePacket,
	suffixes: readonly Suffix[] = [],
): VerdictBox[] {
	const boxes = ofKind(all, packet, suffixes);
	const names = new Set(boxes.flatMap((box) => box.interface ?? []));
	const nearest = [...names]
		.filter((name) =>
			name.endsWith("*") ? packet.interface.startsWith(name.slice(0, -1)) : name === packet.interface,
		)
		.sort((a, b) => (a.endsWith("*") ? a.length - 1 : 99) - (b.endsWith("*") ? b.length - 1 : 99))
		.at(-1);
	const own = packet.protocol === null ? "any" : protocolText(packet.protocol);
	const protocol = boxes.some((box) => box.protocol === own) ? own : "any";
	const mine = boxes.filter(
		(box) =>
			box.direction === packet.direction && box.interface === (nearest ?? null) && box.protocol === protocol,
	);
	const named = (box: VerdictBox) => box.sourcePorts ?? box.icmpTypes;
	const bySource = mine.some((box) => named(box) !== undefined && holdsPort(named(box), packet.source));
	return mine.filter(
		(box) =>
			(bySource
				? named(box) !== undefined && holdsPort(named(box), packet.source)
				: named(box) === undefined) &&
			(packet.protocol === null || !isTransport(packet.protocol) || holdsPort(box.ports, packet.port)) &&
			holdsAddress(box, packet),
	);
}

test("for every packet the boxes say what brute force says, and no two boxes mean one packet", () => {
	const options = fc.record({
		posture: fc.constantFrom<OracleOptions["posture"]>("audit", "block"),
		allowlistScope: fc.constantFrom<OracleOptions["allowlistScope"]>("direction", "host"),
		failsafe: failsafes,
	});
	fc.assert(
		fc.property(
			policySets,
			policySets,
			options,
			fc.array(packets, { minLength: 20, maxLength: 40 }),
			(before, after, how, asked) => {
				const boxes = diffVerdicts(model(before, how), model(after, how));
				for (const packet of asked) {
					if (!protocolFits(packet.protocol, packet.family)) continue;
					const [was, is] = [judge(before, how, packet).action, judge(after, how, packet).action];
					const found = boxesFor(boxes, packet);
					if (found.length > 1) throw new Error(`${found.length} boxes mean one packet`);
					const [box] = found;
					expect([box?.before ?? was, box?.after ?? was]).toEqual([was, is]);
				}
			},
		),
		{ numRuns: 60 },
	);
});

test("so do those of addresses that suffixes name", () => {
	const named = (policies: readonly NetworkPolicy[], direction: "ingress" | "egress") =>
		policies.flatMap((one) =>
			one[direction].flatMap(({ peers }) => peers.flatMap(({ suffix }) => suffix ?? [])),
		);
	fc.assert(
		fc.property(
			suffixPairs,
			fc.array(suffixPackets, { minLength: 20, maxLength: 40 }),
			([before, after], asked) => {
				const boxes = diffVerdicts(model(before, strict), model(after, strict));
				for (const packet of asked) {
					if (!protocolFits(packet.protocol, packet.family)) continue;
					const [was, is] = [judge(before, strict, packet).action, judge(after, strict, packet).action];
					const all = [before, after].flatMap((policies) => named(policies, packet.direction));
					const known = [...new Map(all.map((suffix) => [formatSuffix(suffix), suffix])).values()];
					const found = boxesFor(boxes, packet, known);
					if (found.length > 1) throw new Error(`${found.length} boxes mean one packet`);
					const [box] = found;
					expect([box?.before ?? was, box?.after ?? was]).toEqual([was, is]);
				}
			},
		),
		{ numRuns: 8 },
	);
});

describe("in few boxes", () => {
	const allow = (from: string, port: string) => policy("a", rule("Allow", { peers: [from], ports: [port] }));

	test("two equal sets have none", () => {
		expect(diff([allow("10.0.0.0/8", "tcp/22")], [allow("10.0.0.0/8", "tcp/22")])).toEqual([]);
	});

	test("a port that opens is one", () => {
		const before = [allow("10.0.0.0/8", "tcp/22")];
		const after = [policy("a", rule("Allow", { peers: ["10.0.0.0/8"], ports: ["tcp/22", "tcp/443"] }))];
		expect(diff(before, after)).toEqual([
			{
				direction: "ingress",
				protocol: "tcp",
				ports: [443, 443],
				addresses: ["10.0.0.0/8"],
				interface: null,
				before: "Block",
				after: "Allow",
			},
		]);
	});

	test("a Block of everything is one, for every protocol", () => {
		expect(diff([], [policy("b", rule("Block"))])).toEqual([
			{
				direction: "ingress",
				protocol: "any",
				ports: null,
				addresses: ["0.0.0.0/0", "::/0"],
				interface: null,
				before: "Allow",
				after: "Block",
			},
		]);
	});
});
