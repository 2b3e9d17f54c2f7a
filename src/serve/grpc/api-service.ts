/**
 * The main thread's end of KubeArmor's log service: passes on what somebody watches to its thread, which is there only
 * while the settings want it, and knows what it said last. What the thread does not come to is dropped here and counted.
 */

import { apiRefusal, type KubearmorApiSettings } from "../../config/kubearmor-api.ts";
import { hostAddress } from "../../kernel/interface-routes.ts";
import type { HostIdentity } from "../../report/alert.ts";
import { type KubearmorApiState, unheardApi } from "../../report/kubearmor-api-status.ts";
import { formatLogText, type LogFields, type Logger } from "../../report/log.ts";
import type { AlertLine } from "../../report/sinks/alert-ring.ts";
import {
	type ApiCertificates,
	type FromApi,
	feedBits,
	handledPlace,
	sharedBytes,
	type ToApi,
	type WantedApi,
	watchedPlace,
} from "./protocol.ts";

/** Alerts and records on their way to the thread, beyond which the next ones are dropped. */
const mostUnderWay = 10_000;
const restartAfter = 5000;
/** Milliseconds for the thread to end its calls when the daemon stops. */
const endTime = 300;
/** Milliseconds for which the host's address is taken to be the same. */
const addressAge = 60_000;

export interface ApiServiceOptions {
	readonly createWorker: () => Worker;
	/** Whether the files of a certificate must be root's own. */
	readonly checkPermissions: boolean;
	readonly log: Logger;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	/** Milliseconds until a thread that ended is started again. */
	readonly restartAfter?: number;
}

export class ApiService {
	readonly #options: ApiServiceOptions;
	#wanted: WantedApi | null = null;
	#state: KubearmorApiState | null = null;
	#certificates: ApiCertificates = [];
	#worker: Worker | null = null;
	#shared = new Int32Array(new SharedArrayBuffer(sharedBytes));
	/** What was passed on to the thread of the moment, as a 32-bit number that wraps. */
	#passed = 0;
	/** Dropped on this side since the start. */
	#busy = 0;
	#host: Pick<HostIdentity, "clusterName" | "hostName"> | null = null;
	#address = { text: "", read: Number.NEGATIVE_INFINITY };
	#restartTimer: ReturnType<typeof setTimeout> | null = null;
	/** Ends the wait for the thread's last word. */
	#stopped: () => void = () => {};
	#stopping = false;

	constructor(options: ApiServiceOptions) {
		this.#options = options;
	}

	/** From now on the daemon's log goes to those who watch messages. */
	begin({ identity }: { readonly identity: Pick<HostIdentity, "clusterName" | "hostName"> }): void {
		this.#host = identity;
	}

