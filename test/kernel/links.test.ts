import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { decodeLink, type Link, readLinks, vrfsOf } from "../../src/kernel/links.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
});
afterEach(() => network.leave());

function read(name: string) {
	const result = readLinks();
	if (!result.ok) throw new Error(result.error);
	return result.links.find((link) => link.name === name);
}

test("a link is told with its kind, its other names and its master, as they are now", () => {
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	command("ip", "link", "add", "br0", "type", "bridge");
	expect(read("d0")).toMatchObject({ kind: "veth", altNames: [], master: null });
	command(
		"ip",
		"link",
		"property",
		"add",
		"dev",
		"d0",
		"altname",
		"longer-than-fifteen-bytes",
		"altname",
		"enp0s7",
	);
	command("ip", "link", "set", "d0", "master", "br0");
	expect(read("d0")).toMatchObject({
		altNames: ["longer-than-fifteen-bytes", "enp0s7"],
		master: { name: "br0", kind: "bridge" },
	});
	expect(read("br0")).toMatchObject({ kind: "bridge", master: null });
	expect(read("lo")).toMatchObject({ kind: "", master: null, parent: null, index: 1 });
	command("ip", "link", "set", "d0", "nomaster");
	expect(read("d0")).toMatchObject({ master: null });
});

/** An attribute of rtnetlink. */
function attribute(type: number, value: Uint8Array | string | number): Uint8Array {
	const body =
		typeof value === "string"
			? Buffer.from(`${value}\0`)
			: typeof value === "number"
				? Buffer.from(Uint32Array.of(value).buffer)
				: Buffer.from(value);
	const bytes = Buffer.alloc((4 + body.length + 3) & ~3);
	bytes.writeUInt16LE(4 + body.length, 0);
	bytes.writeUInt16LE(type, 2);
	body.copy(bytes, 4);
	return bytes;
}

function message(index: number, ...attributes: readonly Uint8Array[]) {
	const header = Buffer.alloc(16);
	header.writeUInt32LE(index, 4);
	const bytes = new Uint8Array(Buffer.concat([header, ...attributes]));
	return { bytes, start: 0, end: bytes.length };
}

describe("kinds that this kernel may lack", () => {
	const kind = (name: string) => attribute(18 | 0x8000, attribute(1, name));

	test("the parent of a macvlan, and not one of another namespace", () => {
		const own = [attribute(3, "mv0"), attribute(5, 7), kind("macvlan")];
		expect(decodeLink(message(9, ...own))).toMatchObject({ name: "mv0", kind: "macvlan", parentIndex: 7 });
		expect(decodeLink(message(9, ...own, attribute(37, 0)))).toMatchObject({ parentIndex: 0 });
	});

	test("a member of a bond", () => {
		expect(decodeLink(message(3, attribute(3, "eth0"), attribute(10, 5)))).toMatchObject({
			index: 3,
			kind: "",
			masterIndex: 5,
		});
	});

	test("what is cut or has no name is no link", () => {
		const { bytes } = message(3, attribute(5, 1));
		expect(decodeLink({ bytes, start: 0, end: bytes.length })).toBe(null);
		expect(decodeLink({ bytes, start: 0, end: 8 })).toBe(null);
	});
});

test("VRFs are told with their members, in one order", () => {
	const link = (name: string, kind = "", master: Link["master"] = null): Link => ({
		index: 1,
		name,
		altNames: [],
		kind,
		master,
		parent: null,
	});
	const blue = { name: "blue", kind: "vrf" };
	const links = [link("red", "vrf"), link("e2", "", blue), link("blue", "vrf"), link("e1", "veth", blue)];
	const bridged = link("e3", "", { name: "red", kind: "bridge" });
	expect(vrfsOf({ ok: true, links: [...links, bridged] })).toEqual([
		{ name: "blue", members: ["e1", "e2"] },
		{ name: "red", members: [] },
	]);
	expect(vrfsOf({ ok: false, error: "no" })).toEqual([]);
});
