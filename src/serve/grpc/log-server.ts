/** KubeArmor's log service on the addresses of the settings. Loaded where the settings want it, by a thread of its own. */

import type { Socket } from "node:net";
// The server's own files: the package's index is the client as well, which is larger and never runs here.
import { LogVerbosity } from "@grpc/grpc-js/build/src/constants.js";
import { setLoggerVerbosity } from "@grpc/grpc-js/build/src/logging.js";
import { type ConnectionInjector, Server } from "@grpc/grpc-js/build/src/server.js";
import { ServerCredentials } from "@grpc/grpc-js/build/src/server-credentials.js";
import { numericAddress } from "../../config/kubearmor-api.ts";
import { parseListenAddress } from "../http/address.ts";
import { certificatesOf, type ServerTls } from "../http/certificate.ts";
import { readStatusFiles } from "../status-files.ts";
import { FeedHub } from "./feed-hub.ts";
import { ApiListener, type ListenerLimits } from "./listener.ts";
import type { ApiCertificates, ApiReport, WantedApi } from "./protocol.ts";
import { addHealthService, addLogService } from "./services.ts";

export interface LogServerLimits {
	readonly log: ListenerLimits;
	readonly health: ListenerLimits;
	/** Milliseconds between two attempts to listen. */
	readonly retry: number;
	/** Milliseconds for which a connection may have no call. */
	readonly idle: number;
}

const usualLimits: LogServerLimits = {
	log: { connections: 128, handshake: 5000, linger: 1000 },
	health: { connections: 16, handshake: 5000, linger: 1000 },
	retry: 10_000,
	idle: 60_000,
};

/** Bounds of gRPC itself. Requests are a word long. */
function options(limits: LogServerLimits) {
	return {
		"grpc.max_concurrent_streams": 16,
		"grpc.max_receive_message_length": 4096,
		// Who vanished without a word is noticed after a quarter of a minute.
		"grpc.keepalive_time_ms": 10_000,
		"grpc.keepalive_timeout_ms": 5000,
		"grpc.max_connection_idle_ms": limits.idle,
		"grpc.enable_channelz": 0,
	};
}

/** One address with a server behind it. */
interface Place {
	readonly listener: ApiListener;
	readonly address: string;
	readonly server: Server;
	listening: boolean;
}

export class LogServer {
	readonly hub: FeedHub;
	readonly #changed: () => void;
	readonly #checkPermissions: boolean;
	readonly #limits: LogServerLimits;
	#settings: WantedApi | null = null;
	#places: readonly Place[] = [];
	#tlsKey = "";
	/** Who had to sign the certificates of clients. */
	#clientCa: string | null = null;
	#certificates: ApiCertificates = [];
	#error = "";
	#errors = 0;
	#timer: ReturnType<typeof setTimeout> | null = null;

	/** @param changed called when `report` would say something else */
	constructor(changed: () => void, checkPermissions: boolean, limits: Partial<LogServerLimits> = {}) {
		this.#changed = changed;
		this.#checkPermissions = checkPermissions;
		this.#limits = { ...usualLimits, ...limits };
		this.hub = new FeedHub(changed);
		// What it has to say of clients is counted; the daemon's log is not for clients to fill.
		setLoggerVerbosity(LogVerbosity.NONE);
	}

	get report(): ApiReport {
		const { subscribers, sent, dropped } = this.hub.counts;
		const serving = this.#places.length > 0 && this.#places.every(({ listening }) => listening);
		return {
			state: serving ? "serving" : this.#error === "" ? "starting" : "failing",
			error: this.#error,
			connections: this.#places.reduce((sum, { listener }) => sum + listener.connections, 0),
			subscribers,
			sent,
			dropped,
			errors: this.#errors,
		};
	}

	/** The certificates in use. */
	get certificates(): ApiCertificates {
		return this.#certificates;
	}

	/** Where it listens: the ports, for those who asked for port 0. */
	get ports(): readonly number[] {
		return this.#places.map(({ listener }) => listener.port);
	}

