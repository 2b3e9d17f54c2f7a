/** Reads what is in a support bundle. Every question to the daemon is bounded, and what cannot be had is said. */

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { arch, freemem, loadavg, networkInterfaces, totalmem, uptime } from "node:os";
import { join } from "node:path";
import { Nftables } from "../../../ffi/nftables.ts";
import type { Config } from "../../config/model.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { forwarding, hostFacts } from "../../kernel/host.ts";
import { readLinks } from "../../kernel/links.ts";
import { PolicyDirectoryReader } from "../../source/policy-directory.ts";
import type { Command, Io } from "../command.ts";
import { alertHistory, joinAlerts } from "../status/alert-history.ts";
import { ask, parseJson } from "../status/client.ts";
import { wholeStatus } from "../status/whole-status.ts";
import { shownSettings } from "./secrets.ts";

/** What one file of the bundle says: a document, lines of JSON, or text. */
export type Part =
	| { readonly name: string; readonly document: unknown }
	| { readonly name: string; readonly lines: readonly unknown[] }
	| { readonly name: string; readonly text: string };

export interface Gathered {
	readonly parts: readonly Part[];
	/** What could not be had, and why. */
	readonly missing: readonly string[];
}

/** Milliseconds for all that the daemon is asked. */
const patienceMs = 15_000;
const mostAlerts = 1000;

export interface GatherOptions {
	/** Other commands, whose answers are parts. */
	readonly commands: Readonly<Record<"doctor" | "render" | "version", Command>>;
	readonly config: Config;
	/** The settings file that was named on the command line. */
	readonly file: string | undefined;
	readonly signal: AbortSignal;
	/** Milliseconds for all that the daemon is asked. */
	readonly patience?: number;
}

export async function gatherBundle(options: GatherOptions): Promise<Gathered> {
	const { config, file } = options;
	const { doctor, render, version } = options.commands;
	const missing: string[] = [];
	/** A part that fails must not take the others with it. */
	const tried = async (name: string, make: () => Promise<readonly Part[]> | readonly Part[]) => {
		try {
			return await make();
		} catch (error) {
			missing.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
			return [];
		}
	};
	const flags = [...(file === undefined ? [] : ["--config", file])];
	// First, and alone: what is looked at below takes the thread for itself, and would make any answer late.
	const asked = await daemonParts(options, missing);
	const local = [
		await tried("version.json", async () => [
			{ name: "version.json", document: parseJson(await printed(version, ["--json"], missing)) },
		]),
		await tried("doctor.json", async () => [
			{ name: "doctor.json", document: parseJson(await printed(doctor, ["--json", ...flags], missing)) },
		]),
		await tried("settings.json", () => [{ name: "settings.json", document: shownSettings(config) }]),
		await tried("policies.json", () => policyParts(config)),
		await tried("ruleset.nft", async () => [
			{ name: "ruleset.nft", text: await printed(render, flags, missing) },
		]),
		await tried("table.nft", () => [{ name: "table.nft", text: tableText(config.table, missing) }]),
		await tried("host.json", () => [{ name: "host.json", document: hostDocument(config) }]),
	];
	return { parts: [...local.flat(), ...asked], missing };
}

/** What the daemon says, all at once: where it hangs, they wait together. */
async function daemonParts(
	{ config, signal, patience = patienceMs }: GatherOptions,
	missing: string[],
): Promise<Part[]> {
	const late = new AbortController();
	const timer = setTimeout(() => late.abort(), patience);
	const bound = AbortSignal.any([signal, late.signal]);
	/** By why. */
	const unanswered = new Map<string, string[]>();
	const get = async (path: string) => {
		const reply = await ask(config, false, path, bound);
		if (!reply.ok) unanswered.set(reply.message, [...(unanswered.get(reply.message) ?? []), path]);
		return reply;
	};
	const text = async (path: string): Promise<string | null> => {
		const reply = await get(path);
		return reply.ok ? await reply.response.text() : null;
	};
	const document = async (name: string, path: string): Promise<Part[]> => {
		const answer = await text(path);
		return answer === null ? [] : [{ name, document: parseJson(answer) ?? null }];
	};
	const status = async (): Promise<Part[]> => {
		const reply = await wholeStatus(get);
		return reply.ok ? [{ name: "status.json", document: reply.document }] : [];
	};
	const metrics = async (): Promise<Part[]> => {
		const answer = await text("/metrics");
		return answer === null ? [] : [{ name: "metrics.txt", text: answer }];
	};
	const alerts = async (): Promise<Part[]> => {
		const answer = parseJson((await text(`/v1/alerts?limit=${mostAlerts}`)) ?? "");
		const remembered = listOf(answer, "alerts").toReversed();
		const filter = { policy: undefined, action: undefined, limit: mostAlerts };
		const lines = joinAlerts(alertHistory(config.alerts, filter) ?? [], remembered).slice(-mostAlerts);
		return [{ name: "alerts.jsonl", lines }];
	};
	try {
		const found = await Promise.all([
			status(),
			metrics(),
			alerts(),
			document("history.json", "/v1/history"),
			document("usb.json", "/v1/usb/devices"),
			document("usb-history.json", "/v1/usb/history"),
		]);
		return found.flat();
	} finally {
		clearTimeout(timer);
		for (const [why, paths] of unanswered) missing.push(`${paths.join(", ")}: ${why}`);
	}
}

