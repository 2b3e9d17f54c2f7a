import { expect, test } from "bun:test";
import { defaultConfig } from "../../../../src/config/parse.ts";
import { NetworkService } from "../../../../src/enforcers/network/run/network-service.ts";
import { createLogger } from "../../../../src/report/log.ts";
import { AlertRing } from "../../../../src/report/sinks/alert-ring.ts";
import { AlertSink } from "../../../../src/report/sinks/alert-sink.ts";
import { LocalWorker } from "../../../daemon/support/worker.ts";

test("a kernel that refuses nf_tables is told in the report, and nothing is left running", async () => {
	const config = defaultConfig();
	const attempts: string[] = [];
	const nft = LocalWorker.serving({
		open: () => ({ ok: false, reason: "no nf_tables", remedy: "" }),
		saveBoot: () => null,
	});
	const service = new NetworkService({
		config: () => config,
		enforced: () => config,
		createWorker: () => nft as unknown as Worker,
		gone: (reason) => attempts.push(reason),
		policies: {
			read: async ({ form }) => {
				attempts.push(`read ${form}`);
				return { plan: null, policies: [], interfaces: [] };
			},
			keep: async () => null,
			delivered: () => {},
			rest: () => {},
			recall: async () => {},
			askedMuch: () => {},
			bootFacts: () => ({}),
		},
		judge: { call: () => Promise.reject(new Error("nobody is asked")) },
		panic: { reason: () => null, drifted: () => false },
		confirmed: () => true,
		renamed: () => {},
		host: { otherChains: () => [], interfaces: [], forwards: { ipv4: true, ipv6: false } },
		reloaded: (result) => attempts.push(result),
		sink: new AlertSink({ ring: new AlertRing(1), stdout: null, file: null, onFileState: () => {} }),
		identity: { clusterName: "", hostName: "h", nodeId: "" },
		log: createLogger({ format: "json", colour: false, now: () => 0, write: () => {} }),
	});
	await service.reload();
	service.begin();
	await service.refresh();
	expect(attempts).toEqual(["read concatenated"]);
	const { state, obstacle } = service.report();
	expect(state).toMatchObject({ state: "unavailable", reason: "no nf_tables" });
	expect(obstacle).toBe("the network enforcer is unavailable: no nf_tables");
	expect([service.warnings, service.isUrgent(), Object.keys(service.workers)]).toEqual([[], false, ["nft"]]);
	await service.stop();
	expect(nft.terminated).toBe(true);
});