	/** Serves what the settings say. The same settings mean that the files may be others; what is broken there changes nothing. */
	async configure(settings: WantedApi): Promise<void> {
		const before = this.#settings;
		const same =
			before !== null &&
			before.address === settings.address &&
			before.healthAddress === settings.healthAddress;
		this.#settings = settings;
		const serving = this.#places.length > 0 && this.#places.every(({ listening }) => listening);
		if (same && serving) this.#renew(settings);
		else {
			this.#closeAll();
			await this.#open();
		}
		this.#changed();
	}

	/** Ends every call and listens no more. */
	close(): void {
		this.#settings = null;
		this.#closeAll();
	}

	/** Takes over certificates. Connections that stand go on with theirs, but where another CA says who may read. */
	#renew(settings: WantedApi): void {
		const files = readStatusFiles(
			{ tls: settings.tls, tokenFile: null },
			this.#checkPermissions,
			"kubearmorApi",
		);
		if (!files.ok) {
			this.#error = `the files in use are kept: ${files.message}`;
			this.#errors++;
			return;
		}
		this.#error = "";
		if (files.tlsKey === this.#tlsKey) return;
		this.#tlsKey = files.tlsKey;
		this.#secure(files.tls);
	}

	#secure(tls: ServerTls | null): void {
		const clientCa = tls?.clientCa ?? null;
		const others = clientCa !== this.#clientCa;
		this.#clientCa = clientCa;
		const ours = this.#places.filter(({ address }) => !address.startsWith("unix:"));
		for (const { listener } of ours) {
			listener.secure(tls);
			if (others) listener.disconnect();
		}
		this.#certificates = tls === null || ours.length === 0 ? [] : certificatesOf("kubearmor-api", tls);
	}

	async #open(): Promise<void> {
		const settings = this.#settings;
		if (settings === null) return;
		const files = readStatusFiles(
			{ tls: settings.tls, tokenFile: null },
			this.#checkPermissions,
			"kubearmorApi",
		);
		if (!files.ok) {
			this.#fail(files.message);
			return;
		}
		const { address, healthAddress } = settings;
		if (this.#places.length === 0)
			this.#places = [
				this.#place(address, this.#limits.log, true),
				...(healthAddress === null ? [] : [this.#place(healthAddress, this.#limits.health, false)]),
			];
		this.#tlsKey = files.tlsKey;
		this.#secure(files.tls);
		const places = this.#places;
		const problems: string[] = [];
		for (const place of places) {
			const parsed = parseListenAddress(numericAddress(place.address));
			const problem = parsed.ok ? await place.listener.listen(parsed.address) : parsed.message;
			place.listening = problem === "";
			if (problem !== "") problems.push(`${place.address}: ${problem}`);
		}
		// Other settings may have come meanwhile.
		if (places !== this.#places) for (const place of places) shut(place);
		else if (problems.length > 0) {
			this.#closeAll();
			this.#fail(problems.join("; "));
		} else this.#error = "";
	}

	#fail(error: string): void {
		this.#error = error;
		this.#errors++;
		this.#timer = setTimeout(() => {
			void this.#open().then(this.#changed);
		}, this.#limits.retry);
		this.#timer.unref();
	}

	#place(address: string, limits: ListenerLimits, logs: boolean): Place {
		const server = new Server(options(this.#limits));
		if (logs) addLogService(server, this.hub);
		addHealthService(server);
		const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
		const listener = new ApiListener(
			{
				take: (socket) => inject(injector, socket),
				busy: () => this.hub.peers(),
				changed: (failed) => {
					if (failed) this.#errors++;
					this.#changed();
				},
			},
			limits,
		);
		return { listener, address, server, listening: false };
	}

	#closeAll(): void {
		if (this.#timer !== null) clearTimeout(this.#timer);
		this.#timer = null;
		for (const place of this.#places) shut(place);
		this.#places = [];
	}
}

function inject(injector: ConnectionInjector, socket: Socket): void {
	try {
		injector.injectConnection(socket);
	} catch {
		// It broke before it began.
		socket.destroy();
	}
}

function shut({ listener, server }: Place): void {
	listener.close();
	server.forceShutdown();
}
