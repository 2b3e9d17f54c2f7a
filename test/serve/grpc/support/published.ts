/** Alerts that are told apart by their numbers, and a port to ask for them. */

import { alertMessage } from "../../../../src/report/formats/feeder.ts";
import type { LogServer } from "../../../../src/serve/grpc/log-server.ts";
import { numbered } from "../../../sinks/support/settings.ts";

/** A port of this host that nobody has. */
export function freePort(): number {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	const { port } = listener;
	listener.stop(true);
	return port;
}

export function publish(server: LogServer, from: number, count: number): void {
	for (let number = from; number < from + count; number++)
		server.hub.publish("alerts", alertMessage(numbered(number)));
}

export const messages = (taken: readonly unknown[]) =>
	taken.map((each) => (each as { Message: string }).Message);
export const names = (from: number, count: number) =>
	Array.from({ length: count }, (_, index) => `alert ${from + index}`);