	/** Null where it is switched off. */
	get state(): KubearmorApiState | null {
		if (this.#state === null) return null;
		const { dropped } = this.#state;
		return { ...this.#state, dropped: { ...dropped, busy: dropped.busy + this.#busy } };
	}

	/** The certificates in use, and when they end. */
	get certificates(): ApiCertificates {
		return this.#certificates;
	}

	/** Serves what the settings say, and takes over files that are others since. */
	configure(settings: KubearmorApiSettings): void {
		const { address, healthAddress } = settings;
		const refusal = apiRefusal(settings);
		if (address === null || refusal !== null) {
			this.#wanted = null;
			this.#certificates = [];
			this.#retire();
			this.#state =
				address === null || refusal === null
					? null
					: { ...unheardApi(address, healthAddress), state: "refused", error: refusal.message };
			if (refusal !== null)
				this.#options.log.error("KubeArmor's clients are refused; enforcement goes on", {
					reason: refusal.message,
					hint: refusal.hint,
				});
			return;
		}
		this.#wanted = { ...settings, address };
		const heard = this.#state?.address === address && this.#state.healthAddress === healthAddress;
		if (!heard || this.#state?.state === "refused") this.#state = unheardApi(address, healthAddress);
		if (this.#worker === null) this.#start();
		else this.#send({ kind: "configure", settings: this.#wanted });
	}

	/** Passes alerts on where somebody watches. Never throws, never waits. */
	write(alerts: readonly AlertLine[]): void {
		if (!this.#watches(feedBits.alerts | feedBits.logs)) return;
		const room = Math.max(0, mostUnderWay - this.#underWay);
		const lines = alerts.slice(0, room).map(({ json }) => json);
		this.#busy += alerts.length - lines.length;
		if (lines.length === 0) return;
		this.#send({ kind: "alerts", lines });
		this.#passed = (this.#passed + lines.length) | 0;
	}

	/** A logger that also tells those who watch messages. */
	telling(log: Logger): Logger {
		const at =
			(level: "INFO" | "WARN" | "ERROR", write: Logger["info"]) => (text: string, fields?: LogFields) => {
				write(text, fields);
				this.#record(level, text, fields);
			};
		return {
			info: at("INFO", (text, fields) => log.info(text, fields)),
			warn: at("WARN", (text, fields) => log.warn(text, fields)),
			error: at("ERROR", (text, fields) => log.error(text, fields)),
		};
	}

	/** Ends every call, and the thread. */
	async stop(): Promise<void> {
		this.#stopping = true;
		if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
		const worker = this.#worker;
		if (worker === null) return;
		const stopped = Promise.withResolvers<void>();
		this.#stopped = stopped.resolve;
		this.#send({ kind: "stop" });
		const timer = setTimeout(stopped.resolve, endTime);
		await stopped.promise;
		clearTimeout(timer);
		this.#worker = null;
		worker.terminate();
	}

	#record(level: "INFO" | "WARN" | "ERROR", text: string, fields: LogFields | undefined): void {
		if (this.#host === null || !this.#watches(feedBits.messages)) return;
		if (this.#underWay >= mostUnderWay) {
			this.#busy++;
			return;
		}
		const { clusterName, hostName } = this.#host;
		const time = (this.#options.now ?? Date.now)();
		const record = { time, level, message: formatLogText(text, fields) };
		this.#send({ kind: "record", record, host: { clusterName, hostName, address: this.#hostAddress() } });
		this.#passed = (this.#passed + 1) | 0;
	}

	/** Asked only while somebody watches. */
	#hostAddress(): string {
		const now = performance.now();
		if (now - this.#address.read > addressAge) this.#address = { text: hostAddress(), read: now };
		return this.#address.text;
	}

	#watches(bits: number): boolean {
		return this.#worker !== null && (Atomics.load(this.#shared, watchedPlace) & bits) !== 0;
	}

	get #underWay(): number {
		return (this.#passed - Atomics.load(this.#shared, handledPlace)) | 0;
	}

	#send(message: ToApi): void {
		this.#worker?.postMessage(message);
	}

	#start(): void {
		if (this.#wanted === null) return;
		const worker = this.#options.createWorker();
		const shared = new SharedArrayBuffer(sharedBytes);
		this.#worker = worker;
		this.#shared = new Int32Array(shared);
		this.#passed = 0;
		let reason = "it ended without a word";
		worker.onmessage = ({ data }: MessageEvent<FromApi>) => this.#hear(worker, data);
		worker.onerror = (event) => {
			event.preventDefault();
			reason = event.message;
		};
		worker.addEventListener("close", () => this.#gone(worker, reason), { once: true });
		this.#send({ kind: "start", shared, checkPermissions: this.#options.checkPermissions });
		this.#send({ kind: "configure", settings: this.#wanted });
	}

	/** Clients come back by themselves. */
	#gone(worker: Worker, reason: string): void {
		this.#stopped();
		if (this.#stopping || this.#worker !== worker) return;
		this.#worker = null;
		this.#options.log.error("the thread of KubeArmor's log service ended, and is started again", { reason });
		if (this.#state !== null)
			this.#state = { ...this.#state, state: "failing", error: "its thread ended", ...nobody };
		this.#restartTimer = setTimeout(() => {
			if (this.#worker === null) this.#start();
		}, this.#options.restartAfter ?? restartAfter);
	}

	#hear(worker: Worker, message: FromApi): void {
		if (message.kind === "stopped") {
			this.#stopped();
			return;
		}
		if (this.#state === null || this.#stopping || this.#worker !== worker) return;
		const before = this.#state;
		this.#state = { ...before, ...message.report };
		this.#certificates = message.certificates;
		this.#logChange(before, this.#state);
	}

	#logChange(before: KubearmorApiState, { state, error, address }: KubearmorApiState): void {
		const { log } = this.#options;
		if (state === "serving" && before.state !== "serving")
			log.info("KubeArmor's clients are served", { address });
		if (error === "" || (error === before.error && state === before.state)) return;
		if (state === "failing") log.error("KubeArmor's clients are not served", { address, reason: error });
		else log.error("KubeArmor's log service is not as its files say", { reason: error });
	}

	/** The settings want none any more. */
	#retire(): void {
		const worker = this.#worker;
		this.#worker = null;
		if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
		if (worker === null) return;
		// It removes its socket's file first, and is ended in any case.
		worker.postMessage({ kind: "stop" } satisfies ToApi);
		setTimeout(() => worker.terminate(), endTime).unref();
	}
}

const nobody = { connections: 0, subscribers: { alerts: 0, logs: 0, messages: 0 } };
