/** `portward policy verify`: whether a host that trusts these keys would take a policy directory. */

import { resolve } from "node:path";
import { listLimits } from "../../base/cidr-list.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import { readFeedFile } from "../../source/feed-file.ts";
import { parseManifest } from "../../source/manifest.ts";
import { type PolicyDirectory, PolicyDirectoryReader } from "../../source/policy-directory.ts";
import { parsePublicKey, publicText } from "../../source/signing-key.ts";
import { checkSerial, readSerial } from "../../state/policy-serial.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { plural, printDiagnostics } from "../diagnostics.ts";
import { parseOptions } from "../options.ts";
import { jsonOption } from "../outcome.ts";
import { readSettings } from "../settings.ts";
import { readSmallFile } from "./small-file.ts";

export async function policyVerify(args: readonly string[], io: Io): Promise<number> {
	const { values, positionals } = parseOptions(
		args,
		{
			"trusted-key": { type: "string", multiple: true },
			config: { type: "string" },
			...jsonOption,
		},
		["directory"],
	);
	const [directory, ...more] = positionals;
	if (directory === undefined || more.length > 0) throw new UsageError("name one policy directory to verify");
	const given = values["trusted-key"] ?? [];
	if ((given.length === 0) === (values.config === undefined))
		throw new UsageError("say whom to trust: --trusted-key KEY, or --config FILE with its trustedKeys");
	const fail = (message: string) => {
		io.error(`portward: ${escapeForTerminal(message)}\n`);
		return exit.failure;
	};
	const keys: string[] = [];
	for (const text of given) {
		const key = trustedKey(text);
		if (!key.ok) return fail(`${text.slice(0, 200)}: ${key.message}`);
		keys.push(key.key);
	}
	let stateDir: string | null = null;
	if (values.config !== undefined) {
		const { config, diagnostics } = readSettings({ config: values.config }, false);
		printDiagnostics(diagnostics, io);
		if (config === null) return exit.failure;
		keys.push(...config.trustedKeys);
		stateDir = config.stateDir;
	}
	const read = new PolicyDirectoryReader(directory, { checkPermissions: false }).read(keys);
	if (read.problem !== null)
		return fail(`${read.problem.message} [${read.problem.code}]; ${read.problem.hint}`);
	const altered = alteredFeed(directory, read.feeds);
	if (altered !== null) return fail(altered);
	const stale = read.set && stateDir !== null ? checkSerial(read.set, readSerial(stateDir)) : null;
	if (stale !== null) return fail(`${stale.message} [${stale.code}]; ${stale.hint}`);
	const text = Buffer.from(read.signed.manifest ?? []).toString("utf8");
	const parsed = parseManifest(text);
	const created = parsed.ok ? parsed.manifest.created : "";
	const [signer = ""] = Buffer.from(read.signed.signature ?? [])
		.toString("latin1")
		.split(" ");
	io.values?.add({ serial: read.set?.serial, files: read.files.length, created, signer });
	io.out(
		`${plural(read.files.length, "file")}, serial ${read.set?.serial}, signed ${created} with ${escapeForTerminal(signer)}\n`,
	);
	return exit.ok;
}

/** What is wrong with a file of a group that was signed with the set; null where all are as they were. */
function alteredFeed(directory: string, feeds: PolicyDirectory["feeds"]): string | null {
	const options = { checkPermissions: false, limit: listLimits.bytes };
	for (const [path, sha256] of feeds) {
		const read = readFeedFile(resolve(directory, path), null, options);
		if (read.state === "failed") return `${path} [${read.problem.code}]: ${read.problem.message}`;
		if (read.state === "read" && read.sha256 !== sha256)
			return `${path} is not as it was signed [altered-feed]; sign the directory anew`;
	}
	return null;
}

/** The key itself, or a file with it. */
function trustedKey(text: string): { ok: true; key: string } | { ok: false; message: string } {
	const direct = parsePublicKey(text);
	if (direct.ok) return { ok: true, key: publicText(direct.key) };
	const file = readSmallFile(text);
	if (!file.ok) return direct;
	const parsed = parsePublicKey(file.text);
	return parsed.ok ? { ok: true, key: publicText(parsed.key) } : parsed;
}
