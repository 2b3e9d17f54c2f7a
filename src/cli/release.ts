import { InstanceLock } from "../../ffi/lock.ts";
import { escapeForTerminal } from "../base/terminal.ts";
import { sysfsRoot } from "../enforcers/usb/observe/present.ts";
import { type Command, exit, type Io, UsageError } from "./command.ts";
import { plural } from "./diagnostics.ts";
import { withKernelTable } from "./kernel.ts";
import { parseOnlyOptions } from "./options.ts";
import { jsonOption, telling } from "./outcome.ts";
import { describeWithheld, releaseUsb, type Withheld, withheldDevices } from "./release-usb.ts";
import { readSettings } from "./settings.ts";
import { knownSettings } from "./stand-in-settings.ts";

const help = `Usage: portward release [--config FILE] [--state-dir DIR] [--json]
       portward release usb [--dry-run] [--config FILE] [--state-dir DIR]
                            [--json]

Removes portward's table from this network namespace, so that nothing is
blocked any more. With usb: authorizes the USB devices that were refused, says
which they are, and gives the kernel back the defaults that it had before. What
somebody else refused stays refused. Refuses while a daemon runs here: stop it
first.

  --dry-run        only say which USB devices would work again
  --config FILE    settings (default /etc/portward/config.yaml)
  --state-dir DIR  what the daemon kept (default /var/lib/portward)
  --json           print {ok, messages, problems, diagnostics}
`;

export const release: Command = {
	name: "release",
	summary: "remove the rules that a stopped daemon left in force",
	help,
	run: telling(async (args, io) => {
		const [what, ...rest] = args;
		const usb = what === "usb";
		const values = parseOnlyOptions(
			usb ? rest : args,
			{
				config: { type: "string" },
				"state-dir": { type: "string" },
				"dry-run": { type: "boolean" },
				...jsonOption,
			},
			[["usb"]],
		);
		if (!usb && values["dry-run"] === true)
			throw new UsageError("--dry-run goes with usb; the network's rules are simply removed");
		// What is removed must not be guessed.
		const config = knownSettings(readSettings(values, false), values, io);
		if (config === null) return exit.failure;
		const { table, stateDir } = config;
		const fail = (message: string) => {
			io.error(`portward: ${message}\n`);
			return exit.failure;
		};
		if (usb && values["dry-run"] === true) {
			await foretell(stateDir, io);
			return exit.ok;
		}
		// Held to the end, so that no daemon starts meanwhile.
		const locked = InstanceLock.acquire(table);
		if (!locked.ok) {
			return fail(
				locked.reason === "held"
					? "a daemon of this network namespace is running and would put its rules back; stop it first"
					: locked.error,
			);
		}
		if (usb) {
			const withheld = await withheldDevices(stateDir, sysfsRoot);
			const released = await releaseUsb(stateDir, sysfsRoot);
			locked.lock.release();
			if (!released.ok) return fail(released.error);
			io.out(lines(withheld ?? [], "works again"));
			io.out(
				released.released
					? `USB is released: ${plural(released.devices, "refused device")} authorized again\n`
					: "there was nothing to release\n",
			);
			return exit.ok;
		}
		const ran = withKernelTable(table, (kernel) => kernel.remove());
		locked.lock.release();
		if (!ran.ok) return fail(ran.message);
		const released = ran.value;
		if (!released.ok) return fail(released.error);
		io.out(
			released.removed
				? `table inet ${table} is removed: nothing is blocked any more\n`
				: "there was nothing to release\n",
		);
		return exit.ok;
	}),
};

/** Says which devices a release would bring to life. */
async function foretell(stateDir: string, io: Io): Promise<void> {
	const withheld = await withheldDevices(stateDir, sysfsRoot);
	if (withheld === null) io.out("USB is not locked: no device would work again\n");
	else if (withheld.length === 0) io.out("no USB device is refused\n");
	else io.out(lines(withheld, "would work again"));
}

function lines(withheld: readonly Withheld[], fate: string): string {
	return withheld
		.map(({ present, foreign }) => {
			const what = foreign ? "stays refused: somebody else refused it" : fate;
			return `${escapeForTerminal(`USB device ${describeWithheld(present)}: ${what}`)}\n`;
		})
		.join("");
}
