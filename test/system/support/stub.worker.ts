/** An observing Worker that behaves as its settings say. */

import { EventFd, Poller } from "../../../ffi/wait.ts";
import type { ObserverStart } from "../../../src/threads/observer-protocol.ts";

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
	const deaf = EventFd.create();
	if (!deaf.ok) throw new Error(deaf.error);
	const polling = Poller.create([data.settings === "deaf" ? deaf.event.fd : data.stopFd]);
	if (!polling.ok) throw new Error(polling.error);
	polling.poller.wait(-1);
	self.postMessage({ kind: "stopped" });
	process.exit(0);
};
