/** The thread that serves KubeArmor's clients. The main thread never waits for it. */

import { alertMessage, isLog, logMessage, recordMessage } from "../../report/formats/feeder.ts";
import { readAlert } from "../../report/formats/format.ts";
import { feeds } from "../../report/kubearmor-api-status.ts";
import { LogServer } from "./log-server.ts";
import { type FromApi, feedBits, handledPlace, sharedBytes, type ToApi, watchedPlace } from "./protocol.ts";

declare const self: Worker;

/** Milliseconds for which changes are gathered before they are told. */
const reportInterval = 500;

let shared = new Int32Array(new SharedArrayBuffer(sharedBytes));
let server: LogServer | null = null;
let timer: ReturnType<typeof setTimeout> | null = null;

function changed(): void {
	if (server === null) return;
	let watched = 0;
	for (const feed of feeds) if (server.hub.isWatched(feed)) watched |= feedBits[feed];
	// Seen by the main thread at once: the next alert is for who watches now.
	Atomics.store(shared, watchedPlace, watched);
	if (timer === null) timer = setTimeout(report, reportInterval);
}

function report(): void {
	timer = null;
	if (server === null) return;
	const { report, certificates } = server;
	tell({ kind: "report", report, certificates });
}

function tell(message: FromApi): void {
	self.postMessage(message);
}

function publish({ hub }: LogServer, lines: readonly string[]): void {
	for (const line of lines) {
		const alert = readAlert(line);
		if (alert === null) continue;
		if (isLog(alert)) {
			if (hub.isWatched("logs")) hub.publish("logs", logMessage(alert));
		} else if (hub.isWatched("alerts")) hub.publish("alerts", alertMessage(alert));
	}
}

self.onmessage = ({ data }: MessageEvent<ToApi>) => {
	switch (data.kind) {
		case "start":
			shared = new Int32Array(data.shared);
			server = new LogServer(changed, data.checkPermissions);
			break;
		case "configure":
			void server?.configure(data.settings).then(report);
			break;
		case "alerts":
			if (server !== null) publish(server, data.lines);
			Atomics.add(shared, handledPlace, data.lines.length);
			break;
		case "record":
			if (server?.hub.isWatched("messages"))
				server.hub.publish("messages", recordMessage(data.record, data.host));
			Atomics.add(shared, handledPlace, 1);
			break;
		case "stop":
			server?.close();
			server = null;
			tell({ kind: "stopped" });
			break;
	}
};
