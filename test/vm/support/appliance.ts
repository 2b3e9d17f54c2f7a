/** Portward in a Debian with systemd, installed as an operator does it, with the hammer beside it. */

import { trafficProgram } from "../../system/support/built.ts";
import { between, type FlowCount, type HammerReport } from "../lab/hammer.ts";
import { Vm } from "../lab/vm.ts";
import { until } from "../lab/wait.ts";

/** What the hammer sends to; `hammered` blocks the one, and nothing speaks of the other. */
const blockedPort = 9001;
const allowedPort = 9002;

const directory = "/etc/portward/policies";

/** A network policy for this host; `spec` in YAML, two spaces indented. */
export function networkPolicy(name: string, spec: string): string {
	return `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: ${name}
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
${spec}`;
}

const both = `  - action: Block
    ports:
    - { protocol: TCP, port: "${blockedPort}" }
    - { protocol: UDP, port: "${blockedPort}" }
`;

/** Blocks what the hammer sends to the one of its ports: TCP and UDP, IPv4 and IPv6, in and out. */
export const hammered = networkPolicy("hammered", `  ingress:\n${both}  egress:\n${both}`);

/** What the hammer's blocked packets would have the journal take: 500 alerts a second. */
export const quiet = "alerts: { stdout: false }\n";

/** What became of the hammer's packets over the late link while something went on. */
export interface Phase {
	readonly blocked: FlowCount;
	readonly allowed: FlowCount;
	/** Allowed packets that were sent and never came. */
	readonly lost: number;
	/** Longest time without sending, in milliseconds. */
	readonly gap: number;
	/** How long it lasted, in milliseconds. */
	readonly duration: number;
}

const settling = 5;
const lateBlocked = /^late\/.*\/blocked\//;
const lateAllowed = /^late\/.*\/allowed\//;

/** Allowed packets under way or lost at the time of a report; the least of several is what is lost. */
function deficit(reports: readonly HammerReport[]): number {
	return Math.min(
		...reports.map((report) => {
			const counts = [...report.flows].filter(([name]) => lateAllowed.test(name)).map(([, count]) => count);
			return counts.reduce((sum, { sent, arrived }) => sum + sent - arrived, 0);
		}),
	);
}

/** Sums up reports of one boot, all with the late link up. */
function phaseOf(reports: readonly HammerReport[]): Phase {
	const first = reports[0];
	const last = reports.at(-1);
	if (!first || !last || reports.length < 2 * settling) throw new Error("the hammer said too little");
	if (first.boot !== last.boot) throw new Error("reports of more than one boot");
	return {
		blocked: between(first, last, lateBlocked),
		allowed: between(first, last, lateAllowed),
		lost: deficit(reports.slice(-settling)) - deficit(reports.slice(0, settling)),
		gap: Math.max(...reports.slice(1).map(({ gap }) => gap)) / 1000,
		duration: (last.at - first.at) / 1000,
	};
}

/** A reboot under the hammer. Times in milliseconds of the new boot's CLOCK_BOOTTIME. */
export interface Reboot {
	/** From before the order to reboot to the machine's end. */
	readonly shutdown: Phase;
	/** From the hammer's last report to the kernel's last word, in milliseconds. */
	readonly silence: number;
	/** From the moment the late link was up until the agent was ready, and a little more. */
	readonly boot: Phase;
	readonly linkUp: number;
	readonly agentReady: number;
	/** When the last blocked packet came over the early link, which was up before anything was loaded. */
	readonly lastEarly: number;
	/** How many did. */
	readonly early: FlowCount;
}

/** Portward's unit as systemd sees it. */
export interface UnitState {
	readonly active: string;
	readonly pid: number;
	readonly restarts: number;
	/** Milliseconds of CLOCK_MONOTONIC. */
	readonly since: number;
}

export class Appliance implements AsyncDisposable {
	private constructor(readonly vm: Vm) {}

