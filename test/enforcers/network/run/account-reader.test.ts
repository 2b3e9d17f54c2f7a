import { expect, test } from "bun:test";
import type { CounterValue } from "../../../../src/enforcers/network/observe/counters.ts";
import { AccountReader } from "../../../../src/enforcers/network/run/account-reader.ts";
import { noAccounts } from "../../../../src/enforcers/network/run/packet-alerts.ts";

type Counters = Readonly<Record<string, CounterValue>>;

/** An enforcer whose counters are read when the test says so. */
function reader(enforcer: { plan: null | { readonly rules: readonly [] } } = { plan: null }) {
	const asked: PromiseWithResolvers<Counters | null>[] = [];
	const reader = new AccountReader(
		{
			beginReading: () => ({}) as never,
			account: (_reading, _rules, counters) => ({ ...noAccounts, counters }),
		},
		{
			get plan() {
				return enforcer.plan as never;
			},
			counters: () => {
				const answer = Promise.withResolvers<Counters | null>();
				asked.push(answer);
				return answer.promise;
			},
		},
	);
	return { reader, asked };
}

const some = { c_1: { packets: 3, bytes: 4 } };

test("an answer waits a moment for the kernel, then has what was known", async () => {
	const { reader: ours, asked } = reader();
	await ours.refresh();
	expect(ours.latest).toBe(noAccounts);
	asked[0]?.resolve(some);
	await ours.refresh();
	expect([ours.latest.counters, asked.length]).toEqual([some, 1]);
});

test("counters are not asked for again while they are fresh, or on their way", async () => {
	const { reader: ours, asked } = reader();
	await Promise.all([ours.refresh(), ours.refresh()]);
	expect(asked).toHaveLength(1);
	asked[0]?.resolve(some);
	await Bun.sleep(0);
	await ours.refresh();
	expect(asked).toHaveLength(1);
	await Bun.sleep(120);
	const again = ours.refresh();
	expect(asked).toHaveLength(2);
	asked[1]?.resolve({});
	await again;
	expect(ours.latest.counters).toEqual({});
});

test("what cannot be read leaves the last answer, and is asked for again", async () => {
	const { reader: ours, asked } = reader();
	const first = ours.refresh();
	asked[0]?.reject(new Error("gone"));
	await first;
	const second = ours.refresh();
	asked[1]?.resolve(null);
	await second;
	expect(ours.latest).toBe(noAccounts);
	void ours.refresh();
	expect(asked).toHaveLength(3);
});

test("counters of another plan are not fresh", async () => {
	const enforcer: Parameters<typeof reader>[0] = { plan: null };
	const { reader: ours, asked } = reader(enforcer);
	const first = ours.refresh();
	asked[0]?.resolve(some);
	await first;
	if (enforcer) enforcer.plan = { rules: [] };
	const second = ours.refresh();
	expect(asked).toHaveLength(2);
	asked[1]?.resolve({});
	await second;
	expect(ours.latest.counters).toEqual({});
});
