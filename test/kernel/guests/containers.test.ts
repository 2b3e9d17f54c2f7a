import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import {
	Containers,
	containerLimits,
	containerOf,
	ipv4Addresses,
	ipv6Addresses,
} from "../../../src/kernel/guests/containers.ts";
import { Namespace, spawnBound } from "../../system/support/netns.ts";

const id = "0123456789abcdef".repeat(4);
const other = "f".repeat(64);

test.each([
	["Docker under systemd", `0::/system.slice/docker-${id}.scope`],
	["Docker with cgroups of its own", `5:pids:/docker/${id}\n0::/docker/${id}`],
	["Podman", `0::/machine.slice/libpod-${id}.scope/container`],
	["Podman without systemd", `4:memory:/libpod_parent/libpod-${id}`],
	["containerd", `0::/default/${id}`],
	["containerd for Kubernetes", `0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-${id}.scope`],
	[
		"containerd's own driver",
		`0::/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:${id}`,
	],
	["CRI-O", `0::/kubepods.slice/crio-${id}.scope`],
	["a container in a container", `0::/docker/${id}/docker/${other}`],
	["seen from another cgroup namespace", `0::/../../docker/${id}`],
])("a container's id is read out of the cgroups of %s", (_, text) => {
	expect(containerOf(text)).toBe(id);
});

test.each([
	["no container", "0::/system.slice/ssh.service"],
	["a digest within a name", `0::/user.slice/app${id}x.scope`],
	["too short a digest", `0::/docker/${id.slice(1)}`],
	["nothing", ""],
])("%s has no id", (_, text) => {
	expect(containerOf(text)).toBeNull();
});

test("no text makes reading throw", () => {
	const text = fc.array(
		fc.constantFrom("|-- ", "1.2.3.4", "/32 host LOCAL", "\n", "      ", id, "/", "f".repeat(32), " 02 "),
	);
	fc.assert(
		fc.property(
			fc.oneof(
				text.map((parts) => parts.join("")),
				fc.string(),
			),
			(given) => {
				for (const address of ipv4Addresses(given)) expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
				for (const address of ipv6Addresses(given)) expect(address).toContain(":");
				expect(containerOf(given) ?? id).toMatch(/^[0-9a-f]{64}$/);
			},
		),
	);
});

/** A namespace whose process is in a cgroup of this name, as an engine puts it. */
async function contained(name: string, ...commands: readonly string[]) {
	const network = await Namespace.create();
	for (const command of commands) network.run(["sh", "-ec", command]);
	const script = `
		mount -t tmpfs none /mnt; mkdir /mnt/cg
		mount -t cgroup2 none /mnt/cg 2>/dev/null || mount -t cgroup -o pids none /mnt/cg
		mkdir -p /mnt/cg/$0; echo $1 > /mnt/cg/$0/cgroup.procs; echo ready; read line
		echo $1 > /proc/$1/oom_score_adj 2>/dev/null; kill -9 $1
		while ! rmdir /mnt/cg/$0 2>/dev/null; do sleep 0.05; done`;
	const keeper = spawnBound(["unshare", "-m", "sh", "-c", script, name, `${network.pid}`]);
	const reader = keeper.stdout.getReader();
	const { value } = await reader.read();
	expect(new TextDecoder().decode(value)).toBe("ready\n");
	return {
		async end() {
			keeper.stdin.write("\n");
			keeper.stdin.flush();
			await keeper.exited;
			network[Symbol.dispose]();
		},
	};
}

test("the container that has an address is found, in its own network namespace alone", async () => {
	const addresses = ["ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up"];
	const add = "ip address add 192.0.2.77/24 dev v0; ip address add 2001:db8::77/64 dev v0 nodad";
	const container = await contained(`portward-test-${process.pid}-${id}`, ...addresses, add);
	try {
		let now = 0;
		const containers = new Containers(() => now, { ...containerLimits, scanMs: 10_000 });
		expect(containers.ownersOf("192.0.2.77")).toEqual([id]);
		expect(containers.ownersOf("2001:db8::77")).toEqual([id]);
		// Nobody has it; and the loopback's address is everybody's.
		now += 2000;
		expect(containers.ownersOf("192.0.2.78")).toEqual([]);
		now += 2000;
		expect(containers.ownersOf("127.0.0.1")).toEqual([]);
	} finally {
		await container.end();
	}
});

/** What of proc is looked at. */
class Proc implements Disposable {
	readonly path = mkdtempSync(join(tmpdir(), "portward-proc-"));

	constructor() {
		this.put(1, "0::/init.scope", []);
		symlinkSync("1", join(this.path, "thread-self"));
	}

	put(pid: number, cgroup: string, addresses: readonly string[]): void {
		const net = join(this.path, `${pid}`, "net");
		mkdirSync(net, { recursive: true });
		writeFileSync(join(this.path, `${pid}`, "cgroup"), cgroup);
		writeFileSync(join(net, "dev"), "");
		const leaves = addresses.map((address) => `     |-- ${address}\n        /32 host LOCAL\n`);
		writeFileSync(join(net, "fib_trie"), leaves.join(""));
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true });
	}
}

test("what shares the host's network, or is no container, owns nothing; who shares an address is named beside", () => {
	using proc = new Proc();
	proc.put(2, `0::/docker/${id}`, ["192.0.2.2"]);
	proc.put(3, `0::/docker/${other}`, ["192.0.2.2", "192.0.2.3"]);
	proc.put(4, "0::/user.slice", ["192.0.2.4"]);
	rmSync(join(proc.path, "thread-self"));
	symlinkSync("5", join(proc.path, "thread-self"));
	proc.put(5, `0::/docker/${"a".repeat(64)}`, ["192.0.2.5"]);
	const of = (address: string) => new Containers(() => 0, containerLimits, proc.path).ownersOf(address);
	expect(of("192.0.2.2")).toEqual([id, other]);
	expect(of("192.0.2.3")).toEqual([other]);
	expect(of("192.0.2.4")).toEqual([]);
	expect(of("192.0.2.5")).toEqual([]);
});

test("a scan is not repeated within its pause, nor for what is known", () => {
	using proc = new Proc();
	let now = 0;
	const limits = { ...containerLimits, pauseMs: 1000, lifeMs: 30_000 };
	const containers = new Containers(() => now, limits, proc.path);
	expect(containers.ownersOf("192.0.2.2")).toEqual([]);
	proc.put(2, `0::/docker/${id}`, ["192.0.2.2", "192.0.2.3"]);
	now = 999;
	expect(containers.ownersOf("192.0.2.3")).toEqual([]);
	now = 1000;
	expect(containers.ownersOf("192.0.2.3")).toEqual([id]);
	rmSync(join(proc.path, "2"), { recursive: true });
	now = 30_999;
	expect(containers.ownersOf("192.0.2.3")).toEqual([id]);
	now = 31_000;
	expect(containers.ownersOf("192.0.2.3")).toEqual([]);
});

test("a scan that takes too long goes on where it stopped", () => {
	using proc = new Proc();
	proc.put(2, "0::/a", []);
	proc.put(3, `0::/docker/${id}`, ["192.0.2.3"]);
	let now = 0;
	// Each look at the clock takes a millisecond.
	const limits = { ...containerLimits, pauseMs: 0, scanMs: 3, lifeMs: 30_000 };
	const containers = new Containers(() => now++, limits, proc.path);
	expect(containers.ownersOf("192.0.2.3")).toEqual([]);
	expect(containers.ownersOf("192.0.2.3")).toEqual([id]);
});
