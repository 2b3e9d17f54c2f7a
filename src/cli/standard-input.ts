/** What comes through standard input, for the commands that take `-`. */

/** The text up to its end, or null where it is longer than `limit` bytes or the command is interrupted. */
export async function readStandardInput(
	limit: number,
	signal: AbortSignal,
	input: ReadableStream<Uint8Array> = Bun.stdin.stream(),
): Promise<string | null> {
	const reader = input.getReader();
	const stop = () => void reader.cancel();
	signal.addEventListener("abort", stop);
	try {
		const chunks: Uint8Array[] = [];
		for (let length = 0; ; ) {
			const { done, value } = await reader.read();
			if (signal.aborted) return null;
			if (done) return Buffer.concat(chunks).toString("utf8");
			length += value.length;
			if (length > limit) return null;
			chunks.push(value);
		}
	} finally {
		signal.removeEventListener("abort", stop);
	}
}
