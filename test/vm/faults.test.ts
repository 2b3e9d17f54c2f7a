/** Faults that only a kernel of one's own can show: no nf_tables, a clock that jumps, the OOM killer. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { block, policy, port } from "../system/support/case.ts";
import type { GuestProcess } from "./lab/agent.ts";
import { portwardFiles } from "./lab/portward.ts";
import { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";

setDefaultTimeout(180_000);

const blocks = (name: string, destination: number) =>
	policy(name, { action: "Block", ingress: [{ ports: [port("TCP", destination)] }] });

interface GuestAlert {
	readonly PolicyName: string;
	readonly Timestamp: number;
	readonly UpdatedTime: string;
	readonly EventData: Readonly<Record<string, string>>;
}

const portward = "/run/portward";

/** `portward run` with network policies, in a guest that has a neighbour: the network namespace "peer". */
class Guarded {
	process: GuestProcess | null = null;

	constructor(private readonly vm: Vm) {}

	async prepare(): Promise<void> {
		await this.vm.sh(`
			cp /host/portward ${portward}
			mkdir -p /etc/portward/policies
			echo 'enableKubeArmorHostPolicy: false' > /etc/portward/config.yaml
			modprobe veth
			# The shell's own ip knows no namespaces.
			ip=/usr/bin/ip
			$ip netns add peer
			$ip link add eth0 type veth peer name eth0 netns peer
			$ip address add 198.18.0.1/24 dev eth0
			$ip -netns peer address add 198.18.0.2/24 dev eth0
			$ip link set eth0 up
			$ip -netns peer link set eth0 up`);
	}

	/** Starts it, after some lines of shell. */
	start(before = ""): void {
		this.process = this.vm.spawn(`${before}\nexec ${portward} run`);
	}

	get log(): string {
		return this.process?.output().stderr ?? "";
	}

	get alerts(): readonly GuestAlert[] {
		const lines = (this.process?.output().stdout ?? "").split("\n").slice(0, -1);
		return lines.map((line): GuestAlert => JSON.parse(line));
	}

	async logged(text: string, times = 1): Promise<void> {
		await until(
			60_000,
			() => `${text} in the log:\n${this.log}`,
			() => this.log.split(text).length - 1 >= times,
		);
	}

	async enforced(times = 1): Promise<void> {
		await this.logged("info enforced", times);
	}

	/** Whether the neighbour reaches a port where nobody listens: it is refused, or hears nothing. */
	async passes(destination: number): Promise<boolean> {
		const { stderr } = await this.vm.run(
			`/usr/bin/ip netns exec peer curl --silent --show-error --connect-timeout 1 http://198.18.0.1:${destination}/`,
		);
		return !/timed out|timeout/iu.test(stderr);
	}

	/** What a path answers, and with which status. */
	async ask(path: string): Promise<string> {
		return await this.vm.sh(
			`curl --silent --write-out ' %{http_code}' --unix-socket /var/lib/portward/status.sock http://localhost${path}`,
		);
	}

	async status(): Promise<{
		enforcers: { network: { state: string; reason: string } };
		policies: { packets: number }[];
	}> {
		return JSON.parse(
			await this.vm.sh(
				`curl --silent --unix-socket /var/lib/portward/status.sock http://localhost/v1/status`,
			),
		);
	}

	/** The newest alert about a port, once there are so many. */
	async alert(destination: number, count: number): Promise<GuestAlert> {
		return await until(
			60_000,
			() => `alert ${count} about port ${destination}; there are ${JSON.stringify(this.alerts)}\n${this.log}`,
			() => {
				const found = this.alerts.filter(
					({ EventData }) => EventData.DestinationPort === String(destination),
				);
				return found.length >= count ? found.at(-1) : undefined;
			},
		);
	}
}

