/** Opens everywhere that alerts go: memory, stdout, the file, other systems. */

import { sendNow } from "../../ffi/stream.ts";
import { AlertFile } from "../report/sinks/alert-file.ts";
import { AlertRing } from "../report/sinks/alert-ring.ts";
import { AlertSink } from "../report/sinks/alert-sink.ts";
import { LineOutput, openInheritedOutput } from "../report/sinks/line-output.ts";
import { SinkService } from "../sinks/sink-service.ts";
import { AlertThrottling } from "./alert-throttling.ts";
import type { DaemonOptions } from "./daemon-options.ts";

export interface AlertOutlets {
	readonly ring: AlertRing;
	readonly sink: AlertSink;
	/** Other systems. */
	readonly sinks: SinkService;
	readonly throttle: AlertThrottling;
	/** Passes on what is queued and closes; logs how many alerts standard output had no room for until the end. */
	close(): Promise<void>;
}

const stdout = 1;

export async function openAlertOutlets(options: DaemonOptions): Promise<AlertOutlets> {
	const { log } = options;
	const config = options.config.alerts;
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
	const sinks = new SinkService({
		createWorker: () => options.createWorker("sinks"),
		stateDirectory: options.config.stateDir,
		version: options.build.version,
		log,
	});
	sinks.configure(config.sinks);
	const throttle = new AlertThrottling();
	const sink = new AlertSink({
		ring,
		stdout: lines,
		file,
		sinks,
		throttle,
		onFileState: (error) => {
			if (error === "") log.info("alerts are written to the file again", { file: config.file });
			else log.error("alerts cannot be written to the file", { file: config.file, error });
		},
	});
	return {
		ring,
		sink,
		sinks,
		throttle,
		async close() {
			throttle.stop();
			// What waits for nobody is closed first: the end of the process may not wait for receivers.
			const stopped = sinks.stop();
			const lost = lines?.close() ?? 0;
			opened?.close();
			if (lost > 0) log.warn("alerts are lost, as nobody reads standard output", { alerts: lost });
			file?.close();
			await stopped;
		},
	};
}
