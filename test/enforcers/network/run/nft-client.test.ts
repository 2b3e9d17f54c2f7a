import { expect, test } from "bun:test";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { NftClient } from "../../../../src/enforcers/network/run/nft-client.ts";
import { CarryReceiver } from "../../../../src/threads/carry.ts";

/** A client, and what it sent. */
function connected(used?: ConstructorParameters<typeof NftClient>[2]) {
	const posted: { name: string; argument: unknown }[] = [];
	const client = new NftClient(
		{
			postMessage: (message) => void posted.push(structuredClone(message) as (typeof posted)[number]),
			addEventListener: () => {},
			terminate: () => {},
		},
		() => {},
		used,
	);
	return { client, posted };
}

test("of a plan only what changed goes to the thread that loads it", () => {
	const { client, posted } = connected();
	const objects = Array.from({ length: 1000 }, (_, i) => ({ kind: "counter" as const, name: `c_${i}` }));
	const both = { ingress: false, egress: false };
	const plan: NetworkPlan = {
		objects,
		roots: { ingress: "x_1", egress: "x_2" },
		rules: [],
		elements: 0,
		allowlistMode: both,
		defaultDrop: both,
		failsafe: [],
	};
	const changed = { ...plan, objects: objects.with(500, { kind: "counter", name: "c_other" }) };
	for (const next of [plan, changed]) void client.call("apply", { plan: next, distrust: false });
	void client.call("collect", null);
	const [first, second, last] = posted;
	const carry = new CarryReceiver();
	expect(carry.unpack(first?.argument)).toEqual({ plan, distrust: false });
	expect(JSON.stringify(second).length).toBeLessThan(1000);
	expect(carry.unpack(second?.argument)).toEqual({ plan: changed, distrust: false });
	expect(last?.argument).toBeNull();
});

test("quotas are asked for what they begin with, where a plan has some", async () => {
	const asked: NetworkPlan[] = [];
	const used = async (plan: NetworkPlan) => {
		asked.push(plan);
		return { q_1: 4096 };
	};
	const both = { ingress: false, egress: false };
	const plan: NetworkPlan = {
		objects: [],
		roots: { ingress: "x_1", egress: "x_2" },
		rules: [],
		elements: 0,
		allowlistMode: both,
		defaultDrop: both,
		failsafe: [],
	};
	const quotas: NonNullable<NetworkPlan["quotas"]> = { roots: {}, rules: [] };
	for (const kept of [undefined, used]) {
		const { client, posted } = connected(kept);
		void client.call("apply", { plan, distrust: false });
		void client.call("apply", { plan: { ...plan, quotas }, distrust: false });
		await Bun.sleep(0);
		const carry = new CarryReceiver();
		expect(carry.unpack(posted[0]?.argument)).toEqual({ plan, distrust: false });
		expect(carry.unpack(posted[1]?.argument)).toMatchObject({
			used: kept === undefined ? {} : { q_1: 4096 },
		});
	}
	expect(asked).toEqual([{ ...plan, quotas }]);
});
