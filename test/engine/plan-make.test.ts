import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { makePlan } from "../../src/engine/plan-make.ts";
import { Files } from "../cli/support/portward.ts";
import { block, policy } from "../system/support/case.ts";

const blocking = (cidr: string) => policy("p", { action: "Block", ingress: [{ from: [block(cidr)] }] });

/** Neither connections nor devices are looked at. */
const off = { ...defaultConfig(), enableNetworkPolicyEnforcer: false, enableUSBDeviceHandler: false };

test("two directories are compared, and what was not looked at is said", () => {
	using before = new Files({ "p.yaml": blocking("192.0.2.0/24") });
	using after = new Files({ "p.yaml": blocking("198.51.100.0/24") });
	using state = new Files({});
	const config = { ...off, policyDir: before.path, stateDir: state.path };
	const planned = makePlan({ config, directory: after.path });
	if (!planned.ok) throw new Error(JSON.stringify(planned));
	expect(planned.plan).toMatchObject({ directory: after.path, against: before.path, pending: false });
	expect(planned.plan.diff.lists[0]?.changes.length).toBeGreaterThan(0);
	expect(planned.plan.connections).toMatchObject({ checked: false });
	expect(planned.plan.devices).toMatchObject({ checked: false });
	const same = makePlan({ config, directory: before.path });
	expect(same.ok && same.plan.diff.lists.flatMap(({ changes }) => changes)).toEqual([]);
});

test("a broken directory is no plan", () => {
	using before = new Files({ "p.yaml": blocking("192.0.2.0/24") });
	using after = new Files({ "p.yaml": "kind: [" });
	using state = new Files({});
	const config = { ...off, policyDir: before.path, stateDir: state.path };
	expect(makePlan({ config, directory: after.path }).ok).toBe(false);
});

test("verdicts that change are those of diff, unless there are too many rules to wait for", () => {
	const many = (count: number) =>
		policy("many", {
			action: "Block",
			ingress: [{ from: Array.from({ length: count }, (_, i) => block(`10.${i >> 8}.${i & 255}.0/24`)) }],
		});
	using before = new Files({ "p.yaml": blocking("192.0.2.0/24") });
	using after = new Files({ "p.yaml": blocking("198.51.100.0/24") });
	using large = new Files({ "p.yaml": many(10_500) });
	using state = new Files({});
	const config = { ...off, enableNetworkPolicyEnforcer: true, policyDir: before.path, stateDir: state.path };
	const verdicts = (directory: string) => {
		const planned = makePlan({ config, directory });
		if (!planned.ok) throw new Error(JSON.stringify(planned));
		return planned.plan.verdicts;
	};
	expect(verdicts(after.path)?.map(({ before: was, after: is, addresses }) => [was, is, addresses])).toEqual([
		["Block", "Allow", ["192.0.2.0/24"]],
		["Allow", "Block", ["198.51.100.0/24"]],
	]);
	expect(verdicts(before.path)).toEqual([]);
	expect(verdicts(large.path)).toBeNull();
});

/** A policy that holds for guests alone, or for the host alone. */
const scoped = (appliesTo: "host" | "guests", cidr: string) => {
	const { metadata, ...rest } = JSON.parse(blocking(cidr));
	const annotations = { "portward.io/applies-to": appliesTo };
	return JSON.stringify({ ...rest, metadata: { ...metadata, annotations } });
};

test("what is forwarded is told where it changes otherwise than what is the host's own", () => {
	using none = new Files({});
	using all = new Files({ "p.yaml": blocking("192.0.2.0/24") });
	using guests = new Files({ "p.yaml": scoped("guests", "192.0.2.0/24") });
	using host = new Files({ "p.yaml": scoped("host", "192.0.2.0/24") });
	using state = new Files({});
	const config = { ...off, enableNetworkPolicyEnforcer: true, policyDir: none.path, stateDir: state.path };
	const told = (directory: string) => {
		const planned = makePlan({ config, directory });
		if (!planned.ok) throw new Error(JSON.stringify(planned));
		const { verdicts, forwarded } = planned.plan;
		return [verdicts, forwarded].map(
			(boxes) => boxes?.map(({ after, addresses }) => `${after} ${addresses}`) ?? null,
		);
	};
	const blocked = ["Block 192.0.2.0/24"];
	expect(told(all.path)).toEqual([blocked, null]);
	expect(told(guests.path)).toEqual([[], blocked]);
	expect(told(host.path)).toEqual([blocked, []]);
});