	/** A guest that finds these files under /host, and has started all that it starts. */
	static async boot(files: Readonly<Record<string, string>>): Promise<Appliance> {
		const vm = await Vm.boot({
			flavour: "real",
			files: { ...files, traffic: trafficProgram() },
			memory: 2048,
		});
		await vm.systemReady();
		return new Appliance(vm);
	}

	/** Installs the release under /host/release from its folder, with these settings. */
	async install(settings: string): Promise<void> {
		const { vm } = this;
		await vm.sh("mkdir -p /etc/portward");
		await vm.put("/etc/portward/config.yaml", settings);
		await vm.sh("sh /host/release/install.sh --public-key /host/public.pem", { timeout: 300_000 });
		await this.ready();
	}

	/** Starts the hammer, in this boot and in every one to come. */
	async hammer(): Promise<void> {
		const { vm } = this;
		await vm.sh("install -D /host/traffic /usr/local/lib/lab/traffic");
		// Not ended by a shutdown: no DefaultDependencies, and systemd's last round spares what has an "@" in front.
		await vm.put(
			"/etc/systemd/system/lab-hammer.service",
			`[Unit]
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
[Service]
ExecStart=@/usr/local/lib/lab/traffic @traffic hammer lab.hammer ${blockedPort} ${allowedPort}
ExecStartPost=/bin/sh -c 'until [ -e /sys/class/net/late ]; do sleep 0.02; done'
[Install]
WantedBy=sysinit.target
`,
		);
		// Ordered as network managers are.
		await vm.put(
			"/etc/systemd/system/lab-link.service",
			`[Unit]
DefaultDependencies=no
Wants=network-pre.target
After=network-pre.target lab-hammer.service
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip link set late up
[Install]
WantedBy=sysinit.target
`,
		);
		await vm.sh("systemctl enable --now lab-hammer lab-link");
		await this.reports();
	}

	/** Ends the hammer and removes its units. */
	async hush(): Promise<void> {
		await this.vm.sh(`systemctl disable --now lab-link lab-hammer
			rm -r /etc/systemd/system/lab-*.service /usr/local/lib/lab; systemctl daemon-reload`);
	}

	/** Waits until the hammer has reported a few times, all with the late link up. */
	private async reports(): Promise<void> {
		const { hammer } = this.vm;
		const mark = hammer.mark();
		const enough = () => hammer.since(mark).filter(({ up }) => up).length >= settling;
		await until(60_000, "the hammer", enough, 20);
	}

	/** What the hammer saw while `action` went on. */
	async during(action: () => Promise<unknown>): Promise<Phase> {
		const mark = this.vm.hammer.mark();
		await this.reports();
		await action();
		await this.reports();
		return phaseOf(this.vm.hammer.since(mark));
	}

