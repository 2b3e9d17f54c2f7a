import { expect, test } from "bun:test";
import { ObjectStore } from "../../../../../src/enforcers/network/compile/render/objects.ts";
import { withinVrfs } from "../../../../../src/enforcers/network/compile/render/vrf.ts";
import { objectText } from "../../../../../src/kernel/nftables/writer.ts";

test("a host without VRFs has no rule for them", () => {
	const store = new ObjectStore("e");
	for (const direction of ["ingress", "egress"] as const)
		expect(withinVrfs(store, direction, { form: "concatenated" })).toEqual([]);
	expect(store.objects).toEqual([]);
});

test("a name that nftables could misread gets into no rule", () => {
	const vrfs = [{ name: 'x" accept; flush ruleset; "' }, { name: "blue" }];
	const rules = withinVrfs(new ObjectStore("e"), "egress", { form: "concatenated", vrfs }).join("\n");
	expect(rules).toContain('oifname "blue" accept');
	expect(rules).not.toContain("flush");
});

test.each(["concatenated", "nested-members", "nested"] as const)(
	"the rules load with their sets: %s",
	(form) => {
		const store = new ObjectStore("e");
		const chain = (direction: "ingress" | "egress", hook: string) => {
			const rules = withinVrfs(store, direction, { form, vrfs: [{ name: "blue" }, { name: "red" }] });
			return objectText({ kind: "chain", name: direction, hook: { hook, priority: 0 }, rules });
		};
		const chains = chain("ingress", "input") + chain("egress", "output");
		const objects = store.objects.map((object) => objectText(object)).join("");
		const nft = Bun.spawnSync(["unshare", "-n", "nft", "-f", "-"], {
			stdin: Buffer.from(`table inet t {\n${objects}${chains}}\n`),
		});
		expect(nft.stderr.toString()).toBe("");
		expect(nft.exitCode).toBe(0);
	},
);
