import { expect, test } from "bun:test";
import { importPolicies } from "../../../src/convert/kubearmor/policies.ts";
import { dataText } from "../../../src/convert/text.ts";
import { isBroken } from "../../../src/document/parse.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";

/** A copy as KubeArmor writes it: JSON in one line, whatever the name says. */
const copy = (kind: string | null, metadata: object, spec: object) =>
	JSON.stringify({ ...(kind === null ? {} : { kind }), metadata, spec });
const read = (...texts: readonly string[]) =>
	importPolicies(texts.map((text, index) => ({ file: `p${index}.yaml`, text })));
const lost = (...texts: readonly string[]) => read(...texts).findings.map(({ message }) => message);

const selector = { matchLabels: { "kubearmor.io/hostname": "*" }, identities: ["kubearmor.io/hostname=*"] };
const empty = { process: {}, file: {}, network: {}, capabilities: {}, syscalls: {}, apparmor: "" };

test("a network policy is the same, without what KubeArmor adds", () => {
	const rule = {
		from: [{ ipBlock: { cidr: "192.0.2.0/24" } }],
		ports: [{ port: "22", protocol: "TCP", endPort: 0 }],
		iface: null,
		action: "Allow",
		severity: 5,
		limit: "",
		duration: "",
	};
	const { policies, findings } = read(
		copy(
			"KubeArmorNetworkPolicy",
			{ policyName: "ssh" },
			{
				nodeSelector: selector,
				selector: {},
				ingress: [rule],
				egress: null,
				severity: 0,
				message: "",
				action: "Allow",
			},
		),
	);
	expect(findings).toEqual([]);
	expect(policies[0]?.document).toEqual({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name: "ssh" },
		spec: {
			nodeSelector: { matchLabels: { "kubearmor.io/hostname": "*" } },
			ingress: [
				{
					from: [{ ipBlock: { cidr: "192.0.2.0/24" } }],
					ports: [{ port: "22", protocol: "TCP" }],
					action: "Allow",
					severity: 5,
				},
			],
			action: "Allow",
		},
	});
	const { documents } = parsePolicyFile("p.yaml", dataText(policies[0]?.document ?? {}));
	expect(documents.map(isBroken)).toEqual([false]);
});

test("of a host policy devices stay, and every other block that says something is told", () => {
	const device = { matchDevice: [{ class: "MASS-STORAGE", subClass: 0, level: 0, action: "Block" }] };
	const { policies, findings } = read(
		copy(
			"KubeArmorHostPolicy",
			{ policyName: "usb" },
			{
				nodeSelector: selector,
				...empty,
				process: { matchPaths: [{ path: "/usr/bin/wget" }] },
				file: { severity: 5 },
				device,
				severity: 3,
				action: "Block",
			},
		),
	);
	expect(findings.map(({ message }) => message)).toEqual([
		'policy "usb": spec.process is left out: portward has no rules for processes',
		'policy "usb": spec.file is left out: portward has no rules for files',
	]);
	// 0 is a subclass, and no level.
	expect(policies[0]?.document.spec).toEqual({
		nodeSelector: { matchLabels: { "kubearmor.io/hostname": "*" } },
		device: { matchDevice: [{ class: "MASS-STORAGE", subClass: 0, action: "Block" }] },
		severity: 3,
		action: "Block",
	});
	const { documents } = parsePolicyFile("p.yaml", dataText(policies[0]?.document ?? {}));
	expect(documents.map(isBroken)).toEqual([false]);
});

test("what is not for hosts, or says nothing of ports, is left out with the reason", () => {
	expect(
		lost(
			copy("KubeArmorPolicy", { policyName: "pods", namespaceName: "a" }, { selector }),
			copy(null, { policyName: "old-pods", namespaceName: "a" }, { selector }),
			copy("KubeArmorHostPolicy", { policyName: "nothing" }, { nodeSelector: selector, ...empty }),
			copy(
				"KubeArmorNetworkPolicy",
				{ policyName: "np" },
				{ selector: { matchLabels: { a: "b" } }, ingress: [] },
			),
			copy("KubeArmorHostPolicy", {}, {}),
			"[]",
			"a: [",
		),
	).toEqual([
		'policy "pods" is for containers: portward guards hosts',
		'policy "old-pods" is for containers: portward guards hosts',
		'nothing of policy "nothing" is left: it has no rules for devices',
		'policy "np" selects pods: portward guards hosts, not containers',
		"this is no policy with a name and a spec",
		"this is no policy",
		expect.any(String),
	]);
});

test("an older copy without a kind is known by what it has", () => {
	const { policies } = read(
		copy(
			null,
			{ policyName: "np" },
			{ nodeSelector: selector, ingress: [{ action: "Block" }], action: "Block" },
		),
		copy(
			null,
			{ policyName: "usb" },
			{ nodeSelector: selector, device: { matchDevice: [{ class: "ALL" }] } },
		),
	);
	expect(policies.map(({ document }) => document.kind)).toEqual([
		"KubeArmorNetworkPolicy",
		"KubeArmorHostPolicy",
	]);
});
