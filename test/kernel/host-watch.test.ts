import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";
import { HostWatch } from "../../src/kernel/host-watch.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork, until } from "../system/support/isolated.ts";

let network: IsolatedNetwork;
let told: string[];
let watch: HostWatch;
beforeEach(() => {
	network = enterIsolatedNetwork();
	told = [];
	watch = new HostWatch(
		{
			renamed: (hostname) => void told.push(`renamed ${hostname}`),
			network: () => void told.push("network"),
			modules: () => void told.push("modules"),
			waiting: () => false,
			warn: (message) => void told.push(`warn ${message}`),
		},
		10,
	);
});
afterEach(() => {
	watch.stop();
	network.leave();
});

test("links and forwarding are told when they change, and nothing while nothing does", async () => {
	watch.start();
	await Bun.sleep(60);
	expect(told).toEqual([]);
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	await until(() => told.includes("network"), "a new link");
	await Bun.sleep(30);
	told.length = 0;
	command("ip", "link", "add", "br0", "type", "bridge");
	command("ip", "link", "set", "d0", "master", "br0");
	await until(() => told.includes("network"), "a new master");
	await Bun.sleep(30);
	told.length = 0;
	command("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
	await until(() => told.includes("network"), "forwarding of IPv6");
	await Bun.sleep(30);
	told.length = 0;
	command("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/br0/forwarding");
	await until(() => told.includes("network"), "forwarding of one interface");
	expect(told.filter((what) => what !== "network")).toEqual([]);
});

test("of routes only a default one is told", async () => {
	command("ip", "link", "add", "d0", "type", "bridge");
	command("ip", "address", "add", "192.0.2.1/24", "dev", "d0");
	command("ip", "link", "set", "d0", "up");
	watch.start();
	await Bun.sleep(60);
	told.length = 0;
	command("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.2");
	await Bun.sleep(60);
	expect(told).toEqual([]);
	command("ip", "route", "add", "default", "via", "192.0.2.2");
	await until(() => told.includes("network"), "a default route");
	await Bun.sleep(30);
	told.length = 0;
	command("ip", "route", "del", "default");
	await until(() => told.includes("network"), "no default route");
});

test("more than the kernel keeps is told as a change, and what comes later is heard", async () => {
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	watch.start();
	await Bun.sleep(60);
	expect(told).toEqual([]);
	// Nobody reads meanwhile: the command blocks this thread.
	command(
		"sh",
		"-c",
		"for i in $(seq 1500); do echo link set d0 up; echo link set d0 down; done | ip -batch -",
	);
	await until(() => told.includes("network"), "what was lost");
	await Bun.sleep(100);
	told.length = 0;
	command("ip", "link", "add", "br0", "type", "bridge");
	await until(() => told.includes("network"), "a link after that");
	expect(told.filter((what) => what !== "network")).toEqual([]);
});

test("where rtnetlink cannot be opened that is told once, and it is tried again", async () => {
	let tries = 0;
	const events = { renamed() {}, modules() {}, waiting: () => false };
	watch = new HostWatch(
		{ ...events, network: () => void told.push("network"), warn: (message) => void told.push(message) },
		2,
		() => {
			tries += 1;
			return tries < 3
				? { ok: false, error: "no descriptor is left" }
				: NetlinkSocket.open({ protocol: NETLINK_ROUTE, groups: [1] });
		},
	);
	watch.start();
	await until(() => tries === 3, "the third try");
	expect(told.filter((what) => what !== "network")).toEqual([
		"changes of interfaces are noticed late: no descriptor is left",
	]);
	// Each try goes with a look at what was missed.
	expect(told.filter((what) => what === "network").length).toBeGreaterThanOrEqual(1);
	await Bun.sleep(30);
	told.length = 0;
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	await until(() => told.includes("network"), "a new link");
});

test("nothing is told any more once it has stopped", async () => {
	watch.start();
	watch.stop();
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	await Bun.sleep(40);
	expect(told).toEqual([]);
});

/** The sockets that this process has open, each by a name that no later one has. */
function sockets(): readonly string[] {
	return readdirSync("/proc/self/fd").flatMap((fd) => {
		try {
			const name = readlinkSync(`/proc/self/fd/${fd}`);
			return name.startsWith("socket:") ? [name] : [];
		} catch {
			return [];
		}
	});
}

test("stopped while more came than it takes in one burst, it keeps no socket", async () => {
	command("ip", "link", "add", "d0", "type", "bridge");
	command("ip", "address", "add", "192.0.2.1/24", "dev", "d0");
	command("ip", "link", "set", "d0", "up");
	const before = new Set(sockets());
	// Its bursts never end within the test.
	const patient = { renamed() {}, network() {}, modules() {}, waiting: () => false, warn() {} };
	watch = new HostWatch(patient, 600_000);
	watch.start();
	const own = new Set(sockets()).difference(before);
	expect(own.size).toBeGreaterThan(0);
	const routes = "echo route add 198.51.100.0/24 via 192.0.2.2; echo route del 198.51.100.0/24";
	for (let batch = 0; batch < 30; batch++) {
		command("sh", "-c", `for i in $(seq 30); do ${routes}; done | ip -batch -`);
		await Bun.sleep(2);
	}
	watch.stop();
	await until(() => !sockets().some((name) => own.has(name)), "the socket closed");
});
