import { expect, test } from "bun:test";
import { readStandardInput } from "../../src/cli/standard-input.ts";

const never = new AbortController().signal;
const bytes = (text: string) => new TextEncoder().encode(text);

function stream(...chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
	return new ReadableStream({
		start(controller) {
			for (const chunk of chunks) controller.enqueue(chunk);
			controller.close();
		},
	});
}

test("everything up to the end, a letter that is cut in two as well", async () => {
	const [first, second] = [bytes("aä").subarray(0, 2), bytes("aä").subarray(2)];
	expect(await readStandardInput(100, never, stream(first, second))).toBe("aä");
	expect(await readStandardInput(100, never, stream())).toBe("");
});

test("what is too long is none", async () => {
	expect(await readStandardInput(4, never, stream(bytes("ab"), bytes("cd")))).toBe("abcd");
	expect(await readStandardInput(3, never, stream(bytes("ab"), bytes("cd")))).toBeNull();
});

test("an interrupt ends the waiting for who says nothing", async () => {
	const stop = new AbortController();
	const read = readStandardInput(100, stop.signal, new ReadableStream({}));
	stop.abort();
	expect(await read).toBeNull();
});
