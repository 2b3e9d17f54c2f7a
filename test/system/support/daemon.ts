/** The compiled executable as a daemon in a lab, with directories of its own. */

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { LimitCount } from "../../../src/enforcers/network/report/limit-counts.ts";
import type { Alert } from "../../../src/report/alert.ts";
import { executable } from "./built.ts";
import { eventually, type Namespace, spawnBound } from "./netns.ts";
import { lines } from "./probe.ts";

/** The parts of /v1/status that tests look at. */
export interface Status {
	readonly version: string;
	readonly hostname: string;
	readonly nodeLabels: Readonly<Record<string, string>>;
	readonly enforcers: {
		readonly network: {
			readonly state: "active" | "disabled" | "unavailable";
			readonly reason: string | null;
			readonly generation: number;
			readonly elements: number;
			readonly allowlistMode: { readonly ingress: boolean; readonly egress: boolean };
			readonly posture: string;
			readonly invalidPackets: { readonly ingress: number; readonly egress: number };
			readonly limits: readonly LimitCount[];
			readonly senders?: readonly { readonly name: string; readonly controlGroups: number | null }[];
			readonly failsafe: readonly {
				readonly direction: string;
				readonly index: number;
				readonly protocol: string | null;
				readonly cidr: string | null;
				readonly port: string | null;
				readonly interface: string | null;
				readonly packets: number;
				readonly bytes: number;
			}[];
		};
	};
	readonly confinement: {
		readonly systemCalls: { readonly active: boolean; readonly detail: string };
		readonly files: { readonly active: boolean; readonly detail: string };
		readonly writable: readonly string[];
	};
	readonly policies: readonly {
		readonly name: string;
		readonly kind: string;
		readonly file: string;
		readonly line: number;
		readonly selected: boolean;
		readonly enforced: boolean;
		readonly action: string;
		readonly packets: number;
		readonly bytes: number;
		readonly mode: "enforced" | "staged";
		readonly staged: {
			readonly evaluated: number;
			readonly wouldBlock: number;
			readonly sinceGeneration: number;
			readonly since: string;
		} | null;
		readonly diagnostics: readonly {
			readonly code: string;
			readonly severity: string;
			readonly message: string;
		}[];
	}[];
	readonly warnings: readonly unknown[];
}

export interface DaemonOptions {
	/** File name below the policy directory → content. */
	readonly policies?: Readonly<Record<string, string>>;
	/** Merged over the test's own settings. */
	readonly config?: Readonly<Record<string, unknown>>;
	readonly flags?: readonly string[];
	readonly env?: Record<string, string>;
	readonly cwd?: string;
	/** Put before the executable, such as strace and its options. */
	readonly under?: readonly string[];
}

/** The directories of one daemon; they outlive its restarts. */
export class Home implements Disposable {
	readonly path = mkdtempSync(join(tmpdir(), "portward-"));
	readonly policies = join(this.path, "policies");
	readonly state = join(this.path, "state");
	readonly socket = join(this.path, "status.sock");
	readonly config = join(this.path, "config.yaml");

	constructor() {
		mkdirSync(this.policies);
		mkdirSync(this.state);
		chmodSync(this.path, 0o700);
	}

	/** Puts a policy file in place as an editor would, with one rename; null deletes it. */
	put(name: string, content: string | null): void {
		const target = join(this.policies, name);
		if (content === null) {
			rmSync(target);
			return;
		}
		mkdirSync(dirname(target), { recursive: true });
		const staged = join(this.path, "staged");
		writeFileSync(staged, content);
		renameSync(staged, target);
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true, force: true });
	}
}

export class Daemon implements AsyncDisposable {
	readonly home: Home;
	readonly #process: ReturnType<typeof spawnBound>;
	readonly #ownsHome: boolean;
	readonly #alerts: Alert[] = [];
	#log = "";

	private constructor(home: Home, ownsHome: boolean, process: ReturnType<typeof spawnBound>) {
		this.home = home;
		this.#ownsHome = ownsHome;
		this.#process = process;
		void this.#readAlerts();
		void this.#readLog();
	}

