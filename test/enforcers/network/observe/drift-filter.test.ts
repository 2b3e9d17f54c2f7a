import { expect, test } from "bun:test";
import {
	DriftFilter,
	PROBE_PREFIX,
	probeCommands,
} from "../../../../src/enforcers/network/observe/drift-filter.ts";
import type { DriftEvent, TransactionReport } from "../../../../src/enforcers/network/observe/event.ts";
import { script } from "../../../../src/kernel/nftables/writer.ts";

const PROBE = `${PROBE_PREFIX}1`;

function touched(pid: number, generation = 1): TransactionReport {
	return { event: { time: 0, generation, pid, process: "x", changes: ["newrule"] }, pid, probes: [] };
}

function probed(pid: number, table = PROBE): TransactionReport {
	return { event: null, pid, probes: [table] };
}

function make(): { filter: DriftFilter; foreign: DriftEvent[] } {
	const foreign: DriftEvent[] = [];
	return { filter: new DriftFilter((event) => foreign.push(event)), foreign };
}

test("a probe creates its table and leaves nothing", () => {
	expect(script(PROBE, probeCommands)).toBe(`add table inet ${PROBE}\ndelete table inet ${PROBE}\n`);
});

test("only transactions of other threads are foreign once the probe was seen", () => {
	const { filter, foreign } = make();
	filter.expectProbe(PROBE);
	expect(filter.ready).toBe(false);
	filter.add(probed(10));
	expect(filter.ready).toBe(true);
	filter.add(touched(10));
	filter.add(touched(11));
	expect(foreign.map(({ pid }) => pid)).toEqual([11]);
});

test("what comes before the probe waits for it, in order", () => {
	const { filter, foreign } = make();
	filter.expectProbe(PROBE);
	filter.add(touched(11, 1));
	filter.add(touched(10, 2));
	filter.add(touched(12, 3));
	expect(foreign).toEqual([]);
	filter.add(probed(10));
	expect(foreign.map(({ generation }) => generation)).toEqual([1, 3]);
});

test("another probe's name, and one without a thread, teach nothing", () => {
	const { filter } = make();
	filter.expectProbe(PROBE);
	filter.add(probed(66, `${PROBE}0`));
	filter.add(probed(0));
	expect(filter.ready).toBe(false);
});

test("a second sight of the probe's name changes nothing", () => {
	const { filter, foreign } = make();
	filter.expectProbe(PROBE);
	filter.add(probed(10));
	filter.add(probed(66));
	filter.add(touched(66));
	expect(foreign.map(({ pid }) => pid)).toEqual([66]);
});

test("after a new probe is expected the thread of before is a stranger", () => {
	const { filter, foreign } = make();
	filter.expectProbe(PROBE);
	filter.add(probed(10));
	filter.expectProbe(`${PROBE}b`);
	filter.add(probed(20, `${PROBE}b`));
	filter.add(touched(20));
	filter.add(touched(10));
	expect(foreign.map(({ pid }) => pid)).toEqual([10]);
});

test("a transaction that probes and touches the table is judged by the thread it teaches", () => {
	const { filter, foreign } = make();
	filter.expectProbe(PROBE);
	filter.add({ ...touched(10), probes: [PROBE] });
	expect(foreign).toEqual([]);
});

test("before a probe everything is foreign, and so is what a kernel attributes to nobody", () => {
	const { filter, foreign } = make();
	filter.add(touched(10));
	filter.expectProbe(PROBE);
	filter.add(touched(0, 2));
	filter.add(probed(10));
	filter.add(touched(0, 3));
	expect(foreign.map(({ generation }) => generation)).toEqual([1, 2, 3]);
});

test("only so many transactions wait", () => {
	const { filter, foreign } = make();
	filter.expectProbe(PROBE);
	for (let i = 0; i < 1000; i++) filter.add(touched(11));
	filter.add(probed(10));
	expect(foreign).toHaveLength(256);
});
