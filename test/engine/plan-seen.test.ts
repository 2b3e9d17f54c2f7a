import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildModel, ruleSets } from "../../src/enforcers/network/compile/program.ts";
import { FlowStore } from "../../src/enforcers/network/history/flow-store.ts";
import {
	flowWords,
	setAddress,
	setFacts,
	setVerdict,
} from "../../src/enforcers/network/history/flow-words.ts";
import { saveHistory } from "../../src/enforcers/network/history/saved-history.ts";
import { planSeen } from "../../src/engine/plan-seen.ts";
import { writeState } from "../../src/state/state-file.ts";
import { policy, rule } from "../enforcers/network/compile/build.ts";

const model = buildModel(
	ruleSets([policy("p", rule("Allow", { peers: ["192.0.2.1/32"], ports: ["tcp/22"] }))]),
	{
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
	},
);

test("a plan is held against the flows that were kept; without any, or with a damaged file, it goes without", () => {
	const stateDir = mkdtempSync(join(tmpdir(), "portward-seen-"));
	try {
		const settings = { stateDir, essentials: true };
		expect(planSeen(settings, model)).toBeNull();
		const store = new FlowStore({ maxFlows: 10, seed: 1, since: 1_000 });
		for (const host of [1, 2]) {
			const words = new Uint32Array(flowWords);
			const place = { direction: "ingress", hook: "input", family: 4 } as const;
			setFacts(words, { ...place, protocol: 6, port: 22, interface: store.interface("eth0") }, false);
			setAddress(words, "remote", Uint8Array.of(192, 0, 2, host), 0, 4);
			setVerdict(words, store.verdict({ action: "Allow", policy: null }));
			store.add(words, { count: 1, first: 2_000, last: 2_000 });
		}
		expect(writeState(join(stateDir, "seen-flows.json"), saveHistory(store))).toBeNull();
		expect(planSeen(settings, model, 9_000)).toMatchObject({
			flows: 2,
			wouldBlock: 1,
			wouldAllow: 0,
			unchanged: 1,
		});
		writeFileSync(join(stateDir, "seen-flows.json"), "damaged");
		expect(planSeen(settings, model)).toBeNull();
	} finally {
		rmSync(stateDir, { recursive: true, force: true });
	}
});
