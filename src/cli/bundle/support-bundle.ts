import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { gzipSync } from "node:zlib";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { render } from "../ask/render.ts";
import { type Command, exit } from "../command.ts";
import { doctor } from "../doctor/doctor.ts";
import { parseOnlyOptions } from "../options.ts";
import { jsonOption, telling } from "../outcome.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { version } from "../version.ts";
import { type Gathered, gatherBundle, type Part } from "./gather.ts";
import { Redactor } from "./redact.ts";
import { withoutSecrets } from "./secrets.ts";
import { type TarEntry, tarball } from "./tar.ts";

const help = `Usage: portward support-bundle [--redact] [--out FILE] [--config FILE] [--json]

Packs what somebody else needs to help: version, status, findings of doctor,
settings, names and digests of policies, the ruleset and the table, the newest
1000 alerts, metrics, history, USB devices, facts about kernel and links. No
secret is in it: no token, no key, nothing of a file that the settings name.
The daemon may be stopped or hang. The file is root's alone (mode 0600), and
one that is there is never overwritten.

  --redact       replace addresses, serial numbers and the names of hosts,
                 clusters, policies, and users and units in rules by names
                 such as ipv4-1, the same throughout the bundle; leave digests
                 and messages out
  --out FILE     where to (default: portward-support-TIME.tar.gz, here)
  --config FILE  settings (default /etc/portward/config.yaml)
  --json         print {ok, messages, problems, diagnostics, file, missing}
`;

/** Bytes of one file in the bundle. */
const mostBytes = 8 * 1024 * 1024;

export const supportBundle: Command = {
	name: "support-bundle",
	summary: "pack what somebody else needs to help, without secrets",
	help,
	run: telling(async (args, io) => {
		const values = parseOnlyOptions(args, {
			redact: { type: "boolean" },
			out: { type: "string", offer: "file" },
			config: { type: "string", offer: "file" },
			...jsonOption,
		});
		const time = Date.now();
		const file = values.out ?? `portward-support-${stamp(time)}.tar.gz`;
		const config = commandSettings(values, io);
		// Taken before anything is gathered: what cannot be written is known at once.
		const opened = create(file);
		if (!opened.ok) {
			io.error(`portward: ${escapeForTerminal(opened.message)}\n`);
			return exit.failure;
		}
		const gathered = await gatherBundle({
			commands: { doctor, render, version },
			config,
			file: values.config,
			signal: io.signal,
		});
		const entries = bundleEntries(gathered, config, { redact: values.redact ?? false, time });
		const failed = write(opened.descriptor, gzipSync(tarball(entries, time)));
		if (failed !== "") {
			rmSync(file, { force: true });
			io.error(`portward: ${escapeForTerminal(`${file} cannot be written: ${failed}`)}\n`);
			return exit.failure;
		}
		const missing = gathered.missing.map((each) => withoutSecrets(each, config));
		for (const each of missing) io.error(`portward: not in the bundle: ${escapeForTerminal(each)}\n`);
		io.values?.add({ file, missing });
		const unredacted = "; it tells addresses and names of this host, which --redact replaces";
		io.out(`${escapeForTerminal(file)}: ${entries.length} files${values.redact ? "" : unredacted}\n`);
		return exit.ok;
	}),
};

function stamp(time: number): string {
	return new Date(time).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** A file that was not there, for root alone. Neither a file nor a link at its name is touched. */
function create(
	file: string,
): { readonly ok: true; readonly descriptor: number } | { readonly ok: false; readonly message: string } {
	try {
		const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
		return { ok: true, descriptor: openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
	} catch (error) {
		if (!(error instanceof Error && "code" in error)) throw error;
		const there = error.code === "EEXIST";
		return {
			ok: false,
			message: there
				? `${file} is there already, and is not overwritten; name another with --out`
				: `${file} cannot be made: ${error.message}; name another with --out`,
		};
	}
}

/** What went wrong, or "". */
function write(descriptor: number, data: Uint8Array): string {
	try {
		for (let done = 0; done < data.length; ) done += writeSync(descriptor, data, done);
		return "";
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	} finally {
		closeSync(descriptor);
	}
}

/** The files of the bundle, without secrets, and without what tells which host it is where that is asked for. */
export function bundleEntries(
	{ parts, missing }: Gathered,
	config: Config,
	{ redact, time, host = hostname() }: { redact: boolean; time: number; host?: string },
): TarEntry[] {
	const redactor = redact ? redactorFor(parts, config, host) : null;
	const text = (raw: string) => {
		const clean = withoutSecrets(raw, config);
		return redactor === null ? clean : redactor.text(clean);
	};
	const json = (value: unknown) => (redactor === null ? value : redactor.json(withoutDigests(value)));
	const bodies = parts.map((part): readonly [string, string] => {
		if ("text" in part) return [part.name, text(part.text)];
		if ("lines" in part) {
			const lines = part.lines.map((line) => `${JSON.stringify(json(line))}\n`);
			return [part.name, withoutSecrets(lines.join(""), config)];
		}
		const shown = `${JSON.stringify(json(part.document), null, 2)}\n`;
		return [part.name, withoutSecrets(shown, config)];
	});
	const readme = `A support bundle of Portward, of ${new Date(time).toISOString()}${redact ? ", redacted" : ""}.
${missing.map((each) => `Not in it: ${text(each)}\n`).join("")}`;
	return [["README.txt", readme] as const, ...bodies].map(([name, body]) => ({
		name: `portward-support/${name}`,
		data: bounded(Buffer.from(body)),
	}));
}

function bounded(data: Buffer): Uint8Array {
	if (data.length <= mostBytes) return data;
	return Buffer.concat([data.subarray(0, mostBytes), Buffer.from("\n… cut here\n")]);
}

/** A digest of a short file could be found again by trying. */
function withoutDigests(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutDigests);
	if (typeof value !== "object" || value === null) return value;
	const entries = Object.entries(value).filter(([key]) => key !== "sha256");
	return Object.fromEntries(entries.map(([key, each]) => [key, withoutDigests(each)]));
}

/** Knows every name that stands in any part, before the first is written. */
function redactorFor(parts: readonly Part[], config: Config, host: string): Redactor {
	const redactor = new Redactor();
	redactor.learn("host", host);
	const [short = ""] = host.split(".");
	redactor.learn("host", short);
	redactor.learn("cluster", config.clusterName === "default" ? "" : config.clusterName);
	for (const [key, value] of Object.entries(config.nodeLabels)) {
		redactor.learn(key.endsWith("hostname") ? "host" : "label", value);
	}
	for (const { address, url } of config.alerts.sinks) {
		const name = url === null ? /^\w+:\/\/([^[\]:/]+):\d+$/.exec(address ?? "")?.[1] : new URL(url).hostname;
		if (name !== undefined && /[a-z]/i.test(name) && name !== "localhost") redactor.learn("host", name);
	}
	for (const part of parts) {
		if ("lines" in part) for (const line of part.lines) redactor.study(line);
		else if ("document" in part) redactor.study(part.document);
	}
	return redactor;
}
