import { resolve } from "node:path";
import { InstanceLock } from "../../ffi/lock.ts";
import { escapeForTerminal } from "../base/terminal.ts";
import type { Config } from "../config/model.ts";
import { defaultConfig } from "../config/parse.ts";
import { type NetworkRestore, restoreNetwork } from "../daemon/restore.ts";
import type { RestoreRequest } from "../enforcers/contract/enforcer.ts";
import { adoptConnections } from "../enforcers/network/flows/adopt-connections.ts";
import { readBootState } from "../enforcers/network/run/boot-state.ts";
import { bootUsage } from "../enforcers/network/run/quota/kept-quotas.ts";
import { sysfsRoot } from "../enforcers/usb/observe/present.ts";
import { type BootRuleset, bootRulesets } from "../engine/boot-rulesets.ts";
import { enforcers } from "../engine/enforcers.ts";
import { hostFacts } from "../kernel/host.ts";
import { distrustDirectory } from "../source/held-directory.ts";
import { readPanic } from "../state/panic.ts";
import { type Command, exit, type Io } from "./command.ts";
import { withKernelTable } from "./kernel.ts";
import { parseOnlyOptions } from "./options.ts";
import { jsonOption, telling } from "./outcome.ts";
import { readSettings, type SettingsFlags } from "./settings.ts";
import { knownSettings } from "./stand-in-settings.ts";

const help = `Usage: portward restore [--config FILE] [--state-dir DIR] [--json]

Puts back what was in force when portward last ran and nothing waited for a
confirmation: the ruleset for packets, and the USB lock where device policies
need it. portward-restore.service runs it at boot, before the network comes
up; the daemon takes over from it without a gap. It starts nothing and listens
to nothing. A ruleset of portward's that is in force stays as it is, so
running it twice does no harm; where the daemon runs there is nothing to do.

Where the saved ruleset cannot be used, the one saved before it is; then the
setting bootPolicy says what happens:

  last-good  compile the last good policies, else those in the policy
             directory (with \`confirm: required\`: those confirmed last)
  block      drop everything but loopback, open connections, what a host
             needs to stay on its network, and failsafe flows
  open       load nothing, with a warning

After \`portward panic-open\`, packets stay unfiltered until \`portward resume\`.
A broken config file does not keep it from restoring. Exit code 1: something
should be in force and is not.

  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  what the daemon kept (default /var/lib/portward)
  --json           print {ok, messages, problems, diagnostics}
`;

export const restore: Command = {
	name: "restore",
	summary: "put back the rules that were confirmed last, at boot",
	help,
	run: telling(runRestore),
};

/** `sysRoot` is where sysfs is mounted. */
export async function runRestore(
	args: readonly string[],
	io: Parameters<Command["run"]>[1],
	sysRoot = sysfsRoot,
): Promise<number> {
	const values = parseOnlyOptions(args, {
		config: { type: "string" },
		"state-dir": { type: "string" },
		...jsonOption,
	});
	const config = settings(values, io);
	const locked = InstanceLock.acquire(config.table);
	if (!locked.ok && locked.reason === "held") {
		io.out(`portward runs here and guards table ${config.table}: there is nothing to restore\n`);
		return exit.ok;
	}
	try {
		return restoreAll(config, io, sysRoot);
	} finally {
		if (locked.ok) locked.lock.release();
	}
}

/** A broken config file must not leave the host open: what was saved says most of what has to be known. */
function settings(flags: SettingsFlags, io: Io): Config {
	const read = readSettings(flags, true);
	const known = knownSettings(read, flags, io);
	if (known !== null) return known;
	const fallback = defaultConfig();
	const state = flags["state-dir"];
	const stateDir = state === undefined ? fallback.stateDir : resolve(state);
	const newest = readBootState(stateDir, "newest");
	const saved = newest.ok ? newest : readBootState(stateDir, "previous");
	const table = saved.ok ? saved.state.table : fallback.table;
	io.error(`portward: without these settings, table ${table} and state directory ${stateDir} are taken\n`);
	return { ...fallback, stateDir, table };
}

