/** The thread that sends alerts to other systems. The main thread never waits for it. */

import type { FromSinks, ToSinks } from "./protocol.ts";
import { SinkBoard } from "./sink-board.ts";

declare const self: Worker;

/** Milliseconds for which changes are gathered before they are told. */
const reportInterval = 500;

let handled = new Int32Array(new SharedArrayBuffer(4));
let timer: ReturnType<typeof setTimeout> | null = null;
/** One change of the settings after the other. */
let configured = Promise.resolve();

const board = new SinkBoard(() => {
	if (timer === null) timer = setTimeout(report, reportInterval);
});

function report(): void {
	timer = null;
	tell({ kind: "report", sinks: board.states, removed: board.takeRemoved() });
}

function tell(message: FromSinks): void {
	self.postMessage(message);
}

self.onmessage = ({ data }: MessageEvent<ToSinks>) => {
	switch (data.kind) {
		case "start":
			handled = new Int32Array(data.handled);
			break;
		case "configure":
			configured = configured.then(() => board.configure(data.configuration));
			break;
		case "alerts":
			// Alerts that came after a change of the settings are for the sinks that it makes.
			configured = configured.then(() => {
				board.offer(data.lines);
				Atomics.add(handled, 0, data.lines.length);
			});
			break;
		case "stop":
			void configured.then(async () => {
				await board.stop(data.milliseconds);
				tell({ kind: "stopped" });
			});
			break;
	}
};
