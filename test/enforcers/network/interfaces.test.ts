import { describe, expect, test } from "bun:test";
import {
	type HostLink,
	interfaceFindings,
	interfaceUses,
} from "../../../src/enforcers/network/interfaces.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { policy } from "../../system/support/case.ts";

const link = (name: string, over: Partial<HostLink> = {}): HostLink => ({
	name,
	altNames: [],
	kind: "",
	master: null,
	parent: null,
	...over,
});
const use = (name: string, prefix = false) => ({ name, prefix, users: ["u"] });
const found = (name: string, links: readonly HostLink[], prefix = false) =>
	interfaceFindings([use(name, prefix)], links).map(({ reason, bears }) => `${reason} ${bears}`.trim());

describe("a name that is held against the links", () => {
	test("is fine where a link has it, and its packets bear it", () => {
		expect(found("eth0", [link("eth0")])).toEqual([]);
		expect(found("eth", [link("eth0"), link("eth1")], true)).toEqual([]);
	});

	test("is absent, another name, or in another case", () => {
		const links = [link("eth0", { altNames: ["enp3s0"] }), link("Wan0")];
		expect(found("eth9", links)).toEqual(["absent"]);
		expect(found("tun", links, true)).toEqual(["absent"]);
		expect(found("enp3s0", links)).toEqual(["altname eth0"]);
		expect(found("enp", links, true)).toEqual(["altname eth0"]);
		expect(found("ETH0", links)).toEqual(["case eth0"]);
		expect(found("wan", links, true)).toEqual(["case Wan0"]);
	});

	test.each(["bridge", "bond", "team", "openvswitch"])("is that of a member of a %s", (kind) => {
		const links = [link("eth0", { master: { name: "m0", kind } }), link("m0", { kind }), link("eth1")];
		expect(found("eth0", links)).toEqual(["member m0"]);
		expect(found("eth", links, true)).toEqual(["member m0"]);
		expect(found("m0", links)).toEqual([]);
		expect(interfaceFindings([use("eth0")], links)[0]?.message).toContain(`the ${kind} "m0"`);
	});

	test("is that of the last master, below a VRF", () => {
		const links = [
			link("eth0", { master: { name: "bond0", kind: "bond" } }),
			link("bond0", { kind: "bond", master: { name: "br0", kind: "bridge" } }),
			link("br0", { kind: "bridge", master: { name: "red", kind: "vrf" } }),
			link("red", { kind: "vrf" }),
		];
		expect(found("eth0", links)).toEqual(["member br0"]);
		expect(found("bond0", links)).toEqual(["member br0"]);
		expect(found("br0", links)).toEqual([]);
	});

	test("a member of a VRF matches, as rules look at its own name as well", () => {
		expect(found("eth0", [link("eth0", { master: { name: "red", kind: "vrf" } })])).toEqual([]);
	});

	test.each(["macvlan", "ipvlan"])("is that of the parent of a %s", (kind) => {
		expect(found("eth0", [link("eth0"), link("v0", { kind, parent: "eth0" })])).toEqual(["parent v0"]);
	});

	test("the parent of a VLAN is nobody's business: the name of a VLAN says what it is", () => {
		expect(found("eth0", [link("eth0"), link("eth0.5", { kind: "vlan", parent: "eth0" })])).toEqual([]);
	});
});

test("every name is told once, with the first rules that use it", () => {
	const text = policy("p", {
		action: "Block",
		ingress: [0, 1, 2, 3].map(() => ({ iface: ["eth0"] })),
		egress: [{ iface: ["wg*"] }],
	});
	const policies = networkPart.in(parsePolicyFile("p.yaml", text).documents);
	const failsafe = {
		ingress: [{ interface: { name: "mgmt", prefix: false } }],
		egress: [{ interface: null }],
	};
	expect(interfaceUses(policies, failsafe)).toEqual([
		{ name: "mgmt", prefix: false, users: ["failsafe.ingress[0] of the settings"] },
		{
			name: "eth0",
			prefix: false,
			users: ['ingress[0] of policy "p"', 'ingress[1] of policy "p"', 'ingress[2] of policy "p"'],
		},
		{ name: "wg", prefix: true, users: ['egress[0] of policy "p"'] },
	]);
});
