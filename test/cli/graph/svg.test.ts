import { expect, test } from "bun:test";
import { dot, mermaid } from "../../../src/cli/graph/diagram-text.ts";
import type { Zone } from "../../../src/enforcers/network/compile/verdict/zones.ts";
import { mostServices, mostZones, zoneLines } from "../../../src/enforcers/network/report/graph/labels.ts";
import { svg } from "../../../src/enforcers/network/report/graph/svg.ts";

const zone: Zone = {
	direction: "ingress",
	interface: null,
	addresses: ["10.0.0.0/8"],
	rest: false,
	otherwise: "Block",
	services: [{ protocol: "tcp", ports: [22, 22], action: "Allow" }],
};

test("no text becomes markup, or steers a terminal or another language", () => {
	const hostile = { ...zone, interface: `e"]<script>\\x\u001b[31m` };
	const drawn = svg([hostile], "<b>&");
	expect(drawn).not.toContain("<script>");
	expect(drawn).not.toContain("<b>");
	expect(drawn).not.toContain("\u001b");
	const flow = mermaid([hostile]);
	expect(flow.split("\n").find((line) => line.includes("ingress_z0["))).toMatch(/^ +ingress_z0\["[^"]*"\]$/u);
	const graph = dot([hostile])
		.split("\n")
		.find((line) => line.includes("ingress_z0 ["));
	expect(graph).toMatch(/^ +ingress_z0 \[label="(?:[^"\\]|\\.)*"\];$/u);
	for (const text of [flow, graph ?? ""]) expect(text).not.toContain("\u001b");
});

test("what is left out of the drawing is said", () => {
	const services = Array.from({ length: mostServices + 5 }, (_, index) => ({
		protocol: "tcp",
		ports: [2 * index, 2 * index] as const,
		action: "Allow" as const,
	}));
	const zones = Array.from({ length: mostZones + 3 }, () => ({ ...zone, services }));
	for (const text of [svg(zones, "t"), mermaid(zones), dot(zones)]) {
		expect(text).toContain("and 5 more");
		expect(text).toContain("and 3 more zones");
	}
});

test("zones are called by their blocks, and the rest by its family", () => {
	const lines = (addresses: readonly string[], rest: boolean) => zoneLines({ ...zone, addresses, rest });
	expect(lines(["0.0.0.0/0", "::/0"], true)).toEqual(["anywhere"]);
	expect(lines(["::/0"], true)).toEqual(["anywhere (IPv6)"]);
	expect(lines(["0.0.0.0/5", "8.0.0.0/7"], true)).toEqual(["everywhere else (IPv4)"]);
	expect(lines(["0.0.0.0/5", "::/0"], true)).toEqual(["everywhere else"]);
	expect(lines(["1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8", "4.0.0.0/8", "6.0.0.0/8"], false).at(-1)).toBe(
		"and 1 more blocks",
	);
});
