import { Poller } from "../../ffi/wait.ts";

declare const self: Worker;

self.onmessage = ({ data }) => {
	const created = Poller.create([data]);
	self.postMessage(created.ok ? created.poller.wait(-1) : created);
};
