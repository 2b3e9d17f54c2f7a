import { expect, test } from "bun:test";
import { daemonVitals, longestJobMs, statusLine } from "../../src/daemon/vitals.ts";
import { sampleState } from "../report/sample.ts";

const vitals = (nft: { call: string; milliseconds: number } | null) =>
	daemonVitals({ policy: { busy: null }, nft: { busy: nft } }, () => sampleState());

test("a Worker that has been at one job for too long is stuck, one that has nothing to do is not", () => {
	expect(vitals(null).stuck()).toBe("");
	expect(vitals({ call: "apply", milliseconds: longestJobMs - 1 }).stuck()).toBe("");
	expect(vitals({ call: "apply", milliseconds: longestJobMs }).stuck()).toMatch(/nft .*apply .*600 s/);
});

test("the status line says what is enforced and whether that is what should be", () => {
	const state = sampleState();
	const line = vitals(null).status();
	expect(line).toBe(statusLine(state));
	expect(line).toStartWith("network active, USB active, 1 policies enforced; ");
	expect(line).toContain(state.readiness.body);
});
