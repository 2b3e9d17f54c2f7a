import { sendNow } from "../../ffi/stream.ts";
import type { Config } from "../config/model.ts";
import { confine } from "../daemon/confinement.ts";
import { Daemon } from "../daemon/daemon.ts";
import type { WorkerName } from "../daemon/daemon-options.ts";
import { ServiceManager } from "../daemon/service-manager.ts";
import { createLogger, type Logger } from "../report/log.ts";
import { LineOutput, openInheritedOutput } from "../report/sinks/line-output.ts";
import { distrustDirectory } from "../source/held-directory.ts";
import { type Command, exit, type Io, UsageError } from "./command.ts";
import { lackOfDescriptors } from "./descriptors.ts";
import { parseOnlyOptions } from "./options.ts";
import { runRestore } from "./restore.ts";
import { readSettings, type Settings, sourceOf } from "./settings.ts";
import { knownSettings } from "./stand-in-settings.ts";
import { build } from "./version.ts";

const help = `Usage: portward run [--policy-dir DIR] [--config FILE] [--state-dir DIR]
                    [--status-address ADDRESS] [--log-format text|json]
                    [--strict] [--insecure-permissions]

Enforces the policies in DIR and keeps to them while they change. Alerts go
to stdout, one JSON object a line; the log goes to stderr. Flags win over the
file.

  --policy-dir DIR          policies (default /etc/portward/policies)
  --config FILE             settings (default /etc/portward/config.yaml)
  --state-dir DIR           last good policies (default /var/lib/portward)
  --status-address ADDRESS  IP:port or unix:/path (default 127.0.0.1:9755)
  --log-format FORMAT       text (default) or json
  --strict                  exit with 1 when an enforcer is unavailable
  --insecure-permissions    accept files that others than root can write

SIGHUP reads the policies and the config again, as portward reload does. Where
the config is broken the last good settings hold, at a start too. SIGTERM ends
the process; the rules stay in force until \`portward release\`.
`;

const stderrFd = 2;

/** SIGTERM must have ended the process by then, whatever a Worker is doing. */
const stopMs = 1500;

/** @param begin what a process does first that is the daemon's alone, such as closing what it inherited */
export function runCommand(
	createWorker: (name: WorkerName) => Worker,
	begin: () => void = () => {},
): Command {
	return {
		name: "run",
		summary: "enforce the policies of a directory",
		help,
		run: (args, io) => run(args, io, createWorker, begin),
	};
}

const options = {
	"policy-dir": { type: "string" },
	config: { type: "string" },
	"state-dir": { type: "string" },
	"status-address": { type: "string" },
	"log-format": { type: "string", offer: ["text", "json"] },
	strict: { type: "boolean" },
	"insecure-permissions": { type: "boolean" },
} as const;

type Flags = ReturnType<typeof parseOnlyOptions<typeof options>>;

/** With what the daemon is to start. */
interface Start {
	readonly values: Flags;
	readonly format: "text" | "json";
	readonly checkPermissions: boolean;
	readonly settings: Settings;
	readonly config: Config;
}

async function run(
	args: readonly string[],
	io: Io,
	createWorker: (name: WorkerName) => Worker,
	begin: () => void,
): Promise<number> {
	const start = readStart(args, io);
	if (start === null) return exit.failure;
	begin();
	const lack = lackOfDescriptors();
	if (lack !== null) {
		io.error(`portward: ${lack}\n`);
		// Loading what was saved takes few, and leaves alone what is in force. Alerts alone go to standard output.
		await runRestore(flagsOf(start.values, ["config", "state-dir"]), { ...io, out: io.error });
		return exit.failure;
	}
	// A full stderr pipe must not hold up the daemon.
	const stderr = openInheritedOutput(stderrFd, sendNow);
	const lines = new LineOutput(stderr.write);
	if (distrustsState(start, io)) return exit.failure;
	const log = createLogger({
		format: start.format,
		colour: io.errorColour,
		now: Date.now,
		write: (line) => void lines.write([line]),
	});
	const code = await runDaemon(start, io, log, createWorker);
	lines.close();
	stderr.close();
	return code;
}

