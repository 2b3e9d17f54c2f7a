/** Every command, in the order of `portward help`. */

import type { WorkerName } from "../daemon/daemon-options.ts";
import { convert } from "./ask/convert.ts";
import { diff } from "./ask/diff.ts";
import { explain } from "./ask/explain.ts";
import { exposure } from "./ask/exposure.ts";
import { fmt } from "./ask/fmt.ts";
import { importKubearmor } from "./ask/import-kubearmor.ts";
import { render } from "./ask/render.ts";
import { schema } from "./ask/schema.ts";
import { search } from "./ask/search.ts";
import { validate } from "./ask/validate.ts";
import { supportBundle } from "./bundle/support-bundle.ts";
import { apply } from "./change/apply.ts";
import { confirm } from "./change/confirm.ts";
import { page } from "./change/page.ts";
import { panicOpen } from "./change/panic-open.ts";
import { promote } from "./change/promote.ts";
import { reload } from "./change/reload.ts";
import { resume } from "./change/resume.ts";
import { rollback } from "./change/rollback.ts";
import type { Command } from "./command.ts";
import { completionCommand } from "./completion/completion.ts";
import { doctor } from "./doctor/doctor.ts";
import { graph } from "./graph/graph.ts";
import { flows } from "./journey/flows.ts";
import { recommend } from "./journey/recommend.ts";
import { simulate } from "./journey/simulate.ts";
import { plan } from "./plan/plan.ts";
import { policy } from "./policy/policy.ts";
import { release } from "./release.ts";
import { report } from "./report/report.ts";
import { restore } from "./restore.ts";
import { runCommand } from "./run.ts";
import { alerts } from "./status/alerts.ts";
import { history } from "./status/history.ts";
import { status } from "./status/status.ts";
import { test } from "./test/test.ts";
import { top } from "./top/top.ts";
import { usb } from "./usb/usb.ts";
import { version } from "./version.ts";

/**
 * @param createWorker only src/main.ts can construct Workers
 * @param begin what the process does first that becomes the daemon
 */
export function allCommands(
	createWorker: (name: WorkerName) => Worker,
	begin?: () => void,
): readonly Command[] {
	const commands: Command[] = [
		runCommand(createWorker, begin),
		validate,
		fmt,
		render,
		explain,
		diff,
		search,
		exposure,
		graph,
		test,
		convert,
		importKubearmor,
		schema,
		recommend,
		simulate,
		plan,
		apply,
		promote,
		confirm,
		rollback,
		reload,
		status,
		history,
		doctor,
		report,
		supportBundle,
		alerts,
		flows,
		top,
		page,
		usb,
		release,
		restore,
		policy,
		panicOpen,
		resume,
		completionCommand(() => commands),
		version,
	];
	return commands;
}
