import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Files, portward } from "../support/portward.ts";

const networkPolicy = (peer: object) =>
	JSON.stringify({
		apiVersion: "networking.k8s.io/v1",
		kind: "NetworkPolicy",
		metadata: { name: "web" },
		spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }, peer] }] },
	});

const plain = networkPolicy({ ipBlock: { cidr: "192.0.2.0/24" } });

test("policies go to standard output, or into a directory that has none of that name, and are valid", async () => {
	using files = new Files({ "k.yaml": plain });
	const source = join(files.path, "k.yaml");
	const printed = await portward("convert", source);
	expect([printed.code, printed.error]).toEqual([0, ""]);
	expect(printed.out).toContain("kind: KubeArmorNetworkPolicy");
	const out = join(files.path, "out");
	expect(await portward("convert", source, "--out", out)).toMatchObject({ code: 0, out: "" });
	expect(readdirSync(out)).toEqual(["web.yaml"]);
	expect((await portward("validate", out)).code).toBe(0);
	const again = await portward("convert", source, "--out", out);
	expect([again.code, again.error]).toEqual([1, expect.stringContaining("is there already")]);
});

test("what has no counterpart is told with its place, and the exit code says so", async () => {
	using files = new Files({ "k.yaml": networkPolicy({ podSelector: {} }) });
	const source = join(files.path, "k.yaml");
	const { code, error } = await portward("convert", source);
	expect(code).toBe(2);
	expect(error).toMatch(/k\.yaml:1:\d+: no counterpart: podSelector/u);
	const json = JSON.parse((await portward("convert", source, "--json")).out);
	expect(json.policies).toHaveLength(1);
	expect(json.report).toMatchObject([{ kind: "lost", line: 1 }]);
});

test("what cannot be read or is something else is an error, and nothing is printed", async () => {
	using files = new Files({ "k.yaml": plain, "broken.yaml": "a: [", "other.yaml": "kind: Deployment\n" });
	for (const name of ["broken.yaml", "other.yaml", "absent.yaml"]) {
		const { code, out, error } = await portward(
			"convert",
			join(files.path, "k.yaml"),
			join(files.path, name),
		);
		expect([code, out]).toEqual([1, ""]);
		expect(error).toContain(name);
	}
	expect((await portward("convert")).code).toBe(64);
});

const filter = (...rules: readonly string[]) =>
	`*filter\n:INPUT DROP [0:0]\n${rules.map((rule) => `-A INPUT ${rule}\n`).join("")}COMMIT\n`;

test("rules with an order are held against it, and the files that say nothing of themselves need --from", async () => {
	using files = new Files({ "rules.v4": filter("-s 10.0.0.0/8 -j DROP", "-p tcp --dport 22 -j ACCEPT") });
	const source = join(files.path, "rules.v4");
	const { code, out, error } = await portward("convert", source);
	expect([code, out]).toEqual([0, expect.stringContaining("name: iptables")]);
	expect(error).toContain("proved: for every packet");
	const json = JSON.parse((await portward("convert", source, "--from", "iptables", "--json")).out);
	expect(json).toMatchObject({
		policies: [{ metadata: { name: "iptables" } }],
		proof: { equal: true, boxes: [] },
	});
	expect((await portward("convert", source, "--from", "pf")).code).toBe(64);
	for (const name of ["kubernetes", "usbguard", "nft", "firewalld", "calico"])
		expect([name, (await portward("convert", source, "--from", name)).code]).toEqual([name, 1]);
	using other = new Files({ "ruleset.nft": "table inet filter {\n}\n" });
	const own = await portward("convert", join(other.path, "ruleset.nft"));
	expect([own.code, own.error]).toEqual([1, expect.stringContaining("nft -j list ruleset")]);
	expect((await portward("convert", join(other.path, "ruleset.nft"), "--from", "iptables")).code).toBe(1);
});

test("several formats at once are each converted, and all that is written is valid", async () => {
	using files = new Files({
		"rules.v4": filter("-m owner --uid-owner 0 -j ACCEPT"),
		"zone.xml": '<zone><interface name="eth1"/><service name="ssh"/></zone>',
		"rules.conf": "allow with-interface equals { 08:*:* }",
		"k.yaml": plain,
	});
	const out = join(files.path, "out");
	const paths = ["rules.v4", "zone.xml", "rules.conf", "k.yaml"].map((name) => join(files.path, name));
	const { code, error } = await portward("convert", ...paths, "--out", out);
	expect([code, error]).toEqual([2, expect.stringMatching(/rules\.v4:3:1: no counterpart: "-m owner"/u)]);
	expect(readdirSync(out).sort()).toEqual(["firewalld.yaml", "iptables.yaml", "usbguard.yaml", "web.yaml"]);
	expect((await portward("validate", out)).code).toBe(0);
});
