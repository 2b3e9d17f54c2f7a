import { expect, test } from "bun:test";
import { join } from "node:path";
import { block, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const web = policy("web", {
	action: "Allow",
	ingress: [
		{ from: [block("10.0.1.0/24")], ports: [port("TCP", 443)] },
		{ iface: ["eth1"], action: "Audit", ports: [port("UDP", 53)] },
	],
	egress: [{ action: "Block", to: [block("203.0.113.0/24")] }],
});

async function graph(...args: readonly string[]) {
	using files = new Files({ "p.yaml": web });
	files.config({ hostDefaultNetworkPosture: "block" });
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	return await portward("graph", ...common, ...args);
}

test("svg: one file with every zone, its services and marks for verdicts, and nothing from elsewhere", async () => {
	const { code, out, error } = await graph();
	expect([code, error]).toEqual([0, ""]);
	for (const text of [
		"10.0.1.0/24",
		"tcp 443",
		"on eth1",
		"udp 53",
		"everywhere else",
		"203.0.113.0/24",
		"everything else",
	])
		expect(out).toContain(`>${text}</text>`);
	expect(out).toContain("prefers-color-scheme: dark");
	expect(out.match(/(?:href|src|url)\s*[=(]/gu)).toBeNull();
	// Well-formed: each tag ends, and the parser of HTML finds the same texts again.
	const open: string[] = [];
	for (const [, end, name = "", single] of out.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/gu)) {
		if (single === "/") continue;
		if (end === "/") expect(open.pop()).toBe(name);
		else open.push(name);
	}
	expect(open).toEqual([]);
});

test("mermaid and dot: zones lead to services, and the verdict stands at the edge", async () => {
	const { out } = await graph("--format", "mermaid");
	expect(out).toStartWith('flowchart LR\n  subgraph ingress ["Into this host"]\n');
	expect(out).toContain('ingress_z0["10.0.1.0/24"]');
	expect(out).toContain("-- Allow -->");
	expect(out).toContain("-. Block .-x");
	const dot = (await graph("--format", "dot")).out;
	expect(dot).toContain('ingress_z0 [label="10.0.1.0/24"];');
	expect(dot).toMatch(/ingress_z0 -> ingress_s\d+ \[label="Allow", color=/u);
	expect(dot).toEndWith("}\n}\n");
});

test("--json has what is drawn, and other formats are refused", async () => {
	const { zones } = JSON.parse((await graph("--json")).out);
	expect(zones[0]).toMatchObject({
		direction: "ingress",
		interface: null,
		addresses: ["10.0.1.0/24"],
		otherwise: "Block",
		services: [{ protocol: "tcp", ports: [443, 443], action: "Allow" }],
	});
	expect((await graph("--format", "png")).code).not.toBe(0);
	expect((await graph("--json", "--format", "dot")).code).not.toBe(0);
});

test("--forwarded draws what holds for guests, softened as guests.forwarded says", async () => {
	const scoped = (name: string, place: string, port_: number) =>
		policy(name, { action: "Block", ingress: [{ ports: [port("TCP", port_)] }] }).replace(
			'"metadata":{',
			`"metadata":{"annotations":{"portward.io/applies-to":"${place}"},`,
		);
	using files = new Files({ "h.yaml": scoped("h", "host", 22), "g.yaml": scoped("g", "guests", 5432) });
	const ask = async (forwarded: string, ...args: readonly string[]) => {
		const config = files.config({ guests: { forwarded } });
		return await portward("graph", "--policy-dir", files.path, "--config", config, ...args);
	};
	const services = async (forwarded: string, ...args: readonly string[]) => {
		const { zones } = JSON.parse((await ask(forwarded, "--json", ...args)).out);
		return zones[0].services;
	};
	const one = (number: number, action: string) => [{ protocol: "tcp", ports: [number, number], action }];
	expect(await services("enforce")).toEqual(one(22, "Block"));
	expect(await services("enforce", "--forwarded")).toEqual(one(5432, "Block"));
	expect(await services("audit", "--forwarded")).toEqual(one(5432, "Audit"));
	expect((await ask("enforce", "--forwarded")).out).toContain(">Out of guests</text>");
	expect((await ask("enforce", "--forwarded", "--format", "dot")).out).toContain('label="Out of guests"');
	const off = await ask("off", "--forwarded");
	expect([off.code, off.out, off.error.includes("guests.forwarded is off")]).toEqual([1, "", true]);
});

test("what cannot be read is not drawn", async () => {
	using files = new Files({ "p.yaml": web.replace('"Allow"', '"Alow"') });
	files.config({});
	const ended = await portward("graph", "--policy-dir", files.path, "--config", join(files.path, ".config"));
	expect([ended.code, ended.out]).toEqual([1, ""]);
});
