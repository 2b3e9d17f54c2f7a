import { describe, expect, test } from "bun:test";
import { assertBaseChains, baseNames } from "../../../src/enforcers/network/apply/base-chains.ts";
import { planText } from "../../../src/enforcers/network/apply/table-objects.ts";
import { load, skeleton, swap } from "../../../src/enforcers/network/apply/transaction.ts";
import type { NetworkPlan } from "../../../src/enforcers/network/compile/plan.ts";
import { script } from "../../../src/kernel/nftables/writer.ts";
import { block, policy, port } from "../../system/support/case.ts";

import { Files, portward } from "../support/portward.ts";

const policies = {
	"a.yaml": policy("web", {
		action: "Allow",
		ingress: [
			{ from: [block("192.0.2.0/24", "192.0.2.128/25")], ports: [port("TCP", 80, 90)], iface: ["eth*"] },
		],
	}),
	"b.yaml": policy("dns", {
		action: "Audit",
		egress: [{ to: [block("2001:db8::/32")], ports: [port("UDP", "dns")] }],
	}),
};

/** Loads text into a namespace that lasts as long as the command, and lists what the kernel then holds. */
function kernelListing(text: string): string {
	const nft = Bun.spawnSync(["unshare", "-n", "sh", "-c", "nft -f - && nft list ruleset"], {
		stdin: Buffer.from(text),
	});
	expect(nft.stderr.toString()).toBe("");
	return nft.stdout.toString();
}

/** Chains, sets and maps sorted: a listing has them in the order of their making. */
function blocks(listing: string): string[] {
	return listing
		.split(/\n\n|(?<=\n)(?=\t(?:chain|set|map|counter) )/)
		.map((part) => part.trim())
		.sort();
}

describe("render", () => {
	test.each([["concatenated"], ["nested"], ["auto"]])("prints what nft loads: %s", async (rulesetForm) => {
		using files = new Files(policies);
		const config = files.config({ rulesetForm, table: "mine" });
		const { code, out, error } = await portward("render", "--policy-dir", files.path, "--config", config);
		expect(code).toBe(0);
		expect(error).not.toContain("error");
		const checked = Bun.spawnSync(["unshare", "-n", "nft", "-c", "-f", "-"], { stdin: Buffer.from(out) });
		expect(checked.stderr.toString()).toBe("");
		expect(checked.exitCode).toBe(0);
		const listing = kernelListing(out);
		expect(listing).toStartWith("table inet mine {");
		expect(listing).toContain('comment "web ingress[0] Allow"');
		expect(listing).toContain('comment "dns egress[0] Audit"');
		expect(listing).toContain('comment "DefaultPosture ingress Block"');
		expect(listing).toContain("type filter hook input priority 20; policy accept;");
	});

	test("what it prints is what the daemon's three steps leave in the kernel", () => {
		const plan: NetworkPlan = {
			objects: [
				{ kind: "counter", name: "c" },
				{ kind: "chain", name: "x_1", rules: ['counter name "c" drop'] },
				{ kind: "chain", name: "x_2", rules: ["accept"] },
			],
			roots: { ingress: "x_1", egress: "x_2" },
			rules: [],
			elements: 0,
			allowlistMode: { ingress: false, egress: false },
			defaultDrop: { ingress: false, egress: false },
			failsafe: [],
		};
		const steps = script("t", [
			skeleton,
			load(plan.objects),
			...swap(plan),
			...assertBaseChains(baseNames(plan)),
		]);
		expect(blocks(kernelListing(planText(plan, "t")))).toEqual(blocks(kernelListing(steps)));
	});

	test("only policies for this host are in it", async () => {
		const elsewhere = { nodeSelector: { matchLabels: { role: "elsewhere" } } };
		using files = new Files({
			"a.yaml": policy("far-away", { ...elsewhere, action: "Block", ingress: [{}] }),
		});
		const render = (config: string) => portward("render", "--policy-dir", files.path, "--config", config);
		const without = await render(files.config());
		expect(without).toMatchObject({ code: 0 });
		expect(without.out).not.toContain("far-away");
		expect((await render(files.config({ nodeLabels: { role: "elsewhere" } }))).out).toContain(
			'"far-away ingress[0] Block"',
		);
	});

	test("a broken document is told and 1; the others are rendered", async () => {
		using files = new Files({ ...policies, "c.yaml": "kind: [" });
		const { code, out, error } = await portward(
			"render",
			"--policy-dir",
			files.path,
			"--config",
			files.config(),
		);
		expect(code).toBe(1);
		expect(error).toContain("c.yaml:1:");
		expect(out).toContain("web ingress[0] Allow");
	});

	test("a set that is refused prints nothing", async () => {
		using files = new Files(policies);
		const config = files.config({ maxElements: 1 });
		const { code, out, error } = await portward("render", "--policy-dir", files.path, "--config", config);
		expect([code, out]).toEqual([1, ""]);
		expect(error).toContain("too-many-elements");
	});

	test("a missing directory, broken settings and arguments are told", async () => {
		using files = new Files();
		const missing = await portward("render", "--policy-dir", "/nowhere", "--config", files.config());
		expect(missing.code).toBe(1);
		expect(missing.error).toContain("/nowhere");
		const settings = await portward("render", "--config", files.put(".config", "table: 'a b'\n"));
		expect([settings.code, settings.out]).toEqual([1, ""]);
		expect(settings.error).toContain(".config:1:");
		expect((await portward("render", files.path)).code).toBe(64);
	});
});