function restoreAll(config: Config, io: Io, sysRoot: string): number {
	const { stateDir, table } = config;
	const problem = (message: string) => io.error(`portward: ${escapeForTerminal(message)}\n`);
	const distrusted = distrustDirectory(stateDir, "the state directory");
	if (distrusted !== null) problem(`${stateDir} is not believed: ${distrusted}`);
	const panic = readPanic(stateDir);
	if (panic.problem !== null) problem(panic.problem);
	// Devices come first: they appear while a large ruleset is being loaded, and the network does not.
	let others: number = exit.ok;
	const found = ({ kept }: BootRuleset) => {
		others = restoreKept(kept, { config, sysRoot }, io, problem);
	};
	const opened = withKernelTable(
		table,
		(kernel): Told => {
			const rulesets = bootRulesets({
				config,
				stateDirectory: stateDir,
				trusted: distrusted === null,
				checkPermissions: true,
				hostname: hostFacts().hostname,
				form: () => kernel.probe(config.rulesetForm),
				problem,
			});
			if (!config.enableNetworkPolicyEnforcer || panic.open) {
				const next = rulesets.next();
				if (!next.done) found(next.value);
				if (!panic.open) return { code: exit.ok, text: disabledText };
				openTable(() => kernel.letAllPass(), problem);
				return { code: exit.ok, text: panicText(panic.record.reason) };
			}
			const restored = restoreNetwork(kernel, rulesets, found, problem, ({ quotas }) =>
				distrusted === null ? bootUsage(stateDir, quotas?.rules ?? [], Date.now()) : {},
			);
			if (restored.result === "loaded") kernel.collect();
			return told(restored, table);
		},
		adoptConnections,
	);
	if (!opened.ok) {
		problem(opened.message);
		if (distrusted === null) guardDevicesAlone(config, found);
		return exit.failure;
	}
	const network = opened.value;
	if (network.warning === true) io.error(network.text);
	else io.out(network.text);
	return network.code === exit.ok ? others : network.code;
}

function openTable(open: () => { ok: boolean; error?: string }, problem: (message: string) => void): void {
	const result = open();
	if (!result.ok) problem(result.error ?? "");
}

const disabledText = "packets are not filtered: enableNetworkPolicyEnforcer is false\n";

function panicText(reason: string): string {
	return `packets are not filtered, after panic-open (${escapeForTerminal(reason)}), until portward resume\n`;
}

/** What is said, and whether it is a complaint. */
interface Told {
	readonly code: number;
	readonly text: string;
	readonly warning?: boolean;
}

function told(restored: NetworkRestore, table: string): Told {
	const well = (text: string): Told => ({ code: exit.ok, text: `${text}\n` });
	switch (restored.result) {
		case "loaded":
			return well(`table inet ${table} is in force again, from ${restored.origin}`);
		case "present":
			return well(`table inet ${table} is in force already, and stays`);
		case "unfiltered":
			return well(`${restored.origin} filters no packets`);
		case "none":
			break;
	}
	switch (restored.end) {
		case "first-start":
			return well("nothing is known yet: there is nothing to restore");
		case "open":
			return {
				...well(
					"portward: nothing is blocked until the daemon runs: no saved ruleset, and bootPolicy is open",
				),
				warning: true,
			};
		case "unusable":
			return {
				code: exit.failure,
				text: "portward: NOTHING IS BLOCKED until the daemon runs: no ruleset could be put in force\n",
				warning: true,
			};
	}
}

/** Where nftables cannot be opened, devices are locked all the same. */
function guardDevicesAlone({ stateDir }: Config, found: (ruleset: BootRuleset) => void): void {
	const newest = readBootState(stateDir, "newest");
	const saved = newest.ok ? newest : readBootState(stateDir, "previous");
	if (saved.ok) found({ origin: "", ...saved.state });
}

/** What every enforcer keeps beside the ruleset. */
function restoreKept(
	kept: BootRuleset["kept"],
	about: RestoreRequest,
	io: Io,
	problem: (message: string) => void,
): number {
	const restored = enforcers.map((enforcer) => enforcer.restore(kept, about));
	for (const { said, errors } of restored) {
		for (const error of errors) problem(error);
		if (said !== "") io.out(`${said}\n`);
	}
	return restored.every(({ errors }) => errors.length === 0) ? exit.ok : exit.failure;
}
