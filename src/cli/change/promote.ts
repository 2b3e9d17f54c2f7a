import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import * as v from "valibot";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { quote } from "../../base/suggest.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import type { Policy } from "../../document/kind.ts";
import { makePlan } from "../../engine/plan-make.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { promoteText } from "../../engine/promote.ts";
import type { StagedCount } from "../../report/contribution.ts";
import { describeStaged } from "../../report/page/parts.ts";
import { longestWait, shortestWait } from "../../serve/control/control-protocol.ts";
import { replaceFiles } from "../../source/replace-files.ts";
import { incomingDirectory } from "../../state/pending-record.ts";
import { readTree, type TreeFile } from "../../state/pending-tree.ts";
import { type Command, exit, type Io, UsageError } from "../command.ts";
import { printDiagnostics } from "../diagnostics.ts";
import { parseDuration } from "../duration.ts";
import { parseOptions } from "../options.ts";
import { telling } from "../outcome.ts";
import { planJson, printPlan } from "../plan/plan-text.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { ask, errorText } from "../status/client.ts";
import { describeQuota, type ToldQuota } from "../status/quotas-text.ts";
import { statusShape } from "../status/status-text.ts";
import { wholeStatus } from "../status/whole-status.ts";
import { askDaemon, daemonOptions, ownSession, printReply } from "./change-reply.ts";
import { withCopy } from "./incoming.ts";

const help = `Usage: portward promote NAME... [--yes] [--confirm-within 60s] [--json]
                        [--policy-dir DIR] [--config FILE] [--state-dir DIR]

Enforces staged policies. Prints what the running daemon counted for each, and
the plan of enforcing them (as portward plan does). With --yes it takes the
annotation portward.io/mode: staged out of their files, comments and form stay,
and has the daemon enforce that for a time, as portward apply does: unless
portward confirm comes in time, everything goes back by itself. The files in
the policy directory change when that comes.

A policy directory that has to be signed is changed where it is signed: name
that copy with --policy-dir, sign it, and apply it.

  --yes                  do it; without it nothing changes
  --confirm-within TIME  from 10s to 24h, such as 90s or 10m
                         (default: confirmWithin of the settings, 60s)
  --policy-dir DIR       change the files in DIR, and nothing else; enforce
                         them with portward apply --policy-dir DIR
  --config FILE          settings (default /etc/portward/config.yaml)
  --state-dir DIR        the daemon's state (default: that of the settings)
  --json                 print {ok, messages, problems, diagnostics, policies,
                         plan, change, seconds}: policies are [{name, kind,
                         file, line, staged}], where staged is null or
                         {evaluated, wouldBlock, sinceGeneration, since}, and
                         quotas are there where it has some, as in the status;
                         the rest as portward apply has it

Exit code: 0 done, 2 shown and not done, as --yes is missing, 1 failure.
`;

interface Request {
	readonly names: ReadonlySet<string>;
	readonly config: Config;
	/** Whose files are promoted. */
	readonly directory: string;
	/** It is not what the daemon enforces. */
	readonly apart: boolean;
	readonly yes: boolean;
	readonly seconds: number | null;
	readonly flags: { readonly config?: string | undefined; readonly "state-dir"?: string | undefined };
}

interface Evidence extends Pick<Policy, "name" | "kind" | "place"> {
	readonly staged: StagedCount | null;
	readonly quotas: readonly ToldQuota[];
}

export const promote: Command = {
	name: "promote",
	summary: "enforce staged policies, with the evidence first",
	help,
	run: telling(async (args, io) => {
		const { values, positionals } = parseOptions(args, {
			"policy-dir": { type: "string" },
			"confirm-within": { type: "string" },
			yes: { type: "boolean" },
			...daemonOptions,
		});
		const { "policy-dir": named, "confirm-within": within, yes, ...flags } = values;
		if (positionals.length === 0)
			throw new UsageError("name the staged policies, such as: portward promote database-only");
		const seconds = within === undefined ? null : parseDuration(within);
		if (within !== undefined && (seconds === null || seconds < shortestWait || seconds > longestWait))
			throw new UsageError("--confirm-within takes from 10s to 24h, such as 90s, 10m or 2h");
		const config = commandSettings(flags, io);
		const directory = resolve(named ?? config.policyDir);
		const apart = named !== undefined && directory !== resolve(config.policyDir);
		const names = new Set(positionals);
		return promoteIn({ names, config, directory, apart, yes: yes === true, seconds, flags }, io);
	}),
};

