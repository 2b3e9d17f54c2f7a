import { expect, test } from "bun:test";
import { maxFlowsBytes } from "../../../src/cli/journey/flows-file.ts";
import { flowsFrom } from "../../../src/cli/journey/flows-source.ts";
import { CapturedIo, Files } from "../support/portward.ts";
import { flowJson, historyText } from "./support/flows.ts";

test("a file gives its flows", async () => {
	using files = new Files();
	const io = new CapturedIo();
	const history = await flowsFrom(files.put("flows.json", historyText([flowJson])), io);
	expect([history?.flows.length, io.error_]).toEqual([1, ""]);
});

test("a long file is read in pieces, with what is wrong in the midst of it", async () => {
	using files = new Files();
	const flows = Array.from({ length: 5_000 }, (_, i) => ({ ...flowJson, interface: "ü{},[", port: 1 + i }));
	const io = new CapturedIo();
	const history = await flowsFrom(files.put("flows.json", historyText(flows)), io);
	expect([history?.flows.length, history?.flows[4_999]?.port, io.error_]).toEqual([5_000, 5_000, ""]);
	expect(history).toEqual(await flowsFrom("-", io, new Blob([historyText(flows)]).stream()));

	const spoilt = files.put("spoilt.json", historyText(flows.with(4_000, { ...flowJson, port: 0 })));
	expect(await flowsFrom(spoilt, io)).toBeNull();
	expect(io.error_).toContain(`${spoilt}:1:`);
	expect(io.error_).toContain("flows[4000].port");
});

test("standard input gives its flows", async () => {
	const io = new CapturedIo();
	const history = await flowsFrom("-", io, new Blob([historyText([flowJson])]).stream());
	expect([history?.flows.length, io.error_]).toEqual([1, ""]);
});

test("what is wrong in it is told with its place", async () => {
	const io = new CapturedIo();
	const text = historyText([{ ...flowJson, port: 0 }]);
	expect(await flowsFrom("-", io, new Blob([text]).stream())).toBeNull();
	expect(io.error_).toContain("standard input:1:");
	expect(io.error_).toContain("flows[0].port");
});

test("a file that is not there, is a directory or is silent is a sentence", async () => {
	using files = new Files();
	for (const [name, told] of [
		[`${files.path}/none.json`, "ENOENT"],
		[files.path, "EISDIR"],
	] as const) {
		const io = new CapturedIo();
		expect(await flowsFrom(name, io)).toBeNull();
		expect(io.error_).toContain(told);
	}
});

test("input without an end is refused, not kept", async () => {
	const io = new CapturedIo();
	const chunk = new Uint8Array(16 * 1024 * 1024);
	let sent = 0;
	const endless = new ReadableStream<Uint8Array>({
		pull(controller) {
			sent += chunk.length;
			controller.enqueue(chunk);
		},
	});
	expect(await flowsFrom("-", io, endless)).toBeNull();
	expect(io.error_).toContain("MiB");
	expect(sent).toBeLessThan(maxFlowsBytes + 4 * chunk.length);
});
