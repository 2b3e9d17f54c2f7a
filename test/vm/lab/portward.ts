import { executable } from "../../system/support/built.ts";
import type { GuestProcess } from "./agent.ts";
import type { Vm } from "./vm.ts";
import { until } from "./wait.ts";

/** To give to Vm.boot({ files }). */
export function portwardFiles(): { readonly portward: string } {
	return { portward: executable() };
}

/** The parts of an alert that tests look at. */
export interface GuestAlert {
	readonly Operation: string;
	readonly PolicyName: string;
	readonly Type: string;
	readonly Resource: string;
	readonly Action: string;
	readonly Result: string;
	readonly Message: string;
	readonly EventData: Readonly<Record<string, string>>;
}

export interface GuestDevice {
	readonly port: string;
	readonly state: string;
	readonly reason: string | null;
	readonly odd: readonly string[];
	readonly product: string | null;
	readonly functions: readonly {
		readonly className: string;
		readonly refused: boolean;
		readonly reason: string;
		readonly policy: string | null;
	}[];
}

/** A device policy of one action. */
export function devicePolicy(name: string, action: string, ...entries: readonly string[]): string {
	const list = entries.map((entry) => `    - ${entry}\n`).join("");
	return `apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata:
  name: ${name}
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
  action: ${action}
  device:
    matchDevice:
${list}`;
}

const directory = "/etc/portward/policies";

/**
 * For the daemon, in milliseconds. Under emulation on two quiet cores it starts within 10 s and reloads within 5 s where
 * a thread has to be started for that; on busy ones that becomes a minute.
 */
const patience = 150_000;

/** The shipped file, running in the guest. */
export class GuestDaemon {
	private process: GuestProcess | undefined;

	constructor(
		private readonly vm: Vm,
		/** Lines of the settings file. */
		private readonly settings = "",
	) {}

	/** Starts it with these policies, each its own file, and waits until it enforces them. */
	async start(policies: Readonly<Record<string, string>>): Promise<void> {
		// Run from memory: 100 MB read anew for every start take seconds.
		await this.vm.sh(`[ -e /run/portward ] || cp /host/portward /run/portward; mkdir -p ${directory}`);
		await this.vm.put(
			"/etc/portward/config.yaml",
			`enableNetworkPolicyEnforcer: false\nstatus: {detail: full}\n${this.settings}`,
			0o644,
		);
		await this.write(policies);
		const process = this.vm.spawn("exec /run/portward run");
		this.process = process;
		await this.logged(/USB enforced/, 0);
	}

	/** Replaces the policies and waits until the daemon has read them; what it then does takes its time. */
	async setPolicies(policies: Readonly<Record<string, string>>): Promise<void> {
		await this.write(policies);
		this.process?.kill(1);
		const files = Object.keys(policies).map((name) => `${directory}/${name}.yaml`);
		await until(
			patience,
			() => `the policies to be read\n${this.log()}`,
			async () => {
				const status: { policies: readonly { file: string; enforced: boolean }[] } = JSON.parse(
					await this.get("/v1/status"),
				);
				const enforced = status.policies.filter((policy) => policy.enforced).map((policy) => policy.file);
				return enforced.sort().join() === files.sort().join() && status.policies.length === files.length;
			},
		);
	}

	/** What it has logged so far. */
	log(): string {
		return this.process?.output().stderr ?? "";
	}

	/** What it has written to standard output so far: its alerts. */
	stdout(): string {
		return this.process?.output().stdout ?? "";
	}

	async logged(pattern: RegExp, mark = 0): Promise<void> {
		await until(
			patience,
			() => `${pattern} in the log:\n${this.log()}`,
			() => pattern.test(this.log().slice(mark)),
		);
	}

	alerts(): readonly GuestAlert[] {
		return this.stdout()
			.split("\n")
			.slice(0, -1)
			.map((line): GuestAlert => JSON.parse(line));
	}

	/** The first alert about a device that satisfies the condition. */
	alert(port: string, condition: (alert: GuestAlert) => boolean = () => true): Promise<GuestAlert> {
		return until(
			patience,
			() =>
				`an alert about ${port}; there are:\n${this.alerts()
					.map((alert) => JSON.stringify(alert))
					.join("\n")}`,
			() => this.alerts().find((alert) => alert.EventData.Port === port && condition(alert)),
		);
	}

	async get(path: string): Promise<string> {
		return this.vm.sh(`wget -qO- http://127.0.0.1:9755${path}`);
	}

	async devices(): Promise<readonly GuestDevice[]> {
		const answer: { devices: readonly GuestDevice[] } = JSON.parse(await this.get("/v1/usb/devices"));
		return answer.devices;
	}

	/** Waits until the daemon has come to this state with a device; the kernel's truth is another question. */
	async state(port: string, state: string): Promise<GuestDevice> {
		let last: readonly GuestDevice[] = [];
		return until(
			patience,
			() => `${port} to be ${state}; there are ${JSON.stringify(last)}\n${this.log()}`,
			async () => {
				last = await this.devices();
				return last.find((device) => device.port === port && device.state === state);
			},
		);
	}

	/** SIGTERM, or another signal; waits for the end. Milliseconds that took. */
	async stop(signal = 15): Promise<number> {
		const process = this.process;
		if (!process) return 0;
		this.process = undefined;
		const started = performance.now();
		process.kill(signal);
		await process.exited;
		return performance.now() - started;
	}

	signal(signal: number): void {
		this.process?.kill(signal);
	}

	private async write(policies: Readonly<Record<string, string>>): Promise<void> {
		await this.vm.sh(`rm -f ${directory}/*`);
		for (const [name, text] of Object.entries(policies))
			await this.vm.put(`${directory}/${name}.yaml`, text, 0o644);
	}
}
