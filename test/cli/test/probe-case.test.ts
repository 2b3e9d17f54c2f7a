import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/base/cidr.ts";
import { probeInterface, probeOf, unprobeable } from "../../../src/cli/test/probe-case.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import type { NetworkModel } from "../../../src/enforcers/network/compile/program.ts";
import { networkEnforcer } from "../../../src/enforcers/network/enforcer.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import type { PolicyTestCase } from "../../../src/enforcers/network/parse/test-model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { policy } from "../../system/support/case.ts";

function about(address: string, more: Partial<PolicyTestCase> = {}): PolicyTestCase {
	const parsed = parseAddress(address);
	if ("message" in parsed) throw new Error(parsed.message);
	return {
		name: "c",
		place: { file: "t.yaml", line: 1, column: 1 },
		direction: "ingress",
		protocol: "tcp",
		family: parsed.family,
		address: parsed.value,
		port: 22,
		source: null,
		interface: "",
		guest: null,
		by: null,
		expect: "Allow",
		policy: null,
		...more,
	};
}

function modelOf(spec: Parameters<typeof policy>[1]): NetworkModel {
	const { documents } = parsePolicyFile("p.yaml", policy("p", spec));
	const compiled = networkEnforcer.compile(networkPart.in(documents), {
		config: defaultConfig(),
		purpose: "question",
		wish: null,
	});
	if (!compiled.ok) throw new Error("does not compile");
	return compiled.kept;
}

describe("what cannot be sent has a reason", () => {
	test.each<readonly [string, Partial<PolicyTestCase>, string | null]>([
		["192.0.2.1", {}, null],
		["2001:db8::1", {}, null],
		["192.0.2.1", { interface: "lo" }, "loopback"],
		["127.0.0.1", {}, "of loopback"],
		["224.0.0.1", {}, "multicast"],
		["255.255.255.255", {}, "reserved"],
		["::1", {}, "loopback"],
		["ff02::1", {}, "multicast"],
		["fe80::1", {}, "of one link"],
		["192.0.2.1", { protocol: 255 }, "no socket"],
		["192.0.2.1", { protocol: 1, source: 8 }, null],
		["192.0.2.1", { protocol: 1, source: 3 }, "opens no flow"],
		["2001:db8::1", { protocol: 58, source: 128 }, null],
		["2001:db8::1", { protocol: 58, source: 1 }, "opens no flow"],
	])("%s %j: %s", (address, more, reason) => {
		const said = unprobeable(about(address, more));
		if (reason === null) expect(said).toBeNull();
		else expect(said).toContain(reason);
	});
});

test("a case that names who sends is not sent", () => {
	const by = { user: "alice", group: null, service: null };
	expect(unprobeable(about("192.0.2.1", { direction: "egress", by }))).toContain("who sends");
});

test("a case of a guest is not sent", () => {
	expect(unprobeable(about("192.0.2.1", { guest: 0xac110002n }))).toContain("no guests");
});

test("the source port and the interface are ones that no rule names", () => {
	expect(probeInterface(["probe0", "eth0"])).toBe("probe1");
	const model = modelOf({
		action: "Block",
		ingress: [{ ports: [{ protocol: "TCP", port: 22, sourcePort: 40_000, sourceEndPort: 65_535 }] }],
	});
	const place = { spare: "probe0", local: 9n };
	expect(probeOf(about("192.0.2.1"), model, place)).toMatchObject({
		from: 33_333,
		interface: "probe0",
		protocol: 6,
		source: 0xc0000201n,
		destination: 9n,
	});
	const egress = probeOf(about("192.0.2.1", { direction: "egress", source: 7 }), model, place);
	expect(egress).toMatchObject({ from: 7, source: 9n, destination: 0xc0000201n });
	const all = modelOf({
		action: "Block",
		ingress: [{ ports: [{ protocol: "TCP", port: 22, sourcePort: 1, sourceEndPort: 65_535 }] }],
	});
	expect(probeOf(about("192.0.2.1"), all, place)).toBeNull();
});
