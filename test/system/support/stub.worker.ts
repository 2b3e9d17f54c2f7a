/** An observing Worker that behaves as its settings say. */

import { Poller } from "../../../ffi/wait.ts";
import type { ObserverStart } from "../../../src/observe/observer-protocol.ts";

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<ObserverStart<string>>) => {
	if (data.settings === "exit") process.exit(0);
	if (data.settings === "throw") throw new Error("a bug");
	if (data.settings === "fail") {
		self.postMessage({ kind: "failed", error: "out of luck" });
		process.exit(0);
	}
	self.postMessage({ kind: "ready" });
	const handled = new Int32Array(data.handled);
	if (data.settings === "count") {
		while (Atomics.load(handled, 0) === 0);
		self.postMessage({ kind: "echo", handled: Atomics.load(handled, 0) });
	}
	const polling = Poller.create([data.stopFd]);
	if (!polling.ok) throw new Error(polling.error);
	do polling.poller.wait(-1);
	while (data.settings === "deaf");
	self.postMessage({ kind: "stopped" });
	process.exit(0);
};
