/** The flows that a command is to work on, from a file or from standard input. */

import { statSync } from "node:fs";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { SeenHistory } from "../../enforcers/network/history/seen-flow.ts";
import { readBounded, readPieces } from "../../source/bounded-file.ts";
import { errorText } from "../../source/held-directory.ts";
import type { Io } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { readStandardInput } from "../standard-input.ts";
import { FlowPieces } from "./flow-pieces.ts";
import { maxFlowsBytes, readFlows } from "./flows-file.ts";

/** Milliseconds that a pipe may be silent. */
const patienceMs = 10_000;

const bounds = { limit: maxFlowsBytes, patienceMs };

/** What `--from` names: a file, or `-` for standard input. Null where that cannot be read; the operator was told why. */
export async function flowsFrom(
	name: string,
	io: Io,
	input?: ReadableStream<Uint8Array>,
): Promise<SeenHistory | null> {
	const quick = name === "-" ? null : quickly(name);
	if (quick !== null) return quick;
	const text = name === "-" ? await fromInput(io, input) : fromFile(name);
	if (typeof text !== "string") {
		io.error(`portward: ${escapeForTerminal(text.problem)}\n`);
		return null;
	}
	const read = readFlows(name === "-" ? "standard input" : name, text);
	if (read.ok) return read.history;
	printDiagnostics(read.diagnostics, io);
	return null;
}

interface Problem {
	readonly problem: string;
}

const tooLarge = `has more than ${maxFlowsBytes / 1024 / 1024} MiB; print fewer flows with --since`;

async function fromInput(io: Io, input?: ReadableStream<Uint8Array>): Promise<string | Problem> {
	const text = await readStandardInput(maxFlowsBytes, io.signal, input);
	return text ?? { problem: io.signal.aborted ? "interrupted" : `standard input ${tooLarge}` };
}

/** The flows of a file in which nothing is wrong; null of any other, and of what cannot be read twice. */
function quickly(name: string): SeenHistory | null {
	const pieces = new FlowPieces();
	const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
	try {
		// Who opens a pipe lets its writer begin.
		if (!statSync(name).isFile()) return null;
		const refusal = readPieces(name, bounds, (piece) => pieces.take(decoder.decode(piece, { stream: true })));
		return refusal === null && pieces.take(decoder.decode()) ? pieces.end() : null;
	} catch {
		return null;
	}
}

function fromFile(name: string): string | Problem {
	try {
		const read = readBounded(name, bounds);
		if (read.ok) return read.text;
		return {
			problem: read.reason === "too-large" ? `${name} ${tooLarge}` : `nothing comes through the pipe ${name}`,
		};
	} catch (error) {
		return { problem: `--from ${name}: ${errorText(error)}` };
	}
}