	/** Starts `portward run` and returns at once. */
	static spawn(namespace: Pick<Namespace, "inside">, options: DaemonOptions = {}, home?: Home): Daemon {
		const place = home ?? new Home();
		for (const [name, content] of Object.entries(options.policies ?? {})) place.put(name, content);
		const config = {
			policyDir: place.policies,
			stateDir: place.state,
			status: { address: `unix:${place.socket}` },
			...options.config,
		};
		writeFileSync(place.config, JSON.stringify(config));
		const argv = [
			...(options.under ?? []),
			executable(),
			"run",
			"--config",
			place.config,
			...(options.flags ?? []),
		];
		const child = spawnBound(namespace.inside(argv), {
			...(options.env === undefined ? {} : { env: options.env }),
			...(options.cwd === undefined ? {} : { cwd: options.cwd }),
		});
		return new Daemon(place, home === undefined, child);
	}

	/** Starts `portward run` and returns when it enforces. */
	static async start(
		namespace: Pick<Namespace, "inside">,
		options: DaemonOptions = {},
		home?: Home,
	): Promise<Daemon> {
		const daemon = Daemon.spawn(namespace, options, home);
		try {
			await daemon.ready();
		} catch (error) {
			const log = daemon.log;
			await daemon[Symbol.asyncDispose]();
			throw new Error(`the daemon did not get ready: ${error}\n${log}`);
		}
		return daemon;
	}

	get pid(): number {
		return this.#process.pid;
	}

	/** Alerts on standard output so far. */
	get alerts(): readonly Alert[] {
		return this.#alerts;
	}

	/** Standard error so far. */
	get log(): string {
		return this.#log;
	}

	/** Waits for /readyz to say 200. */
	async ready(milliseconds = 60_000): Promise<void> {
		await eventually(
			"/readyz",
			async () => {
				if (this.#process.exitCode !== null) throw new Error(`it exited with ${this.#process.exitCode}`);
				const response = await this.get("/readyz").catch(() => null);
				return response?.status === 200;
			},
			milliseconds,
		);
	}

	/** Waits until the network enforcer is active, whether or not every policy could be enforced. */
	async active(milliseconds = 60_000): Promise<void> {
		await eventually(
			"an active enforcer",
			async () => {
				if (this.#process.exitCode !== null) throw new Error(`it exited: ${this.#log}`);
				const status = await this.status().catch(() => null);
				return status?.enforcers.network.state === "active";
			},
			milliseconds,
		);
	}

	get(path: string): Promise<Response> {
		return fetch(`http://localhost${path}`, { unix: this.home.socket });
	}

	async status(): Promise<Status> {
		const response = await this.get("/v1/status");
		const status: Status = JSON.parse(await response.text());
		return status;
	}

	/** Every sample of /metrics, such as `portward_drift_total` or `portward_enforcer_up{enforcer="network"}`. */
	async metrics(): Promise<Map<string, number>> {
		const text = await (await this.get("/metrics")).text();
		const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
		return new Map(
			samples.map((line) => {
				const end = line.lastIndexOf(" ");
				return [line.slice(0, end), Number(line.slice(end + 1))];
			}),
		);
	}

	/** The reloads that have ended, well or badly. */
	async reloads(): Promise<number> {
		const metrics = await this.metrics();
		let total = 0;
		for (const [name, value] of metrics) if (name.startsWith("portward_reloads_total")) total += value;
		return total;
	}

	/** Makes a change on disk and waits until the daemon has dealt with it. */
	async after(change: () => void): Promise<void> {
		const before = await this.reloads();
		change();
		await eventually("a reload", async () => (await this.reloads()) > before);
	}

	/** Waits for an alert that `wanted` accepts. */
	async alert(what: string, wanted: (alert: Alert) => boolean): Promise<Alert> {
		return await eventually(`an alert: ${what}`, () => this.#alerts.find(wanted));
	}

	/** Sends a signal and waits for the end; its exit code, or null after a signal that killed it. */
	async stop(signal: "SIGTERM" | "SIGINT" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
		this.#process.kill(signal);
		await this.#process.exited;
		return this.#process.exitCode;
	}

	signal(signal: NodeJS.Signals): void {
		this.#process.kill(signal);
	}

	/** Waits for it to end by itself. */
	async exited(): Promise<number> {
		return await this.#process.exited;
	}

	async #readAlerts(): Promise<void> {
		for await (const line of lines(this.#process.stdout)) {
			const alert: Alert = JSON.parse(line);
			this.#alerts.push(alert);
		}
	}

	async #readLog(): Promise<void> {
		const decoder = new TextDecoder();
		for await (const chunk of this.#process.stderr) this.#log += decoder.decode(chunk, { stream: true });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop("SIGKILL");
		if (this.#ownsHome) this.home[Symbol.dispose]();
	}
}
