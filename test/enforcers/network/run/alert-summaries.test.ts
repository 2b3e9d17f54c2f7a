import { expect, test } from "bun:test";
import { AlertSummaries } from "../../../../src/enforcers/network/run/alert-summaries.ts";

function setUp(found: readonly boolean[]) {
	const steps: string[] = [];
	let news = false;
	const results = [...found];
	const packetAlerts = {
		takeNews: () => {
			const had = news;
			news = false;
			return had;
		},
		summarize: () => {
			steps.push("summarize");
			return results.shift() ?? false;
		},
	};
	const accounts = {
		refresh: async () => {
			steps.push("refresh");
		},
	};
	const summaries = new AlertSummaries(packetAlerts, accounts, { plan: null });
	const logged = () => {
		news = true;
	};
	return { summaries, steps, logged };
}

test("the kernel is asked only while packets are logged, and once more after something was withheld", async () => {
	const { summaries, steps, logged } = setUp([true, false]);
	await summaries.look();
	expect(steps).toEqual([]);
	logged();
	await summaries.look();
	await summaries.look();
	await summaries.look();
	expect(steps).toEqual(["refresh", "summarize", "refresh", "summarize"]);
});

test("looks by itself until it is stopped", async () => {
	const { summaries, steps, logged } = setUp([]);
	summaries.start(5);
	logged();
	summaries.wake();
	while (steps.length === 0) await Bun.sleep(5);
	summaries.stop();
	logged();
	summaries.wake();
	await Bun.sleep(30);
	expect(steps).toEqual(["refresh", "summarize"]);
});