describe("in a guest", () => {
	let vm: Vm;
	let guest: Guarded;
	const files = mkdtempSync(join(tmpdir(), "portward-faults-"));
	beforeAll(async () => {
		// 200 000 blocks: a file of 9 MB.
		const many = Array.from({ length: 200_000 }, (_, index) =>
			block(`11.${(index >> 14) & 255}.${(index >> 6) & 255}.${(index << 2) & 255}/32`),
		);
		writeFileSync(join(files, "many"), policy("many", { action: "Block", ingress: [{ from: many }] }));
		vm = await Vm.boot({
			flavour: "fast",
			files: { ...portwardFiles(), many: join(files, "many") },
			memory: 1536,
		});
		guest = new Guarded(vm);
		await guest.prepare();
	}, 1_300_000);
	afterAll(async () => {
		rmSync(files, { recursive: true });
		await vm?.stop();
	});

	test("a kernel without nf_tables: it is said everywhere, and enforced once the kernel has it", async () => {
		await vm.sh(`
			mkdir -p /etc/modprobe.d
			echo 'install nf_tables /bin/false' > /etc/modprobe.d/none.conf
			rmmod nfnetlink_log nf_tables`);
		await vm.put("/etc/portward/policies/a.yaml", blocks("a", 81), 0o644);
		guest.start();
		await guest.logged("the network enforcer is unavailable");
		const { state, reason } = (await guest.status()).enforcers.network;
		expect([state, reason]).toEqual(["unavailable", expect.stringContaining("nf_tables")]);
		expect(await guest.ask("/readyz")).toMatch(/nf_tables.* 503$/su);
		expect(await guest.ask("/healthz")).toBe("ok\n 200");
		expect(await guest.ask("/metrics")).toContain('portward_enforcer_up{enforcer="network"} 0');
		expect(await guest.passes(81)).toBe(true);
		await vm.sh("rm /etc/modprobe.d/none.conf; modprobe -a nf_tables nfnetlink_log");
		guest.process?.kill(1);
		await guest.enforced();
		expect(await guest.passes(81)).toBe(false);
		expect(await guest.ask("/readyz")).toMatch(/^ready.* 200$/su);
		await guest.alert(81, 1);
	});

	test("a clock that jumps years ahead and back costs no alert, and each tells the time of its own", async () => {
		const packets = async () => (await guest.status()).policies.reduce((sum, one) => sum + one.packets, 0);
		let asked = guest.alerts.length;
		for (const [index, date] of [
			"2026-06-01 12:00:00",
			"2036-06-01 12:00:00",
			"2001-06-01 12:00:00",
		].entries()) {
			await vm.sh(`date -u -s '${date}'`);
			expect(await guest.passes(81)).toBe(false);
			asked += 1;
			const alert = await guest.alert(81, asked);
			expect(alert.UpdatedTime.slice(0, 15)).toBe(`${date.slice(0, 10)}T12:0`);
			expect(new Date(alert.Timestamp * 1000).toISOString().slice(0, 15)).toBe(`${date.slice(0, 10)}T12:0`);
			// An answer does not wait for the kernel's newest counters.
			await until(60_000, "the count", async () => (await packets()) > index || undefined);
			expect(await guest.ask("/readyz")).toMatch(/ 200$/u);
		}
		// What was read before the clock went back is read again after a change.
		await vm.put("/etc/portward/policies/b.yaml", blocks("b", 82), 0o644);
		await until(60_000, "the new policy", async () => !(await guest.passes(82)) || undefined);
	});

	test("a change that waits for its confirmation waits its seconds, whatever the clock says", async () => {
		await vm.sh("rm -rf /run/new && cp -a /etc/portward/policies /run/new");
		await vm.put("/run/new/c.yaml", blocks("c", 83), 0o644);
		const boottime = async () => Number(await vm.sh("cut -d' ' -f1 /proc/uptime"));
		const before = await boottime();
		const applied = await vm.run(`${portward} apply --policy-dir /run/new --confirm-within 20s`);
		expect(applied.code).toBe(0);
		const inForce = await boottime();
		expect(await guest.passes(83)).toBe(false);
		await vm.sh("date -u -s '2040-01-01 00:00:00'");
		expect(await guest.passes(83)).toBe(false);
		await vm.sh("date -u -s '1990-01-01 00:00:00'");
		expect(await guest.passes(83)).toBe(false);
		await until(60_000, "the rollback", async () => (await guest.passes(83)) || undefined);
		const now = await boottime();
		expect(now - before).toBeGreaterThanOrEqual(20);
		// Asking takes its time, and the emulated machine may be a slow one.
		expect(now - inForce).toBeLessThan(40);
	});

	test("killed for want of memory, it leaves every rule in force and its state whole; the next one goes on", async () => {
		guest.process?.kill(15);
		await guest.process?.exited;
		await vm.sh("rm -f /etc/portward/policies/*");
		await vm.put("/etc/portward/policies/a.yaml", blocks("a", 81), 0o644);
		await vm.sh("cd /sys/fs/cgroup; echo +memory > cgroup.subtree_control; mkdir portward");
		guest.start("echo $$ > /sys/fs/cgroup/portward/cgroup.procs");
		await guest.enforced();
		expect(await guest.passes(81)).toBe(false);
		await guest.alert(81, 1);
		// Policies that take more than is left.
		await vm.sh("cd /sys/fs/cgroup/portward; echo $(($(cat memory.current) + 30000000)) > memory.max");
		await vm.sh("cp /host/many /etc/portward/policies/many.json");
		await guest.process?.exited;
		expect(await vm.sh("grep -w oom_kill /sys/fs/cgroup/portward/memory.events")).toMatch(/oom_kill [1-9]/u);
		expect(await guest.passes(81)).toBe(false);
		expect(await vm.sh("ls -A /var/lib/portward")).not.toContain(".tmp");
		await vm.sh("rm /etc/portward/policies/many.json");
		await vm.put("/etc/portward/policies/a.yaml", "broken: [", 0o644);
		guest.start();
		await guest.enforced();
		// The last good version, from the state that the killed one left.
		expect(await guest.passes(81)).toBe(false);
		expect(guest.log).not.toMatch(/damaged|corrupt/u);
		expect((await guest.status()).policies[0]?.packets).toBeGreaterThan(1);
	});
});
