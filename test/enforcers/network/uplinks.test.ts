import { describe, expect, test } from "bun:test";
import { knownUplinks } from "../../../src/enforcers/network/compile/guests.ts";
import { type UplinkLink, undecidedBridges, uplinksOf } from "../../../src/enforcers/network/uplinks.ts";

let index = 0;
function link(name: string, kind = "", master: string | null = null): UplinkLink {
	index += 1;
	return { index, name, kind, master: master === null ? null : { name: master, kind: "bridge" } };
}

function found(
	links: readonly UplinkLink[],
	...others: [ReadonlySet<number>?, Parameters<typeof uplinksOf>[2]?]
) {
	const known = new Set(knownUplinks);
	return uplinksOf(links, others[0] ?? new Set(), others[1]).filter((name) => !known.has(name));
}

describe("a bridge", () => {
	test.each([
		["of containers", ["veth", "veth"], []],
		["of virtual machines", ["tun"], []],
		["without a port", [], []],
		["with the host's card", ["veth", ""], ["br0"]],
		["with a bond", ["bond"], ["br0"]],
		["with a VLAN", ["tun", "vlan"], ["br0"]],
		["with a tunnel", ["vxlan", "veth"], ["br0"]],
	] as const)("%s", (_, ports, expected) => {
		const links = [link("br0", "bridge"), ...ports.map((kind, i) => link(`p${i}`, kind, "br0"))];
		expect(found(links)).toEqual([...expected]);
		expect(undecidedBridges(links).map(({ name }) => name)).toEqual(expected.length === 0 ? ["br0"] : []);
	});

	test("with the default route", () => {
		const bridge = link("br0", "bridge");
		const other = link("br1", "bridge");
		expect(found([bridge, other], new Set([bridge.index]))).toEqual(["br0"]);
	});

	test("whose port is in a bond of that name is none of it", () => {
		const links = [link("br0", "bridge"), { ...link("eth0"), master: { name: "br0", kind: "bond" } }];
		expect(found(links)).toEqual([]);
	});
});

test("what is no bridge is no exception, whatever its routes", () => {
	const card = link("eth0");
	expect(found([card], new Set([card.index]))).toEqual([]);
	expect(undecidedBridges([card])).toEqual([]);
});

test("the settings' names count whether they are there or not", () => {
	expect(found([link("br0", "bridge")], undefined, ["later"])).toEqual(["later"]);
});

test("the bridges of Kubernetes are exempt from the first moment on", () => {
	expect(uplinksOf([], new Set())).toEqual(["cni0", "kube-bridge", "weave"]);
});

test("a name that could end a text is left out", () => {
	const links = [link('a"b', "bridge"), link("p0", "", 'a"b')];
	expect(found(links)).toEqual([]);
});
