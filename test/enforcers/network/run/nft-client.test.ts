import { expect, test } from "bun:test";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { NftClient, type NftClientOptions } from "../../../../src/enforcers/network/run/nft-client.ts";
import { CarryReceiver } from "../../../../src/threads/carry.ts";

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

/** A client, and what it sent. */
function connected(options: Partial<NftClientOptions> = {}, answer: object | null = null) {
	const posted: { name: string; argument: unknown }[] = [];
	let answered: (event: MessageEvent) => void = () => {};
	const client = new NftClient(
		{
			postMessage: (message) => {
				posted.push(structuredClone(message) as (typeof posted)[number]);
				const { id } = message as { id: number };
				if (answer !== null)
					answered(new MessageEvent("message", { data: { id, ok: true, result: answer } }));
			},
			addEventListener: (name: string, listener: (event: never) => void) => {
				if (name === "message") answered = listener as typeof answered;
			},
			terminate: () => {},
		},
		() => {},
		options,
	);
	return { client, posted };
}

test("of a plan only what changed goes to the thread that loads it", () => {
	const { client, posted } = connected();
	const objects = Array.from({ length: 1000 }, (_, i) => ({ kind: "counter" as const, name: `c_${i}` }));
	const whole = { ...plan, objects };
	const changed = { ...whole, objects: objects.with(500, { kind: "counter", name: "c_other" }) };
	for (const next of [whole, changed]) void client.call("apply", { plan: next, distrust: false });
	void client.call("collect", null);
	const [first, second, last] = posted;
	const carry = new CarryReceiver();
	expect(carry.unpack(first?.argument)).toEqual({ plan: whole, distrust: false });
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
	const quotas: NonNullable<NetworkPlan["quotas"]> = { roots: {}, rules: [] };
	for (const kept of [{}, { used }]) {
		const { client, posted } = connected(kept);
		void client.call("apply", { plan, distrust: false });
		void client.call("apply", { plan: { ...plan, quotas }, distrust: false });
		await Bun.sleep(0);
		const carry = new CarryReceiver();
		expect(carry.unpack(posted[0]?.argument)).toEqual({ plan, distrust: false });
		const expected = "used" in kept ? { used: { q_1: 4096 } } : {};
		expect(carry.unpack(posted[1]?.argument)).toEqual({
			plan: { ...plan, quotas },
			distrust: false,
			...expected,
		});
	}
	expect(asked).toEqual([{ ...plan, quotas }]);
});

test("what may have changed unseen while a plan was loaded is told once", async () => {
	for (const [answer, expected] of [
		[{ ok: true, loaded: 0 }, 0],
		[{ ok: true, loaded: 0, unseen: true }, 1],
		[{ ok: false, reason: "refused", error: "no", unseen: true }, 1],
	] as const) {
		let told = 0;
		const { client } = connected({ unseen: () => told++ }, answer);
		expect(await client.call("apply", { plan, distrust: false })).toEqual(answer);
		expect(told).toBe(expected);
	}
});
