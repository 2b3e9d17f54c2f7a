/** What a plan has for staged policies; what that means to packets is held in test/system/policies/staged.property.test.ts. */

import { expect, test } from "bun:test";
import { planText } from "../../../../src/enforcers/network/apply/table-objects.ts";
import { type CompileOptions, compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { loggedRules, withoutStaged } from "../../../../src/enforcers/network/compile/plan.ts";
import { stagedVerdict } from "../../../../src/enforcers/network/compile/staged.ts";
import { networkPart } from "../../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";

const options: CompileOptions = {
	epoch: "e",
	form: "concatenated",
	hashFrom: 1000,
	posture: "block",
	allowlistScope: "direction",
	failsafe: { ingress: [], egress: [] },
	essentials: true,
	nflogGroup: 1,
	maxElements: 1000,
	logLimit: { rate: 5, burst: 5 },
};

function policies(...specs: readonly (readonly [name: string, mode: "staged" | "enforced", spec: object])[]) {
	const text = specs.map(([name, mode, spec]) =>
		JSON.stringify({
			apiVersion: "security.kubearmor.com/v1",
			kind: "KubeArmorNetworkPolicy",
			metadata: { name, annotations: { "portward.io/mode": mode } },
			spec: { nodeSelector: { matchLabels: { a: "b" } }, ...spec },
		}),
	);
	const { documents } = parsePolicyFile("p.yaml", text.join("\n---\n"));
	const read = documents.flatMap(({ policy }) => policy ?? []);
	return { enforced: networkPart.of(read), staged: networkPart.staged(read) };
}

function compiled(set: ReturnType<typeof policies>, own: Partial<CompileOptions> = {}) {
	const result = compileNetwork(set.enforced, { ...options, ...own }, set.staged);
	if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
	return result;
}

const web = [
	"web",
	"enforced",
	{ action: "Block", ingress: [{ ports: [{ protocol: "TCP", port: "80" }] }] },
] as const;
const ssh = [
	"ssh",
	"staged",
	{ action: "Allow", ingress: [{ ports: [{ protocol: "TCP", port: "22" }] }] },
] as const;
const dns = [
	"dns",
	"staged",
	{ action: "Block", egress: [{ ports: [{ protocol: "UDP", port: "53" }] }] },
] as const;

const packet = (direction: "ingress" | "egress", protocol: "tcp" | "udp", port: number) =>
	({ direction, family: 4, address: 0x0a000001n, interface: "", protocol, port, source: null }) as const;

test("without staged policies a plan is what it was", () => {
	const alone = compiled(policies(web)).plan;
	expect(alone.staged).toBeUndefined();
	expect(withoutStaged(alone)).toBe(alone);
	const beside = compiled(policies(web, ssh, dns)).plan;
	expect(withoutStaged(beside)).toEqual(alone);
	expect(beside.rules).toEqual(alone.rules);
	expect(beside.allowlistMode).toEqual({ ingress: false, egress: false });
});

test("the rules that would block are counted and logged apart, and lead to hooks of their own", () => {
	const { plan } = compiled(policies(web, ssh, dns));
	expect(plan.staged?.rules).toMatchObject([
		{ policy: "DefaultPosture", direction: "ingress", action: "Audit", wouldBe: "Block", staged: ["ssh"] },
		{ policy: "dns", direction: "egress", action: "Audit", wouldBe: "Block", staged: ["dns"] },
	]);
	const [posture, own] = plan.staged?.rules ?? [];
	expect(plan.staged?.policies).toMatchObject([
		{ name: "ssh", rules: [posture?.id] },
		{ name: "dns", rules: [own?.id] },
	]);
	expect(loggedRules(plan)).toHaveLength(plan.rules.length + 2);
	const text = planText(plan, "portward");
	expect(text).toContain("chain staged_ingress");
	expect(text).toContain("chain staged_egress");
	expect(text).not.toContain("chain staged_forward");
	// Nothing behind those hooks drops.
	const { objects } = plan.staged?.enforced ?? { objects: 0 };
	expect(JSON.stringify(plan.objects.slice(objects))).not.toContain("drop");
});

test("counters of what is evaluated begin anew with another set of staged policies, and with no other", () => {
	const counters = (set: ReturnType<typeof policies>) =>
		compiled(set).plan.staged?.policies.flatMap(({ evaluated }) => evaluated);
	expect(counters(policies(web, dns))).toEqual(counters(policies(dns)));
	expect(counters(policies(ssh, dns))).not.toEqual(counters(policies(dns)));
	const meaning = (set: ReturnType<typeof policies>) =>
		compiled(set).plan.staged?.policies.find(({ name }) => name === "dns")?.meaning;
	expect(meaning(policies(web, dns))).toBe(meaning(policies(ssh, dns)) ?? "");
	const other = ["dns", "staged", { egress: [{}] }] as const;
	expect(meaning(policies(other))).not.toBe(meaning(policies(dns)) ?? "");
});

test("the verdict names the staged policies that it takes", () => {
	const { model } = compiled(policies(web, ssh, dns));
	expect(stagedVerdict(model, packet("egress", "udp", 53))).toMatchObject({ policies: ["dns"] });
	expect(stagedVerdict(model, packet("egress", "udp", 54))).toBeNull();
	expect(stagedVerdict(model, packet("ingress", "tcp", 443))).toMatchObject({
		rule: { policy: "DefaultPosture" },
		policies: ["ssh"],
	});
	// Blocked already, allowed by what is staged, and with nothing staged.
	expect(stagedVerdict(model, packet("ingress", "tcp", 80))).toBeNull();
	expect(stagedVerdict(model, packet("ingress", "tcp", 22))).toBeNull();
	expect(stagedVerdict(compiled(policies(web)).model, packet("ingress", "tcp", 443))).toBeNull();
	const audited = compiled(policies(web, ssh), { enforcement: "audit" }).model;
	expect(stagedVerdict(audited, packet("ingress", "tcp", 80))).toBeNull();
	expect(stagedVerdict(audited, packet("ingress", "tcp", 443))).toMatchObject({ policies: ["ssh"] });
});

test("the posture is staged by the settings alone, and an Allow of the other direction counts where its scope is the host", () => {
	const allow = ["ssh", "enforced", ssh[2]] as const;
	const { model, plan } = compiled(policies(allow), { posture: "audit", stagedPosture: "block" });
	expect(plan.staged?.rules).toMatchObject([{ policy: "DefaultPosture", staged: [] }]);
	expect(stagedVerdict(model, packet("ingress", "tcp", 1))).toMatchObject({ policies: [] });
	expect(compiled(policies(allow), { stagedPosture: "block" }).plan.staged).toBeUndefined();
	const host = compiled(policies(ssh), { allowlistScope: "host" });
	expect(stagedVerdict(host.model, packet("egress", "tcp", 1))).toMatchObject({ policies: ["ssh"] });
});

test("what does not fit is left out with a warning, and what is in force stays", () => {
	const ports = Array.from({ length: 40 }, (_, i) => ({ protocol: "TCP", port: String(1000 + 2 * i) }));
	const many = ["many", "staged", { action: "Block", egress: [{ ports }] }] as const;
	const { plan, diagnostics } = compiled(policies(web, many), { maxElements: 20 });
	expect(plan.staged).toBeUndefined();
	expect(plan.rules.map(({ policy }) => policy)).toEqual(["web"]);
	expect(diagnostics).toMatchObject([{ code: "not-evaluated", severity: "warning", file: "p.yaml" }]);
	const complex = compiled(policies(web, many), { maxElements: 2 });
	expect(complex.diagnostics).toMatchObject([{ code: "not-evaluated" }]);
});

test("where what is in force judges as packets leave, what comes behind it does so too", () => {
	const guests = { forwarded: "enforce", interfaces: [], uplinks: [] } as const;
	const capped = { action: "Block", egress: [{ limit: "1KB", duration: "1h" }] };
	const hooks = (own: Partial<CompileOptions>) => {
		const { plan } = compiled(
			policies(ssh, dns, ["web", "enforced", ssh[2]], ["cap", "enforced", capped]),
			own,
		);
		return [plan.egressHook, plan.staged?.egressHook, plan.quotas?.egressHook];
	};
	// An Allow of one direction closes the other, but for what this host sends to guests, which only its interface tells.
	expect(hooks({ guests, allowlistScope: "host" })).toEqual(["postrouting", "postrouting", "postrouting"]);
	expect(hooks({ guests })).toEqual([undefined, undefined, undefined]);
	expect(hooks({ allowlistScope: "host" })).toEqual([undefined, undefined, undefined]);
});
