/** Opens everywhere that alerts go: memory, stdout, the file, other systems, KubeArmor's clients. */

import { sendNow } from "../../ffi/stream.ts";
import type { Config } from "../config/model.ts";
import type { Logger } from "../report/log.ts";
import type { SinkState } from "../report/sink-status.ts";
import { AlertFile } from "../report/sinks/alert-file.ts";
import { AlertRing } from "../report/sinks/alert-ring.ts";
import { AlertSink } from "../report/sinks/alert-sink.ts";
import { LineOutput, openInheritedOutput } from "../report/sinks/line-output.ts";
import { ApiService } from "../serve/grpc/api-service.ts";
import { SinkService, type SinkTelling } from "../sinks/sink-service.ts";
import { AlertThrottling } from "./alert-throttling.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { type ReceiverJudge, ReceiverMonitor } from "./monitors/receiver-monitor.ts";

export interface AlertOutlets {
	readonly ring: AlertRing;
	readonly sink: AlertSink;
	/** Other systems. */
	readonly sinks: SinkService;
	/** KubeArmor's log service. */
	readonly api: ApiService;
	readonly throttle: AlertThrottling;
	/** What is known of each sink. */
	readonly sinkStates: readonly SinkState[];
	/** From now on who takes alerts tells of himself, and the policies are asked whether they cut sinks off. */
	begin(telling: SinkTelling & { readonly policies: ReceiverJudge }): void;
	/** Other policies are about to be in force. Never rejects. */
	policiesRead(): Promise<void>;
	/** Routes may lead elsewhere. Never rejects. */
	routesChanged(): Promise<void>;
	/** Takes over settings of what can change while the daemon runs, and files that are others since. */
	configure(config: Pick<Config, "alerts" | "kubearmorApi">): void;
	/** Passes on what is queued and closes; logs how many alerts standard output had no room for until the end. */
	close(): Promise<void>;
}

const stdout = 1;

/** Null where the settings name none. One that cannot be written yet is tried again. */
function openFile({ file: path, fileMaxBytes, fileKeep }: Config["alerts"], log: Logger): AlertFile | null {
	if (path === null) return null;
	const file = new AlertFile({ path, maxBytes: fileMaxBytes, keep: fileKeep });
	const error = file.open();
	if (error !== "") log.error("alerts cannot be written to the file yet", { file: path, error });
	return file;
}

export async function openAlertOutlets(options: DaemonOptions): Promise<AlertOutlets> {
	const { log } = options;
	const config = options.config.alerts;
	const ring = new AlertRing(config.buffer);
	const opened = config.stdout ? openInheritedOutput(stdout, sendNow) : null;
	const lines = opened && new LineOutput(opened.write);
	const file = openFile(config, log);
	let receivers: ReceiverMonitor | null = null;
	const sinks = new SinkService({
		createWorker: () => options.createWorker("sinks"),
		stateDirectory: options.config.stateDir,
		version: options.build.version,
		log,
		addressed: () => void receivers?.look(),
	});
	const api = new ApiService({
		createWorker: () => options.createWorker("grpc"),
		checkPermissions: options.checkPermissions,
		log,
	});
	const configure: AlertOutlets["configure"] = ({ alerts, kubearmorApi }) => {
		sinks.configure(alerts.sinks);
		api.configure(kubearmorApi);
	};
	configure(options.config);
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
	// What its clients miss is counted there, by client.
	sink.subscribe((lines) => {
		api.write(lines);
		return 0;
	});
	return {
		ring,
		sink,
		sinks,
		api,
		throttle,
		get sinkStates() {
			return sinks.states.map((state) => ({ ...state, blocked: receivers?.blocked.get(state.name) ?? "" }));
		},
		begin(telling) {
			const judge = telling.policies;
			receivers = new ReceiverMonitor({
				...{ judge, log, settings: () => sinks.wanted, states: () => sinks.states },
			});
			sinks.begin(telling);
			api.begin(telling);
		},
		policiesRead: async () => receivers?.policiesRead(),
		routesChanged: async () => receivers?.look(),
		configure,
		async close() {
			throttle.stop();
			// What waits for nobody is closed first: the end of the process may not wait for receivers.
			const stopped = Promise.all([sinks.stop(), api.stop()]);
			const lost = lines?.close() ?? 0;
			opened?.close();
			if (lost > 0) log.warn("alerts are lost, as nobody reads standard output", { alerts: lost });
			file?.close();
			await stopped;
		},
	};
}
