import { expect, test } from "bun:test";
import { giveBack } from "../../src/threads/give-back.ts";

test("what nobody refers to any more is collected", async () => {
	const collected: string[] = [];
	const registry = new FinalizationRegistry((name: string) => void collected.push(name));
	const forget = () => {
		for (let each = 0; each < 100; each++) registry.register(new Array(1000).fill(each), String(each));
	};
	forget();
	giveBack();
	const end = performance.now() + 60_000;
	while (collected.length < 50 && performance.now() < end) await Bun.sleep(5);
	expect(collected.length).toBeGreaterThanOrEqual(50);
});
