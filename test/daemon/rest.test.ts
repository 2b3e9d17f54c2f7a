import { expect, test } from "bun:test";
import { Rest } from "../../src/daemon/rest.ts";

test("rests once, a while after the last work, and not while it goes on", async () => {
	let rested = 0;
	const rest = new Rest(
		() => true,
		() => {
			rested += 1;
		},
	);
	for (let turn = 0; turn < 5; turn++) {
		rest.worked(60);
		await Bun.sleep(10);
	}
	expect(rested).toBe(0);
	while (rested === 0) await Bun.sleep(5);
	await Bun.sleep(80);
	expect(rested).toBe(1);
	rest.worked(20);
	rest.stop();
	await Bun.sleep(50);
	expect(rested).toBe(1);
	rest.now();
	expect(rested).toBe(2);
});

test("gives memory back", () => {
	new Rest(() => true).now();
	new Rest(() => false).now();
});
