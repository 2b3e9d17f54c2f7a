/** The control socket of this daemon: which verb is whose. */

import type { PeerCredentials } from "../../../ffi/peer.ts";
import type { Logger } from "../../report/log.ts";
import {
	type ControlReply,
	type ControlRequest,
	type ControlVerb,
	controlPath,
	type RequestOf,
} from "./control-protocol.ts";
import { ControlServer } from "./control-server.ts";

/** What carries out each verb. */
export type ControlVerbs = {
	readonly [Verb in ControlVerb]: (
		request: RequestOf<Verb>,
		peer: PeerCredentials,
	) => ControlReply | Promise<ControlReply>;
};

export class ControlService {
	readonly #verbs: ControlVerbs;
	readonly #path: string;
	readonly #log: Logger;
	#server: ControlServer | null = null;

	constructor(options: {
		readonly stateDirectory: string;
		readonly verbs: ControlVerbs;
		readonly log: Logger;
	}) {
		this.#verbs = options.verbs;
		this.#path = controlPath(options.stateDirectory);
		this.#log = options.log;
	}

	/** Listens. A daemon without the socket enforces all the same, and says so. */
	async start(): Promise<void> {
		const opened = await ControlServer.open({
			path: this.#path,
			perform: async (request, peer) => this.#perform(request, peer),
			failed: (error) =>
				this.#log.error("a bug in carrying out a request", {
					error: error instanceof Error ? (error.stack ?? error.message) : String(error),
				}),
		});
		if (opened.ok) this.#server = opened.server;
		else this.#log.warn("there is no control socket", { path: this.#path, reason: opened.error });
	}

	stop(): void {
		this.#server?.stop();
		this.#server = null;
	}

	#perform(request: ControlRequest, peer: PeerCredentials): ControlReply | Promise<ControlReply> {
		switch (request.verb) {
			case "apply":
				return this.#verbs.apply(request, peer);
			case "confirm":
				return this.#verbs.confirm(request, peer);
			case "rollback":
				return this.#verbs.rollback(request, peer);
			case "usb-allow":
				return this.#verbs["usb-allow"](request, peer);
			case "usb-hand":
				return this.#verbs["usb-hand"](request, peer);
			case "panic-open":
				return this.#verbs["panic-open"](request, peer);
			case "page":
				return this.#verbs.page(request, peer);
			case "reset-serial":
				return this.#verbs["reset-serial"](request, peer);
			case "reload":
				return this.#verbs.reload(request, peer);
			case "resume":
				return this.#verbs.resume(request, peer);
		}
	}
}
