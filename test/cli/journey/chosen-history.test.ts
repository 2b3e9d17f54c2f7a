import { expect, test } from "bun:test";
import { join } from "node:path";
import { chosenHistory } from "../../../src/cli/journey/chosen-history.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { FlowStore } from "../../../src/enforcers/network/history/flow-store.ts";
import { saveHistory } from "../../../src/enforcers/network/history/saved-history.ts";
import { writeState } from "../../../src/state/state-file.ts";
import { CapturedIo, Files } from "../support/portward.ts";
import { flowJson, historyText } from "./support/flows.ts";

const noSettings = () => {
	throw new Error("a file of flows needs no settings");
};

test("a file needs neither settings nor a daemon", async () => {
	using files = new Files();
	const from = files.put("flows.json", historyText([flowJson]));
	const io = new CapturedIo();
	expect((await chosenHistory({ from }, noSettings, io))?.flows).toHaveLength(1);
	const now = Date.parse(flowJson.lastSeen) + 60_000;
	expect((await chosenHistory({ from, since: "2m" }, noSettings, io, now))?.flows).toHaveLength(1);
	expect((await chosenHistory({ from, since: "30s" }, noSettings, io, now))?.flows).toEqual([]);
	expect(io.error_).toBe("");
});

test("without a daemon what it kept is taken, and said", async () => {
	using files = new Files();
	const settings = () => ({
		...defaultConfig(),
		stateDir: files.path,
		table: "nowhere",
		status: { ...defaultConfig().status, address: `unix:${files.path}/none.sock` },
	});
	const first = new CapturedIo();
	expect(await chosenHistory({}, settings, first)).toBeNull();
	expect(first.error_).toContain("No flows were kept");
	const store = new FlowStore({ maxFlows: 10, seed: 1, since: 1_000 });
	expect(writeState(join(files.path, "seen-flows.json"), saveHistory(store))).toBeNull();
	const second = new CapturedIo();
	expect(await chosenHistory({}, settings, second)).toMatchObject({ since: 1_000, flows: [] });
	expect(second.error_).toContain("the daemon is not running");
});
