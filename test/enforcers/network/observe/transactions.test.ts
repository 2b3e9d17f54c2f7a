import { expect, test } from "bun:test";
import { TransactionGrouper } from "../../../../src/enforcers/network/observe/transactions.ts";
import { AttributeTable, MessageCursor, MessageWriter } from "../../../../src/kernel/netlink-message.ts";
import {
	HIGHEST_ATTRIBUTE,
	type Notification,
	readNotification,
} from "../../../../src/kernel/nftables-message.ts";

const INET = 1;
const IPV4 = 2;

function change(type: string, table = "ours", family = INET): Notification {
	return { kind: "change", type, family, table };
}

function generation(id = 7, pid = 42): Notification {
	return { kind: "generation", id, pid, process: "nft" };
}

function make(): TransactionGrouper {
	return new TransactionGrouper("ours", "probe_");
}

test("changes are reported at the end of their transaction, each type once", () => {
	const grouper = make();
	for (const type of ["newrule", "newrule", "delchain"]) expect(grouper.add(change(type), 1)).toBeNull();
	expect(grouper.add(generation(), 99)).toEqual({
		event: { time: 99, generation: 7, pid: 42, process: "nft", changes: ["newrule", "delchain"] },
		pid: 42,
		probes: [],
	});
	expect(grouper.add(generation(8), 100)).toBeNull();
});

test("other tables and families are passed over", () => {
	const grouper = make();
	grouper.add(change("newrule", "ours2"), 1);
	grouper.add(change("newrule", "ours", IPV4), 1);
	grouper.add(change("newtable", "probe_x", IPV4), 1);
	grouper.add(change("delrule", "probe_x"), 1);
	expect(grouper.add(generation(), 1)).toBeNull();
});

test("a probe is reported with the thread, also beside a change", () => {
	const grouper = make();
	grouper.add(change("newtable", "probe_1"), 1);
	expect(grouper.add(generation(7, 42), 1)).toEqual({ event: null, pid: 42, probes: ["probe_1"] });
	grouper.add(change("newtable", "probe_2"), 1);
	grouper.add(change("newset"), 1);
	expect(grouper.add(generation(8, 43), 1)).toMatchObject({
		event: { changes: ["newset"] },
		probes: ["probe_2"],
	});
});

test("a gap in the notifications forgets what came before it", () => {
	const grouper = make();
	grouper.add(change("newrule"), 1);
	grouper.forget();
	expect(grouper.add(generation(), 1)).toBeNull();
});

test("endless probes are bounded", () => {
	const grouper = make();
	for (let i = 0; i < 1000; i++) grouper.add(change("newtable", `probe_${i}`), 1);
	expect(grouper.add(generation(), 1)?.probes).toHaveLength(16);
});

test("notifications are read from their messages", () => {
	const table = new AttributeTable(HIGHEST_ATTRIBUTE);
	const read = (bytes: Uint8Array): Notification | null => {
		const cursor = new MessageCursor(bytes);
		cursor.advance();
		return readNotification(cursor, table);
	};
	expect(read(new MessageWriter(0x0a06, 0, 0).familyHeader(INET).text(1, "ours").finish())).toEqual(
		change("newrule"),
	);
	expect(read(new MessageWriter(0x0aff, 0, 0).familyHeader(INET).text(1, "ours").finish())).toEqual(
		change("type255"),
	);
	expect(
		read(new MessageWriter(0x0a0f, 0, 0).familyHeader(0).u32(1, 7).u32(2, 42).text(3, "nft").finish()),
	).toEqual(generation());
	// Kernels before 4.15 say nothing about the process.
	expect(read(new MessageWriter(0x0a0f, 0, 0).familyHeader(0).u32(1, 7).finish())).toEqual({
		kind: "generation",
		id: 7,
		pid: 0,
		process: "",
	});
	expect(read(new MessageWriter(0x0106, 0, 0).familyHeader(INET).text(1, "ours").finish())).toBeNull();
	expect(read(new MessageWriter(0x0a06, 0, 0).finish())).toBeNull();
});
