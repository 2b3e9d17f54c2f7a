/** What is encoded by hand is what protobuf's own decoder reads: Debian's python3-protobuf, with KubeArmor's fields. */

import { expect, test } from "bun:test";
import type { Alert } from "../../../src/report/alert.ts";
import { alertMessage, isLog, logMessage, recordMessage } from "../../../src/report/formats/feeder.ts";
import { Client, clientCommand } from "../../serve/grpc/support/client.ts";
import { sampleAlert } from "../sample.ts";

/** Decodes messages of one type by Python. */
async function decoded(type: string, messages: readonly Buffer[]): Promise<unknown[]> {
	using client = new Client(clientCommand("-", ["decode", type]));
	for (const message of messages) client.write(`${message.toString("base64")}\n`);
	return await client.take(messages.length);
}

/** As JSON of protobuf has it: what is empty is absent, and numbers of 64 bits are texts. */
function asProto(value: Readonly<Record<string, unknown>>): unknown {
	const kept = Object.entries(value).filter(
		([, each]) => each !== "" && JSON.stringify(each) !== "[]" && each !== 0,
	);
	return Object.fromEntries(kept.map(([key, each]) => [key, key === "Timestamp" ? String(each) : each]));
}

const alerts: readonly Alert[] = [
	sampleAlert(),
	sampleAlert({ ATags: [], Tags: "", Message: "", PolicyName: "", Action: "Audit (Block)", EventData: {} }),
	sampleAlert({
		ATags: ["", "ü", "日本"],
		Message: `${"long ".repeat(2000)}\n\u0000\u{1f600}`,
		Timestamp: -1,
	}),
	sampleAlert({
		Timestamp: 253_402_300_799,
		EventData: Object.fromEntries(
			Array.from({ length: 40 }, (_, index) => [`Key${index}`, "v".repeat(index)]),
		),
	}),
	sampleAlert({ Timestamp: 0, EventData: { "": "no key", empty: "" } }),
];

test("an alert's fields arrive under KubeArmor's names, whatever is in them", async () => {
	const expected = alerts.map((alert) => asProto({ ...alert, ExecEvent: {} }));
	// An empty map is absent as well.
	const read = (await decoded("Alert", alerts.map(alertMessage))) as Record<string, unknown>[];
	expect(read.map((each) => asProto({ EventData: {}, ...each }))).toEqual(expected);
});

test("what no policy decided is a Log, without a policy and an action", async () => {
	const log = sampleAlert({ Type: "HostLog", Operation: "Device", Resource: "USB HID", Result: "Removed" });
	expect([isLog(log), isLog(sampleAlert())]).toEqual([true, false]);
	const {
		Timestamp,
		UpdatedTime,
		ClusterName,
		HostName,
		NodeID,
		Type,
		Operation,
		Resource,
		Data,
		EventData,
		Result,
	} = log;
	expect(await decoded("Log", [logMessage(log)])).toEqual([
		{
			Timestamp: String(Timestamp),
			UpdatedTime,
			ClusterName,
			HostName,
			NodeID,
			Type,
			Operation,
			Resource,
			Data,
			EventData,
			Result,
			ExecEvent: {},
		},
	]);
});

test("half a surrogate pair makes no message that cannot be read", async () => {
	const [read] = await decoded("Alert", [alertMessage(sampleAlert({ Message: "a\ud800b" }))]);
	expect(read).toMatchObject({ Message: "a\ufffdb" });
});

test("a line of the log is a Message", async () => {
	const record = { time: 1_771_821_095_104, level: "WARN", message: "drift table=kubearmor" } as const;
	const host = { clusterName: "c", hostName: "h", address: "192.0.2.1" };
	expect(await decoded("Message", [recordMessage(record, host)])).toEqual([
		{
			Timestamp: "1771821095",
			UpdatedTime: "2026-02-23T04:31:35.104000Z",
			ClusterName: "c",
			HostName: "h",
			HostIP: "192.0.2.1",
			Type: "Message",
			Level: "WARN",
			Message: "drift table=kubearmor",
		},
	]);
});
