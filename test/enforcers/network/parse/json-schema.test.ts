import { expect, test } from "bun:test";
import {
	networkPolicySchema,
	policyTestSchema as policyTestSchemaWith,
} from "../../../../src/enforcers/network/parse/json-schema.ts";
import { takes } from "../../../support/json-schema.ts";

/** Without cases about anything else than packets. */
const policyTestSchema = policyTestSchemaWith({ enum: [] });

test("a policy's schema refuses what is wrong in form", () => {
	const policy = networkPolicySchema;
	const spec = (more: object) => ({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorNetworkPolicy",
		metadata: { name: "a" },
		spec: { nodeSelector: { matchLabels: { role: "a" } }, ...more },
	});
	expect(
		takes(spec({ ingress: [{ action: "alLow", ports: [{ protocol: "tcp", port: "ssh" }] }] }), policy),
	).toBe(true);
	for (const wrong of [
		spec({ ingres: [] }),
		spec({ ingress: [{ to: [] }] }),
		spec({ action: "deny" }),
		spec({ severity: 11 }),
		spec({ ingress: [{ ports: [{ port: 65_536 }] }] }),
		spec({ ingress: [{ from: [{ cidr: "10.0.0.0/8" }] }] }),
		{ ...spec({}), metadata: { name: "A" } },
		{ ...spec({}), apiVersion: "v1" },
	])
		expect([wrong, takes(wrong, policy)]).toEqual([wrong, false]);
});

test("a case's schema", () => {
	const cases = (one: object) => ({
		apiVersion: "portward.io/v1",
		kind: "PortwardTest",
		metadata: { name: "a" },
		spec: {
			cases: [{ direction: "ingress", protocol: "tcp", address: "10.0.0.1", expect: "Allow", ...one }],
		},
	});
	for (const right of [
		{ port: 22 },
		{ port: "ssh" },
		{ protocol: 47 },
		{ port: 22, guest: "172.17.0.2" },
		{ port: 22, guest: "fd00::2" },
		{ protocol: "ICMP", icmpType: "echo-request" },
	])
		expect([right, takes(cases(right), policyTestSchema)]).toEqual([right, true]);
	for (const wrong of [
		{ direction: "in" },
		{ port: -1 },
		{ expect: "Drop" },
		{ address: "host" },
		{ guest: true },
		{ guest: "container" },
		{ prot: 1 },
	])
		expect([wrong, takes(cases(wrong), policyTestSchema)]).toEqual([wrong, false]);
	expect(takes({ ...cases({}), spec: { cases: [] } }, policyTestSchema)).toBe(false);
});