	/** Reboots and waits for the agent; `meanwhile` runs as soon as the new boot has a network. */
	async reboot(meanwhile: () => Promise<unknown> = async () => {}): Promise<Reboot> {
		const { vm } = this;
		const mark = vm.hammer.mark();
		await this.reports();
		// The kernel's log has a clock of its own.
		const [, logged = "", clock = ""] =
			/\[ *([\d.]+)\] lab-clock\n([\d.]+)/.exec(
				await vm.sh("echo lab-clock > /dev/kmsg; dmesg | tail -n 1; cut -d ' ' -f 1 /proc/uptime"),
			) ?? [];
		const old = vm.hammer.items.at(-1)?.boot;
		const written = vm.console().length;
		await vm.reboot();
		const end = /\[ *([\d.]+)\] reboot: Restarting system/.exec(vm.console().slice(written));
		const before = vm.hammer.since(mark).filter(({ boot }) => boot === old);
		const after = () => vm.hammer.since(mark).filter(({ boot }) => boot !== old);
		const linked = () => after().filter(({ up }) => up);
		await until(120_000, "the late link", () => linked().length > 0, 20);
		await meanwhile();
		await this.ready();
		await this.reports();
		const reports = after();
		const [first, last] = [reports[0], reports.at(-1)];
		if (!first || !last) throw new Error("the hammer said nothing");
		const early = (from: HammerReport, to: HammerReport) => between(from, to, /^early\//);
		const came = reports.filter((report, index) => early(reports[index - 1] ?? report, report).arrived > 0);
		return {
			shutdown: phaseOf(before),
			silence: (Number(end?.[1]) - Number(logged) + Number(clock)) * 1000 - (before.at(-1)?.at ?? 0) / 1000,
			boot: phaseOf(linked()),
			linkUp: (linked()[0]?.at ?? 0) / 1000,
			agentReady: (await this.unit("portward")).since,
			lastEarly: (came.at(-1)?.at ?? 0) / 1000,
			early: early(first, last),
		};
	}

	/** Writes policies, each its own file, and waits until the agent enforces these and no others. */
	async policies(policies: Readonly<Record<string, string>>): Promise<void> {
		for (const [name, text] of Object.entries(policies)) await this.vm.put(`${directory}/.${name}.new`, text);
		await this.vm.sh(
			`cd ${directory}; rm -f *.yaml; for f in .*.new; do [ ! -e "$f" ] || { f=\${f#.}; mv ".$f" "\${f%.new}.yaml"; }; done`,
		);
		const wanted = Object.keys(policies).map((name) => `${directory}/${name}.yaml`);
		await this.enforced(wanted);
		// What is in force is kept for the next boot a moment later.
		for (const [name, text] of Object.entries(policies))
			if (text.includes("KubeArmorNetworkPolicy"))
				await this.vm.waitFor(`grep -qw ${name} /var/lib/portward/boot.json`);
	}

	/** Waits until exactly these files are in force. */
	async enforced(files: readonly string[]): Promise<void> {
		let last = "";
		await until(
			60_000,
			() => `${files} to be in force; last: ${last}`,
			async () => {
				const { code, stdout } = await this.vm.run(
					"curl -s --unix-socket /var/lib/portward/status.sock http://localhost/v1/status",
				);
				if (code !== 0) return false;
				last = stdout;
				const status: { policies: readonly { file: string; enforced: boolean }[] } = JSON.parse(stdout);
				const enforced = status.policies.filter((policy) => policy.enforced).map((policy) => policy.file);
				if (enforced.sort().join() !== [...files].sort().join()) return false;
				// The status knows what has been read; the log comes when the kernel has it.
				const log = await this.vm.run(
					"journalctl -b -u portward -o cat -n 100 --no-pager | grep result= | tail -n 1",
				);
				last = log.stdout;
				return last.includes(`policies=${files.length} `);
			},
		);
	}

	/** Kills the agent and waits until systemd has started the next one, which is ready. */
	async kill(): Promise<void> {
		const { pid } = await this.unit("portward");
		await this.vm.sh(`kill -KILL ${pid}`);
		await this.ready(pid);
	}

	async unit(name: string): Promise<UnitState> {
		const text = await this.vm.sh(
			`systemctl show -p ActiveState,MainPID,NRestarts,ActiveEnterTimestampMonotonic ${name}`,
		);
		const values = new Map(text.split("\n").map((line) => line.split("=") as [string, string]));
		return {
			active: values.get("ActiveState") ?? "",
			pid: Number(values.get("MainPID")),
			restarts: Number(values.get("NRestarts")),
			since: Number(values.get("ActiveEnterTimestampMonotonic")) / 1000,
		};
	}

	/** Waits until systemd knows from the agent itself that it is ready; another process than `than`. */
	async ready(than = 0): Promise<UnitState> {
		let last: UnitState | undefined;
		return await until(
			300_000,
			() => `portward.service to be ready; last: ${JSON.stringify(last)}`,
			async () => {
				last = await this.unit("portward");
				return last.active === "active" && last.pid !== than ? last : undefined;
			},
			200,
		);
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.vm.stop();
	}
}
