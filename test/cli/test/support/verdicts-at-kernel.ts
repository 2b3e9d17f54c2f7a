/**
 * A program of its own, as probing leaves its network for good: holds what diff, search and exposure say of random sets
 * of policies against packets at this kernel. Prints how many of each were sent, and the disagreements.
 */

import fc from "fast-check";
import { parseCidr } from "../../../../src/base/cidr.ts";
import type { Action } from "../../../../src/base/model.ts";
import { isIcmp, isTransport, parseProtocol } from "../../../../src/base/protocol.ts";
import { probeTests } from "../../../../src/cli/test/probe.ts";
import { defaultConfig } from "../../../../src/config/parse.ts";
import {
	decidePacket,
	type NetworkModel,
	type Packet,
} from "../../../../src/enforcers/network/compile/program.ts";
import { Exposure } from "../../../../src/enforcers/network/compile/verdict/exposure.ts";
import type { VerdictBox } from "../../../../src/enforcers/network/compile/verdict/verdict-box.ts";
import { diffVerdicts } from "../../../../src/enforcers/network/compile/verdict/verdict-diff.ts";
import { searchVerdict } from "../../../../src/enforcers/network/compile/verdict/verdict-search.ts";
import { networkEnforcer } from "../../../../src/enforcers/network/enforcer.ts";
import type { NetworkPolicy } from "../../../../src/enforcers/network/model.ts";
import type { PolicyTestCase } from "../../../../src/enforcers/network/parse/test-model.ts";
import type { PacketRun } from "../../../../src/engine/testing/run.ts";
import { policySets } from "../../../enforcers/network/compile/generate.ts";

/** What essentials accept is beyond the verdicts of policies. */
const config = { ...defaultConfig(), essentials: false };
const expected = new Map<object, Action>();
const runs: PacketRun[] = [];
const sent = { diff: 0, search: 0, exposure: 0 };

function modelOf(policies: readonly NetworkPolicy[]): NetworkModel | null {
	const compiled = networkEnforcer.compile(policies, { config, purpose: "question", wish: null });
	return compiled.ok ? compiled.kept : null;
}

function ask(
	kind: keyof typeof sent,
	policies: readonly NetworkPolicy[],
	packet: Packet,
	action: Action,
): void {
	const { protocol } = packet;
	if (protocol === null || (isIcmp(protocol) && packet.source === null)) return;
	const one: PolicyTestCase = {
		...packet,
		protocol,
		name: `${kind} ${runs.length}: ${JSON.stringify({ ...packet, address: packet.address.toString(16) })}`,
		place: { file: "t.yaml", line: runs.length + 1, column: 1 },
		guest: null,
		by: null,
		expect: action,
		policy: null,
	};
	expected.set(one, action);
	runs.push({ test: kind, case: one, config, policies });
	sent[kind] += 1;
}

/** A packet of a box; null where its protocol stands for all others. */
function packetOf(box: VerdictBox): Packet | null {
	const protocol = box.protocol === "any" ? 200 : parseProtocol(box.protocol);
	const parsed = parseCidr(box.addresses.at(-1) ?? "");
	if (protocol === null || !parsed.ok) return null;
	const { family, base, prefix } = parsed.cidr;
	return {
		direction: box.direction,
		family,
		address: base + (1n << BigInt((family === 4 ? 32 : 128) - prefix)) / 2n,
		interface: box.interface === null ? "" : box.interface.replace("*", "zz9"),
		protocol,
		port: isTransport(protocol) ? (box.ports?.[1] ?? 7) : 0,
		source: (box.sourcePorts ?? box.icmpTypes)?.[0] ?? (isIcmp(protocol) ? (protocol === 1 ? 8 : 128) : null),
	};
}

const sets = fc.sample(policySets, { numRuns: 24, seed: 20_261_129 });
for (let index = 0; index + 1 < sets.length; index += 2) {
	const [first, second] = [sets[index] ?? [], sets[index + 1] ?? []];
	const [before, after] = [modelOf(first), modelOf(second)];
	if (before === null || after === null) continue;
	const boxes = diffVerdicts(before, after);
	const typed = new Set(
		boxes.flatMap(({ protocol, icmpTypes }) => (icmpTypes === undefined ? [] : [protocol])),
	);
	for (const box of boxes.slice(0, 40)) {
		// Without types a box is about those that no other box names.
		const packet = typed.has(box.protocol) && box.icmpTypes === undefined ? null : packetOf(box);
		// Of a box without a change the other boxes say more.
		if (packet === null || box.before === box.after) continue;
		ask("diff", first, packet, box.before);
		ask("diff", second, packet, box.after);
	}
	const whole = (bits: bigint) => [{ first: 0n, last: (1n << bits) - 1n }];
	for (const direction of ["ingress", "egress"] as const) {
		for (const action of ["Allow", "Audit", "Block"] as const) {
			for (const protocol of ["tcp", "udp", "sctp", 1, 253] as const) {
				const question = { direction, protocol, ports: null, addresses: { 4: whole(32n), 6: whole(128n) } };
				const found = searchVerdict(before, { ...question, interface: null, action });
				if (found !== null) ask("search", first, found, action);
			}
		}
	}
	const ports = [22, 80, 443].map((port) => ({ protocol: "tcp" as const, family: 4 as const, port }));
	const exposure = new Exposure(before, ports);
	for (const asked of ports) {
		for (const { first: low, last: high } of exposure.regions("eth0", asked)) {
			const packet = { ...asked, direction: "ingress", interface: "eth0" } as const;
			const inside = { ...packet, address: (low + high) / 2n };
			const source = [null, 1900, 1500, 1950, 5353].find(
				(from) => decidePacket(before, { ...inside, source: from }).action !== "Block",
			);
			const action = decidePacket(before, { ...inside, source: source ?? null }).action;
			ask("exposure", first, { ...inside, source: source ?? null }, action === "Block" ? "Allow" : action);
			if (low > 0n && !exposure.regions("eth0", asked).some((one) => one.last === low - 1n))
				ask("exposure", first, { ...packet, address: low - 1n, source: null }, "Block");
		}
	}
}

const result = probeTests(runs, (model, packet) => ({
	...decidePacket(model, packet),
	action: expected.get(packet) ?? "Allow",
}));
process.stdout.write(JSON.stringify({ sent, result }));
