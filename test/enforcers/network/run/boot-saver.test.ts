import { expect, test } from "bun:test";
import { defaultConfig } from "../../../../src/config/parse.ts";
import { BootSaver } from "../../../../src/enforcers/network/run/boot-saver.ts";
import type { BootRequest, NftCalls } from "../../../../src/enforcers/network/run/calls.ts";
import { WorkerClient } from "../../../../src/threads/rpc.ts";
import { LocalWorker } from "../../../daemon/support/worker.ts";

test("asks for what is in force to be saved once it is confirmed, and tells each reason for a failure once", async () => {
	const asked: (BootRequest | null)[] = [];
	const warnings: string[] = [];
	let confirmed = false;
	let problem: string | null = null;
	const worker = LocalWorker.serving({
		saveBoot: (request: BootRequest | null) => {
			asked.push(request);
			return problem;
		},
	});
	const saver = new BootSaver({
		config: () => ({ ...defaultConfig(), stateDir: "/state", table: "t" }),
		nft: new WorkerClient<NftCalls>("nft", worker, () => {}),
		confirmed: () => confirmed,
		warn: (message) => warnings.push(message),
	});
	await saver.save("nested", { usbLock: true });
	confirmed = true;
	await saver.save("nested", { usbLock: true });
	await saver.save(null, { usbLock: null });
	const facts = { stateDirectory: "/state", table: "t", nflogGroup: 9755 };
	expect(asked).toEqual([
		null,
		{ ...facts, form: "nested", kept: { usbLock: true }, filtered: true },
		{ ...facts, form: "concatenated", kept: { usbLock: null }, filtered: false },
	]);
	expect(saver.failed).toBe(false);
	for (const next of ["ENOSPC", "ENOSPC", "EROFS", null, "ENOSPC"]) {
		problem = next;
		await saver.save("nested", { usbLock: true });
		expect(saver.failed).toBe(next !== null);
	}
	expect(warnings.map((warning) => warning.match(/E[A-Z]+$/)?.[0])).toEqual(["ENOSPC", "EROFS", "ENOSPC"]);
});
