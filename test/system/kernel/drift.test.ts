import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Nftables } from "../../../ffi/nftables.ts";
import {
	DriftFilter,
	PROBE_PREFIX,
	probeCommands,
} from "../../../src/enforcers/network/observe/drift-filter.ts";
import type { DriftEvent } from "../../../src/enforcers/network/observe/event.ts";
import type { DriftReport } from "../../../src/enforcers/network/observe/observer-protocol.ts";
import { script } from "../../../src/kernel/nftables/writer.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork, until } from "../support/isolated.ts";
import { type Observing, observeDrift } from "../support/observing.ts";

const TABLE = "guarded";
const SKELETON = `
	add table inet ${TABLE}
	flush table inet ${TABLE}
	add chain inet ${TABLE} c
	add set inet ${TABLE} s { type ipv4_addr; }
	add element inet ${TABLE} s { 10.0.0.1 }
`;

describe("drift in a network namespace", () => {
	let network: IsolatedNetwork;
	let own: Nftables;
	let foreign: DriftEvent[] = [];
	let filter: DriftFilter;
	let observing: Observing<DriftReport>;
	let probes = 0;

	beforeAll(() => {
		network = enterIsolatedNetwork();
		const opened = Nftables.open();
		if (!opened.ok) throw new Error(opened.reason);
		own = opened.nftables;
	});
	beforeEach(async () => {
		foreign = [];
		filter = new DriftFilter((event) => foreign.push(event));
		observing = await observeDrift({ table: TABLE, probePrefix: PROBE_PREFIX }, (report) => {
			if (report.kind === "transaction") filter.add(report.report);
		});
	});
	afterEach(async () => {
		await observing.stop();
		expect(observing.errors).toEqual([]);
	});
	afterAll(() => {
		own.close();
		network.leave();
	});

	function run(commands: string): void {
		const result = own.run(commands);
		if (!result.ok) throw new Error(result.error);
	}

	async function probe(): Promise<void> {
		const table = `${PROBE_PREFIX}${process.pid}_${++probes}`;
		filter.expectProbe(table);
		run(script(table, probeCommands));
		await until(() => filter.ready, "the probe is seen");
		expect(command("nft", "list", "tables")).not.toContain(PROBE_PREFIX);
	}

	/** A foreign change that is told for certain, so that everything before it must have been told too. */
	async function marker(): Promise<DriftEvent[]> {
		const before = foreign.length;
		command("nft", "add", "counter", "inet", TABLE, `marker${++probes}`);
		await until(() => foreign.length > before && foreign.at(-1)?.changes.join() === "newobj", "the marker");
		return foreign.slice(0, -1);
	}

	test("our own transactions are not drift; foreign ones name their process and what they did", async () => {
		await probe();
		run(SKELETON);
		run(`add rule inet ${TABLE} c accept`);
		expect(await marker()).toEqual([]);
		command("nft", "insert", "rule", "inet", TABLE, "c", "drop");
		await until(() => foreign.length === 2, "the foreign rule");
		expect(foreign[1]).toEqual({
			time: expect.any(Number),
			generation: expect.any(Number),
			pid: expect.any(Number),
			process: "nft",
			changes: ["newrule"],
		});
		expect(foreign[1]?.pid).not.toBe(foreign[0]?.pid);
	});

	const foreignCommands: readonly [string, string, string][] = [
		["flush ruleset", "flush ruleset", "deltable"],
		["delete table", `delete table inet ${TABLE}`, "deltable"],
		["flush table", `flush table inet ${TABLE}`, "delrule"],
		["flush chain", `flush chain inet ${TABLE} c`, "delrule"],
		["insert rule", `insert rule inet ${TABLE} c drop`, "newrule"],
		["add chain", `add chain inet ${TABLE} more`, "newchain"],
		["rename chain", `rename chain inet ${TABLE} c d`, "newchain"],
		["delete element", `delete element inet ${TABLE} s { 10.0.0.1 }`, "delsetelem"],
		["add element", `add element inet ${TABLE} s { 10.0.0.9 }`, "newsetelem"],
		["flush set", `flush set inet ${TABLE} s`, "delsetelem"],
		["make dormant", `add table inet ${TABLE} { flags dormant; }`, "newtable"],
	];
	test.each(foreignCommands)("a foreign `%s` is seen", async (_, text, change) => {
		run(`delete table inet ${TABLE}`);
		await probe();
		run(`${SKELETON}\nadd rule inet ${TABLE} c accept`);
		command("nft", text);
		await until(() => foreign.length === 1, "the foreign change");
		expect(foreign[0]?.changes).toContain(change);
		run(`${SKELETON}\n`);
	});

	test("changes to other tables are no drift, whatever their names and families", async () => {
		await probe();
		run(SKELETON);
		command(
			"nft",
			`add table ip ${TABLE}; add chain ip ${TABLE} c; add table inet ${TABLE}2; delete table ip ${TABLE}`,
		);
		command("nft", `delete table inet ${TABLE}2`);
		expect(await marker()).toEqual([]);
	});

	test("what came before the probe was seen is judged once it is", async () => {
		run(SKELETON);
		const table = `${PROBE_PREFIX}${process.pid}_${++probes}`;
		filter.expectProbe(table);
		run(`add rule inet ${TABLE} c accept`);
		command("nft", "add", "rule", "inet", TABLE, "c", "drop");
		run(script(table, probeCommands));
		await until(() => foreign.length === 1, "the foreign rule");
		expect(foreign[0]?.process).toBe("nft");
		expect(await marker()).toHaveLength(1);
	});

	test("foreign transactions between ours are told apart under load", async () => {
		await probe();
		run(SKELETON);
		const script = `for i in $(seq 40); do nft add rule inet ${TABLE} c counter; done`;
		const others = Bun.spawn(["sh", "-c", script]);
		let mine = 0;
		while (others.exitCode === null) {
			run(`add rule inet ${TABLE} c accept`);
			mine++;
			await Bun.sleep(0);
		}
		expect(await marker()).toHaveLength(40);
		expect(mine).toBeGreaterThan(0);
	});

	test("a large transaction of ours raises neither drift nor suspicion", async () => {
		await probe();
		run(SKELETON);
		const elements = Array.from({ length: 50_000 }, (_, i) => `11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
		run(`add element inet ${TABLE} s { ${elements.join(", ")} }`);
		expect(await marker()).toEqual([]);
		expect(observing.reports.some(({ kind }) => kind === "suspect")).toBe(false);
	});

	test("lost notifications raise suspicion, and what follows is told again", async () => {
		await probe();
		run(SKELETON);
		const small = await observeDrift({ table: TABLE, probePrefix: PROBE_PREFIX, receiveBuffer: 1 });
		const rules = Array.from({ length: 2000 }, () => `add rule inet ${TABLE} c counter`);
		run(rules.join("\n"));
		await until(() => small.reports.some(({ kind }) => kind === "suspect"), "the suspicion");
		const before = small.reports.length;
		command("nft", "flush", "chain", "inet", TABLE, "c");
		await until(
			() => small.reports.slice(before).some(({ kind }) => kind === "transaction" || kind === "suspect"),
			"the flush",
		);
		await small.stop();
	});
});