/** Null where there is nothing to start with, which was said. */
function readStart(args: readonly string[], io: Io): Start | null {
	const values = parseOnlyOptions(args, options);
	const format = values["log-format"] ?? "text";
	if (format !== "text" && format !== "json") throw new UsageError("--log-format is text or json");
	const checkPermissions = values["insecure-permissions"] !== true;
	const settings = readSettings(values, checkPermissions);
	// A start must not fail for a typo where the settings of before are known.
	const config = knownSettings(settings, values, io);
	if (config === null) {
		io.error("portward: no good settings of before are kept that could stand in; correct the file\n");
		return null;
	}
	const open = checkPermissions ? distrustDirectory(config.policyDir, "the policy directory") : null;
	if (open !== null) {
		io.error(`portward: ${config.policyDir}: ${open}\n`);
		return null;
	}
	return { values, format, checkPermissions, settings, config };
}

/** Whether others than root could write the state, which is said. */
function distrustsState({ config, checkPermissions }: Start, io: Io): boolean {
	// Who can write the last good policies and the serial needs no signature.
	const signed = config.policySignature === "required";
	const state = checkPermissions || signed ? distrustDirectory(config.stateDir, "the state directory") : null;
	if (state === null) return false;
	io.error(`portward: ${config.stateDir}: ${state}\n`);
	if (!checkPermissions)
		io.error(
			"portward: with policySignature: required, --insecure-permissions does not cover the state directory\n",
		);
	return true;
}

/** From the lock to the last word to the service manager. */
async function runDaemon(
	{ values, checkPermissions, settings, config }: Start,
	io: Io,
	log: Logger,
	createWorker: (name: WorkerName) => Worker,
): Promise<number> {
	const manager = new ServiceManager({ environment: process.env, warn: (message) => log.warn(message) });
	// Before anything is read that others may have written, and before the first Worker, which inherits it.
	const confinement = confine(config);
	const opened = await Daemon.open({
		config,
		settings: { ...settings, source: sourceOf(settings) },
		reload: () => reload(),
		checkPermissions,
		build,
		log,
		createWorker,
		confinement,
	});
	if (!opened.ok) {
		io.error(`portward: ${opened.message}\n`);
		return exit.failure;
	}
	const { daemon } = opened;
	const { vitals } = daemon;
	manager.watch(vitals);
	const reload = async () => {
		manager.reloading();
		const fresh = readSettings(values, checkPermissions);
		for (const { file, line, column, message, hint } of fresh.diagnostics) {
			log.error(message, { place: `${file}:${line}:${column}`, hint });
		}
		try {
			return await daemon.reload({ ...fresh, source: sourceOf(fresh) });
		} finally {
			manager.ready(vitals.status());
		}
	};
	const hangUp = () => void reload();
	process.on("SIGHUP", hangUp);
	const refused = await untilStopped(daemon, manager, io.signal, values.strict === true);
	if (refused === null) return exit.ok;
	manager.stopping();
	log.info(daemon.enforcing ? "stopping; the rules stay in force" : "stopping; nothing was enforced");
	process.off("SIGHUP", hangUp);
	await Promise.race([daemon.stop(), Bun.sleep(stopMs)]);
	manager.close();
	return refused ? exit.failure : exit.ok;
}

/** Whether `strict` refused what came about; null where it was to stop before it began. */
async function untilStopped(
	daemon: Daemon,
	manager: ServiceManager,
	signal: AbortSignal,
	strict: boolean,
): Promise<boolean | null> {
	const ended = new Promise<void>((resolve) =>
		signal.addEventListener("abort", () => resolve(), { once: true }),
	);
	if (signal.aborted) return null;
	const running = daemon.run();
	const started = await Promise.race([running.then(() => true), ended.then(() => false)]);
	const refused = started && strict && !daemon.enforcing;
	if (started) manager.ready(daemon.vitals.status());
	if (!refused) await ended;
	return refused;
}

/** The flags among `names` that were given, as they were. */
function flagsOf(values: Readonly<Record<string, unknown>>, names: readonly string[]): string[] {
	return names.flatMap((name) => (typeof values[name] === "string" ? [`--${name}`, values[name]] : []));
}
