/** Every policy that KubeArmor's documents publish, with what is to be said about it. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePolicyFile } from "../../src/engine/parse.ts";

const folder = join(import.meta.dir, "../fixtures/kubearmor-network");
const blog = "kubearmor.io__blog_2026-04-14-KubeArmor-Network-Segmentation-Linux-VMs_index_";

const podQuota = [
	"5:3 namespace-ignored metadata.namespace",
	"7:3 no-pods spec.selector",
	"11:10 level-ignored spec.level",
];

/** Name of the policy (null: refused) and the findings. */
const expected: Record<string, { policy: string | null; findings: string[] }> = {
	"KubeArmor__examples_network-security-policies_nsp-egress-block-dns.yaml": {
		policy: "nsp-egress-block-dns",
		findings: [],
	},
	"KubeArmor__getting-started_network_bandwidth_quota_0.yaml": { policy: null, findings: podQuota },
	"KubeArmor__getting-started_network_bandwidth_quota_1.yaml": { policy: null, findings: podQuota },
	"KubeArmor__getting-started_network_bandwidth_quota_2.yaml": {
		policy: "host-egress-quota",
		findings: [],
	},
	"KubeArmor__getting-started_network_security_policy_examples_0.yaml": {
		policy: "nsp-egress-block-dns",
		findings: [],
	},
	"KubeArmor__getting-started_network_security_policy_examples_1.yaml": {
		policy: "nsp-ingress-audit-ssh",
		findings: [],
	},
	"KubeArmor__getting-started_network_security_policy_specification_0.yaml": {
		policy: null,
		findings: ["2:1 missing-space "],
	},
	"KubeArmor__getting-started_network_security_policy_specification_1.yaml": {
		policy: null,
		findings: ["1:1 missing-field ", "4:9 wrong-type metadata.name"],
	},
	"KubeArmor__tests_k8s_env_nsp_res_nsp-egress-block-dns.yaml": {
		policy: "nsp-egress-block-dns",
		findings: [],
	},
	[`${blog}0.yaml`]: {
		policy: null,
		findings: [
			"4:9 wrong-type metadata.name",
			"6:13 wrong-type spec.severity",
			"8:12 wrong-type spec.message",
			"11:7 bad-key spec.nodeSelector.matchLabels",
			"15:15 wrong-type spec.ingress[0].from[0].ipBlock.cidr",
			"18:17 wrong-type spec.ingress[0].ports[0].protocol",
			"19:13 wrong-type spec.ingress[0].ports[0].port",
			"20:16 wrong-type spec.ingress[0].ports[0].endPort",
			"21:3 empty-field spec.egress",
			"22:11 wrong-type spec.action",
		],
	},
	[`${blog}1.yaml`]: {
		policy: "allow-private-subnet-ingress",
		findings: ["10:5 inverted-action spec.ingress[0]"],
	},
	[`${blog}2.yaml`]: { policy: "block-external-dns", findings: [] },
	[`${blog}3.yaml`]: { policy: "audit-ssh-all", findings: [] },
	[`${blog}4.yaml`]: { policy: "allow-ssh-jumphost", findings: [] },
	[`${blog}5.yaml`]: { policy: "restrict-backend-mesh", findings: ["10:5 inverted-action spec.ingress[0]"] },
};

test("the table covers the folder", () => {
	expect(readdirSync(folder).sort()).toEqual(Object.keys(expected).sort());
});

test.each(Object.entries(expected))("%s", (file, { policy, findings }) => {
	const parsed = parsePolicyFile(file, readFileSync(join(folder, file), "utf8"));
	expect(parsed.documents).toHaveLength(1);
	const [document] = parsed.documents;
	expect(document?.policy?.name ?? null).toBe(policy);
	expect(document?.diagnostics.map((d) => `${d.line}:${d.column} ${d.code} ${d.path}`)).toEqual(findings);
});
