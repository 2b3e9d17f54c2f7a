/** The daemon's own log: one line an event, on stderr, because stdout carries alerts only. */

import { escapeForTerminal, escapeJson } from "../base/terminal.ts";

export type LogLevel = "info" | "warn" | "error";
export type LogFormat = "text" | "json";
export type LogFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface Logger {
	info(message: string, fields?: LogFields): void;
	warn(message: string, fields?: LogFields): void;
	error(message: string, fields?: LogFields): void;
}

export interface LoggerOptions {
	readonly format: LogFormat;
	/** Only true when the output is a terminal. */
	readonly colour: boolean;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
	/** Takes one line with its newline. Must not throw. */
	readonly write: (line: string) => void;
}

/** Longest value or message that is written, in UTF-16 units; the rest is cut and marked. */
const maxValue = 4096;

const colours: Record<LogLevel, string> = { info: "\x1b[32m", warn: "\x1b[33m", error: "\x1b[31m" };
const reset = "\x1b[0m";

function bounded(text: string): string {
	return text.length <= maxValue ? text : `${text.slice(0, maxValue)}… (${text.length - maxValue} more)`;
}

function textValue(value: LogFields[string]): string {
	const text = Array.isArray(value) ? value.join(",") : String(value);
	const safe = escapeForTerminal(bounded(text));
	return safe === "" || /[\s"=\\]/u.test(safe) ? `"${safe.replaceAll('"', '\\"')}"` : safe;
}

/** One record as one line that ends in a newline and holds no other control character than colours. */
export function formatLogLine(
	options: Pick<LoggerOptions, "format" | "colour">,
	time: number,
	level: LogLevel,
	message: string,
	fields: LogFields = {},
): string {
	const stamp = new Date(time).toISOString();
	if (options.format === "json") {
		const values = Object.entries(fields).map(([key, value]) => [
			key,
			typeof value === "string" ? bounded(value) : value,
		]);
		// The record's own keys come last, so that no field can forge them.
		const record = { ...Object.fromEntries(values), time: stamp, level, message: bounded(message) };
		return `${escapeJson(JSON.stringify(record))}\n`;
	}
	const label = options.colour ? `${colours[level]}${level}${reset}` : level;
	return `${stamp} ${label} ${formatLogText(message, fields)}\n`;
}

/** What a record says, without its time and level: one line without control characters. */
export function formatLogText(message: string, fields: LogFields = {}): string {
	const rest = Object.entries(fields).map(([key, value]) => ` ${escapeForTerminal(key)}=${textValue(value)}`);
	return `${escapeForTerminal(bounded(message))}${rest.join("")}`;
}

export function createLogger(options: LoggerOptions): Logger {
	const at = (level: LogLevel) => (message: string, fields?: LogFields) =>
		options.write(formatLogLine(options, options.now(), level, message, fields));
	return { info: at("info"), warn: at("warn"), error: at("error") };
}