async function promoteIn(request: Request, io: Io): Promise<number> {
	const { config, directory, names, apart, yes } = request;
	const refused = (message: string) => printReply({ ok: false, message }, io);
	const set = readPolicySet([directory], config);
	const problem = problemOf(set.policies, request);
	if (problem !== null) return refused(problem);
	const staged = set.policies.filter((policy) => policy.staged === true && names.has(policy.name));
	const policies = await withEvidence(staged, config, io);
	io.values?.add({
		policies: policies.map(({ name, kind, place: { file, line }, staged: count, quotas }) => ({
			...{ name, kind, file, line, staged: count },
			...(quotas.length === 0 ? {} : { quotas }),
		})),
	});
	for (const { name, staged: count, quotas } of policies) {
		io.out(`${escapeForTerminal(name)}: ${count === null ? "not evaluated" : describeStaged(count)}\n`);
		for (const quota of quotas) io.out(`  quota of ${escapeForTerminal(describeQuota(quota))}\n`);
	}
	const read = readTree(directory, { checkPermissions: false });
	if (!read.ok) return refused(read.problems.join("\n"));
	const edited = editedFiles(read.files, directory, policies);
	if (typeof edited === "string") return refused(edited);
	const changed = edited.filter((file, i) => file !== read.files[i]);
	// A unit's own /tmp keeps the daemon from seeing what is there.
	const parent = apart ? tmpdir() : incomingDirectory(config.stateDir);
	try {
		return await withCopy(parent, edited, async (copy) => {
			const sound = tellPlan(copy, request, io);
			// About what it is handed the daemon decides itself, as with apply.
			if (!sound && (!yes || apart)) return refused("these policies cannot be enforced as they are");
			if (!yes) {
				io.out("nothing has changed; promote with --yes\n");
				return exit.changes;
			}
			return apart ? written(directory, changed, io) : await handedOver(copy, request, io);
		});
	} catch (error) {
		return refused(`the policies cannot be copied: ${errorText(error)}`);
	}
}

/** Why these policies cannot be promoted; null where they can. */
function problemOf(all: readonly Policy[], { config, directory, names, apart }: Request): string | null {
	for (const name of names) {
		const found = all.filter((policy) => policy.name === name);
		if (found.length === 0) return `${directory} has no valid policy ${quote(name)}`;
		if (found.every(({ staged }) => staged === undefined)) return `${quote(name)} is not staged`;
	}
	if (apart || config.policySignature !== "required") return null;
	return "these policies have to be signed; promote them where they are signed, with --policy-dir, then sign and apply them";
}

/** The plan of the copy, with the names of the files that it is of. False where these policies cannot be enforced. */
function tellPlan(copy: string, { config, directory }: Request, io: Io): boolean {
	// As functions, or a $& in a directory's name would be obeyed.
	const real = (text: string) => text.replaceAll(copy, () => directory);
	const shown = (text: string) => text.replaceAll(copy, () => escapeForTerminal(directory));
	const plan = makePlan({ config, directory: copy });
	if (!plan.ok) {
		const named = ({ file, message, hint, ...more }: Diagnostic): Diagnostic => {
			return { ...more, file: real(file), message: real(message), hint: real(hint) };
		};
		printDiagnostics(plan.diagnostics.map(named), io);
	} else if (io.values === undefined) {
		printPlan(plan.plan, {
			out: (text) => io.out(shown(text)),
			error: (text) => io.error(shown(text)),
			errorColour: io.errorColour,
			signal: io.signal,
		});
	} else {
		const renamed = (_: string, value: unknown) => (typeof value === "string" ? real(value) : value);
		const told: unknown = JSON.parse(JSON.stringify(planJson(plan.plan), renamed));
		io.values.add({ plan: told });
	}
	return plan.ok;
}

/** What the daemon counted for them, where it says. */
async function withEvidence(staged: readonly Policy[], config: Config, io: Io): Promise<readonly Evidence[]> {
	const reply = await wholeStatus((path) => ask(config, false, path, io.signal));
	const parsed = reply.ok ? v.safeParse(statusShape, reply.document) : null;
	const told = parsed?.success === true ? parsed.output.policies : null;
	const quotas = parsed?.success === true ? parsed.output.enforcers.network.quotas : [];
	if (told === null) {
		const why = reply.ok ? "what answers sent no status of this version" : reply.message;
		io.error(`portward: nothing is known of what they did: ${escapeForTerminal(why)}\n`);
	}
	return staged.map(({ name, kind, place }) => {
		const own = told?.find((policy) => policy.name === name && policy.kind === kind);
		const used = quotas.filter((quota) => quota.staged && quota.policy === name);
		return { name, kind, place, staged: own?.staged ?? null, quotas: used };
	});
}

/** The same list with the files that change as others; a text says why not. */
function editedFiles(
	files: readonly TreeFile[],
	directory: string,
	policies: readonly Evidence[],
): readonly TreeFile[] | string {
	const byFile = Map.groupBy(policies, ({ place }) => relative(directory, place.file));
	const edited: TreeFile[] = [];
	for (const file of files) {
		const own = byFile.get(file.path);
		if (own === undefined) {
			edited.push(file);
			continue;
		}
		const names = new Set(own.map(({ name }) => name));
		const result = promoteText(file.path, Buffer.from(file.bytes).toString("utf8"), names);
		if (!result.ok) return `${join(directory, file.path)} cannot be changed: ${result.reason}`;
		edited.push({ path: file.path, bytes: Buffer.from(result.text) });
	}
	return edited;
}

function written(directory: string, changed: readonly TreeFile[], io: Io): number {
	const files = changed.map(({ path, bytes }) => ({ name: path, bytes }));
	const problem = replaceFiles(directory, files);
	if (problem !== null)
		return printReply({ ok: false, message: `${directory} cannot be written: ${problem}` }, io);
	const message = `promoted in ${directory}; enforce it with portward apply --policy-dir ${directory}`;
	return printReply({ ok: true, message }, io);
}

function handedOver(
	directory: string,
	{ config, directory: from, seconds, flags }: Request,
	io: Io,
): Promise<number> {
	return askDaemon({ verb: "apply", directory, from, seconds, session: ownSession() }, flags, io, config);
}