function listOf(answer: unknown, key: string): unknown[] {
	const value: unknown =
		typeof answer === "object" && answer !== null
			? Object.getOwnPropertyDescriptor(answer, key)?.value
			: undefined;
	return Array.isArray(value) ? value : [];
}

/** What a command prints, whose complaints are told among what is missing. */
async function printed(command: Command, args: readonly string[], missing: string[]): Promise<string> {
	let out = "";
	let complaints = "";
	const io: Io = {
		out: (text) => {
			out += text;
		},
		error: (text) => {
			complaints += text;
		},
		errorColour: false,
		signal: new AbortController().signal,
	};
	await command.run(args, io);
	// What is wrong with policies stands in policies.json, without what is quoted of the settings.
	if (out === "" && complaints !== "") missing.push(`${command.name}: it failed; run it on the host`);
	return out;
}

/** Files with the digests of their bytes, what is in them by name, and what is wrong with them. */
function policyParts(config: Config): Part[] {
	const directory = new PolicyDirectoryReader(config.policyDir, { checkPermissions: false }).read();
	const files = directory.files.map(({ path, sha256, problem }) => ({
		file: path,
		sha256,
		problem: problem?.code ?? null,
	}));
	const { policies, selected, diagnostics } = readPolicySet([config.policyDir], config);
	const forHost = new Set(selected);
	return [
		{
			name: "policies.json",
			document: {
				problem: directory.problem?.code ?? null,
				files,
				policies: policies.map((policy) => ({
					name: policy.name,
					kind: policy.kind,
					selected: forHost.has(policy),
					staged: policy.staged === true,
				})),
				diagnostics,
			},
		},
	];
}

/** Our own table, with counters and without elements: they stand in ruleset.nft. */
function tableText(table: string, missing: string[]): string {
	const opened = Nftables.open();
	if (!opened.ok) {
		missing.push(`table.nft: ${opened.reason}`);
		return "";
	}
	try {
		const listed = opened.nftables.run(`list table inet ${table}`, { terse: true });
		if (listed.ok) return listed.output;
		missing.push(`table.nft: ${listed.error.split("\n", 1)[0]}`);
		return "";
	} finally {
		opened.nftables.close();
	}
}

const sysctls = [
	"kernel/osrelease",
	"net/netfilter/nf_conntrack_count",
	"net/netfilter/nf_conntrack_max",
	"net/netfilter/nf_conntrack_acct",
	"net/ipv4/ip_forward",
	"net/core/rmem_max",
	"kernel/unprivileged_userns_clone",
];

function firstLine(path: string): string | null {
	try {
		return readFileSync(path, "utf8").split("\n", 1)[0] ?? null;
	} catch {
		return null;
	}
}

function hostDocument({ stateDir }: Config): unknown {
	const { kernelRelease, hostname } = hostFacts();
	const links = readLinks();
	return {
		hostname,
		kernel: kernelRelease,
		architecture: arch(),
		distribution: (firstLine("/etc/os-release") ?? "").replace(/^\w+=/, ""),
		uptimeSeconds: Math.round(uptime()),
		load: loadavg(),
		memory: { bytes: totalmem(), free: freemem() },
		forwarding: forwarding(),
		lsm: firstLine("/sys/kernel/security/lsm"),
		lockdown: firstLine("/sys/kernel/security/lockdown"),
		sysctl: Object.fromEntries(sysctls.map((name) => [name, firstLine(`/proc/sys/${name}`)])),
		modules: modules(),
		links: links.ok ? links.links : links.error,
		addresses: Object.fromEntries(
			Object.entries(networkInterfaces()).map(([name, list = []]) => [name, list.map(({ cidr }) => cidr)]),
		),
		state: stateFiles(stateDir),
	};
}

/** Those that Portward has to do with. */
function modules(): string[] {
	try {
		const names = readFileSync("/proc/modules", "utf8")
			.split("\n")
			.map((line) => line.split(" ", 1)[0] ?? "");
		return names.filter((name) => /^(?:nf|nft|nfnetlink|x_tables|ip_tables|br_netfilter|usb|uas)/.test(name));
	} catch {
		return [];
	}
}

/** What lies in the state directory: of what size, since when, whose. No file of it is read. */
function stateFiles(stateDir: string): unknown {
	try {
		return readdirSync(stateDir)
			.sort()
			.map((entry) => {
				const { size, mtime, mode, uid } = lstatSync(join(stateDir, entry));
				return { entry, size, changed: mtime.toISOString(), mode: mode.toString(8), uid };
			});
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}
