import { expect, test } from "bun:test";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { NftClient } from "../../../../src/enforcers/network/run/nft-client.ts";
import { CarryReceiver } from "../../../../src/threads/carry.ts";

test("of a plan only what changed goes to the thread that loads it", () => {
	const posted: { name: string; argument: unknown }[] = [];
	const client = new NftClient(
		{
			postMessage: (message) => void posted.push(structuredClone(message) as (typeof posted)[number]),
			addEventListener: () => {},
			terminate: () => {},
		},
		() => {},
	);
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
