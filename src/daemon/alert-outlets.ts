/** Opens everywhere that alerts go: memory, stdout, the file. */

import { sendNow } from "../../ffi/stream.ts";
import type { Config } from "../config/model.ts";
import type { Logger } from "../report/log.ts";
import { AlertFile } from "../report/sinks/alert-file.ts";
import { AlertRing } from "../report/sinks/alert-ring.ts";
import { AlertSink } from "../report/sinks/alert-sink.ts";
import { LineOutput, openInheritedOutput } from "../report/sinks/line-output.ts";

export interface AlertOutlets {
	readonly ring: AlertRing;
	readonly sink: AlertSink;
	/** Passes on what is queued and closes; logs how many alerts standard output had no room for until the end. */
	close(): void;
}

const stdout = 1;

export async function openAlertOutlets(config: Config["alerts"], log: Logger): Promise<AlertOutlets> {
	const ring = new AlertRing(config.buffer);
	const opened = config.stdout ? openInheritedOutput(stdout, sendNow) : null;
	const lines = opened && new LineOutput(opened.write);
	const file =
		config.file === null
			? null
			: new AlertFile({ path: config.file, maxBytes: config.fileMaxBytes, keep: config.fileKeep });
	const failure = file?.open() ?? "";
	if (failure !== "")
		log.error("alerts cannot be written to the file yet", { file: config.file, error: failure });
	const sink = new AlertSink({
		ring,
		stdout: lines,
		file,
		onFileState: (error) => {
			if (error === "") log.info("alerts are written to the file again", { file: config.file });
			else log.error("alerts cannot be written to the file", { file: config.file, error });
		},
	});
	return {
		ring,
		sink,
		close() {
			const lost = lines?.close() ?? 0;
			opened?.close();
			if (lost > 0) log.warn("alerts are lost, as nobody reads standard output", { alerts: lost });
			file?.close();
		},
	};
}
