/** Every command, in the order of `portward help`. */

import type { WorkerName } from "../daemon/daemon-options.ts";
import { alerts } from "./alerts.ts";
import { apply } from "./apply.ts";
import type { Command } from "./command.ts";
import { confirm } from "./confirm.ts";
import { convert } from "./convert.ts";
import { diff } from "./diff.ts";
import { explain } from "./explain.ts";
import { page } from "./page.ts";
import { panicOpen } from "./panic-open.ts";
import { plan } from "./plan.ts";
import { policy } from "./policy.ts";
import { release } from "./release.ts";
import { reload } from "./reload.ts";
import { render } from "./render.ts";
import { restore } from "./restore.ts";
import { resume } from "./resume.ts";
import { rollback } from "./rollback.ts";
import { runCommand } from "./run.ts";
import { search } from "./search.ts";
import { status } from "./status.ts";
import { test } from "./test.ts";
import { usb } from "./usb.ts";
import { validate } from "./validate.ts";
import { version } from "./version.ts";

/**
 * @param createWorker only src/main.ts can construct Workers
 * @param begin what the process does first that becomes the daemon
 */
export function allCommands(
	createWorker: (name: WorkerName) => Worker,
	begin?: () => void,
): readonly Command[] {
	return [
		runCommand(createWorker, begin),
		validate,
		render,
		explain,
		diff,
		search,
		test,
		convert,
		plan,
		apply,
		confirm,
		rollback,
		reload,
		status,
		alerts,
		page,
		usb,
		release,
		restore,
		policy,
		panicOpen,
		resume,
		version,
	];
}
