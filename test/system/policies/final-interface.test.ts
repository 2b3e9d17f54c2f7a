/**
 * Where a packet leaves is known only behind all of `output`: other tables translate its destination there, or mark it
 * for another route. Interfaces, and what is loopback, are judged as they are in the end.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { sendDatagram } from "../support/datagram.ts";
import { eventually, Lab, type Link, Namespace, spawnBound } from "../support/netns.ts";

/** UDP ports. */
const own = 8080;
const refused = 4000;
const marked = 4001;
const shifted = 4002;
const plain = 4003;
const inward = 4004;

let lab: Lab;
let home: Home;
let daemon: Daemon;
let eth0: Link;
let eth1: Link;

/** What others do to this host's packets in `output`, also later than where filters are. */
const others = (remote4: string, remote6: string, local4: string, local6: string) => `
	table inet translations {
		chain early {
			type nat hook output priority -100;
			ip daddr ${local4} udp dport ${own} dnat ip to ${remote4}:${refused}
			ip6 daddr ${local6} udp dport ${own} dnat ip6 to [${remote6}]:${refused}
			ip daddr 203.0.113.9 udp dport ${shifted} dnat ip to 198.18.1.2
			ip daddr 203.0.113.9 udp dport ${inward} dnat ip to ${local4}
		}
		chain late {
			type nat hook output priority 100;
			ip daddr ${local4} udp dport ${own + 1} dnat ip to ${remote4}:${refused}
		}
		chain routes {
			type route hook output priority mangle;
			udp dport ${marked} meta mark set 1
			udp dport ${marked + 100} meta mark set 2
		}
	}`;

/** Counts what arrives at the peer, by port and interface. */
const watch = `
	table inet watch {
		set seen {
			typeof iifname . udp dport
			size 1000
			flags dynamic
			counter
		}
		chain arriving {
			type filter hook prerouting priority -300;
			meta l4proto udp add @seen { iifname . udp dport }
		}
	}`;

/** Datagrams that came to the peer on an interface and port. */
function arrived(link: Link, destination: number): number {
	const listing = lab.peer.run(["nft", "list", "set", "inet", "watch", "seen"]);
	const found = new RegExp(`"${link.peerName}" \\. ${destination} counter packets (\\d+)`).exec(listing);
	return Number(found?.[1] ?? 0);
}

/** How many more come when one is sent. A datagram is through when `send` returns: veth has no queue. */
function arrivals(link: Link, destination: number, send: () => void): number {
	const before = arrived(link, destination);
	send();
	return arrived(link, destination) - before;
}

beforeAll(async () => {
	lab = await Lab.create(["eth0", "eth1"]);
	home = new Home();
	eth0 = lab.link("eth0");
	eth1 = lab.link("eth1");
	lab.peer.nft(watch);
	lab.guarded.nft(others(eth0.remote4, eth0.remote6, eth0.local4, eth0.local6));
	lab.guarded.run(
		["ip", "-batch", "-"],
		`rule add fwmark 1 lookup 101
		route add default via ${eth1.remote4} dev eth1 table 101
		rule add fwmark 2 lookup 102
		route add default via ${eth0.remote4} dev eth0 table 102`,
	);
	// What is forwarded to and from guests is judged in `forward`; that `postrouting` spares it would not be seen.
	daemon = await Daemon.start(lab.guarded, { config: { guests: { forwarded: "off" } } }, home);
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	home[Symbol.dispose]();
	lab[Symbol.dispose]();
});

/** Puts one policy in force in place of the one before. */
async function enforce(spec: Readonly<Record<string, unknown>>): Promise<void> {
	await daemon.after(() => home.put("p.yaml", policy("p", spec)));
}

const packets = async () => (await daemon.status()).policies[0]?.packets ?? 0;

/** Waits for the policy's count, and lets some time go by in which it could grow. */
async function counts(expected: number): Promise<void> {
	await eventually(`${expected} packets`, async () => (await packets()) >= expected);
	await Bun.sleep(20);
	expect(await packets()).toBe(expected);
}

describe("loopback is what is local behind translation", () => {
	test("an own address that leads to a blocked remote is blocked, early and late, and told once", async () => {
		await enforce({ egress: [{ action: "Block", ports: [port("UDP", refused)] }] });
		for (const [address, destination] of [
			[eth0.local4, own],
			[eth0.local6, own],
			[eth0.local4, own + 1],
		] as const) {
			expect(arrivals(eth0, refused, () => sendDatagram(lab.guarded, { address, port: destination }))).toBe(
				0,
			);
		}
		await counts(3);
		const told = () => daemon.alerts.filter(({ PolicyName }) => PolicyName === "p").length;
		await eventually("three alerts", () => told() >= 3);
		expect(told()).toBe(3);
	});

	test("a remote address that leads to this host is loopback", async () => {
		await enforce({ egress: [{ action: "Block", to: [block("0.0.0.0/0")] }] });
		lab.guarded.nft(
			`table inet inside { chain in { type filter hook input priority 0; udp dport ${inward} counter; }; }`,
		);
		sendDatagram(lab.guarded, { address: "203.0.113.9", port: inward });
		expect(lab.guarded.run(["nft", "list", "table", "inet", "inside"])).toContain("packets 1 ");
		lab.guarded.run(["nft", "delete", "table", "inet", "inside"]);
		// The count may still be the one of the policy before.
		await eventually("a count of this policy", async () => (await packets()) === 0);
		await Bun.sleep(200);
		expect(await packets()).toBe(0);
	});
});

describe("rules of an interface", () => {
	test("a mark that leads to the blocked interface does not pass it (VPN kill switch)", async () => {
		await enforce({ egress: [{ action: "Block", iface: ["eth1"] }] });
		const address = "203.0.113.7";
		const sendTo = (destination: number) => () => sendDatagram(lab.guarded, { address, port: destination });
		expect(arrivals(eth1, marked, sendTo(marked))).toBe(0);
		await counts(1);
		expect(arrivals(eth0, plain, sendTo(plain))).toBe(1);
		await daemon.alert("the kill switch", (alert) => JSON.stringify(alert).includes('"eth1"'));
		expect(await packets()).toBe(1);
	});

	test("a translation that leads there neither, and a mark that leads away passes", async () => {
		await enforce({ egress: [{ action: "Block", iface: ["eth1"], ports: [port("UDP", 4000, 5000)] }] });
		const remote = { address: "203.0.113.9", port: shifted };
		expect(arrivals(eth1, shifted, () => sendDatagram(lab.guarded, remote))).toBe(0);
		await counts(1);
		const away = { address: eth1.remote4.replace(/2$/, "77"), port: marked + 100 };
		expect(arrivals(eth0, marked + 100, () => sendDatagram(lab.guarded, away))).toBe(1);
		expect(await packets()).toBe(1);
	});

	test("with an allow-list on one interface, each packet is counted at one rule", async () => {
		await enforce({
			egress: [
				{ action: "Audit", ports: [port("UDP", plain)] },
				{ action: "Block", iface: ["eth1"] },
			],
		});
		const remote = { address: eth0.remote4, port: plain };
		expect(arrivals(eth0, plain, () => sendDatagram(lab.guarded, remote))).toBe(1);
		await counts(1);
	});

	test("what the host sends for a tunnel, without a process, is judged as well", async () => {
		const tunnel = [
			"vx0",
			"type",
			"vxlan",
			"id",
			"5",
			"remote",
			eth1.remote4,
			"dev",
			"eth1",
			"dstport",
			"4789",
		];
		lab.guarded.run(["ip", "link", "add", ...tunnel]);
		lab.guarded.run(
			["ip", "-batch", "-"],
			"address add 198.51.100.1/24 dev vx0\nlink set vx0 up\nneighbour add 198.51.100.2 lladdr 02:00:00:00:00:01 dev vx0",
		);
		const through = () => sendDatagram(lab.guarded, { address: "198.51.100.2", port: plain });
		await enforce({ egress: [{ action: "Block", iface: ["eth9"] }] });
		expect(arrivals(eth1, 4789, through)).toBeGreaterThan(0);
		await enforce({ egress: [{ action: "Block", iface: ["eth1"] }] });
		expect(arrivals(eth1, 4789, through)).toBe(0);
		lab.guarded.run(["ip", "link", "delete", "vx0"]);
	});

	test("an address that is not this host's does not lead past them", async () => {
		await enforce({ egress: [{ action: "Block", iface: ["eth0"] }] });
		lab.guarded.sysctl({ "ipv6/ip_nonlocal_bind": "1" });
		const foreign = { localAddress: "2001:db8::77" };
		const send = () => sendDatagram(lab.guarded, { address: eth0.remote6, port: plain }, foreign);
		expect(arrivals(eth0, plain, send)).toBe(0);
		await counts(1);
	});

	test("what this host forwards, by routing or by a bridge, is not concerned", async () => {
		await enforce({ egress: [{ action: "Block", iface: ["eth1", "br0", "port*"] }] });
		using inner = await Namespace.create();
		using other = await Namespace.create();
		const { guarded } = lab;
		for (const [index, namespace] of [inner, other].entries()) {
			const pair = ["type", "veth", "peer", "name", "eth0", "netns", `${namespace.pid}`];
			guarded.run(["ip", "link", "add", `port${index}`, ...pair]);
			namespace.run(
				["ip", "-batch", "-"],
				`address add 192.0.2.${index + 2}/24 dev eth0\nlink set eth0 up\nroute add default via 192.0.2.1`,
			);
		}
		guarded.run(
			["ip", "-batch", "-"],
			"link add br0 type bridge forward_delay 0\naddress add 192.0.2.1/24 dev br0\nlink set br0 up\n" +
				"link set port0 master br0\nlink set port1 master br0\nlink set port0 up\nlink set port1 up",
		);
		guarded.sysctl({ "ipv4/ip_forward": "1", "bridge/bridge-nf-call-iptables": "1" });
		// The neighbours' first packets wait until they are found.
		await eventually("a way through the host", () => {
			sendDatagram(inner, { address: eth1.remote4, port: plain });
			return arrived(eth1, plain) > 0;
		});
		other.nft(watch);
		await eventually("a way through the bridge", () => {
			sendDatagram(inner, { address: "192.0.2.3", port: plain });
			return other.run(["nft", "list", "set", "inet", "watch", "seen"]).includes(`"eth0" . ${plain}`);
		});
		expect(await packets()).toBe(0);
		guarded.run(["ip", "link", "delete", "br0"]);
	});
});

test("the hook is there only while an egress rule names an interface", async () => {
	const chains = () => lab.guarded.run(["nft", "list", "chains"]);
	await enforce({ egress: [{ action: "Block", iface: ["eth1"] }] });
	expect(chains()).toContain("hook postrouting");
	await enforce({ ingress: [{ action: "Block", iface: ["eth1"] }] });
	await eventually("the hook's end", () => !chains().includes("hook postrouting"));
});

/** Sends to one port without a pause, from a process, until it is killed. */
const sender = `
const socket = await Bun.udpSocket({});
process.on("uncaughtException", () => {});
for (;;) {
	for (let i = 0; i < 20; i++) try { socket.send("x", Number(process.argv.at(-1)), process.argv.at(-2)); } catch {}
	await Bun.sleep(1);
}`;

test("moving from one hook to the other and back lets nothing through", async () => {
	const block = { action: "Block", ports: [port("UDP", refused)] };
	await enforce({ egress: [block] });
	const before = arrived(eth0, refused);
	const argv = [process.execPath, "-e", sender, "--", eth0.remote4, `${refused}`];
	const sending = spawnBound(lab.guarded.inside(argv));
	await eventually("refused packets", async () => (await packets()) > 100);
	for (let i = 0; i < 3; i++) {
		await enforce({ egress: [block, { action: "Block", iface: ["eth9"], ports: [port("UDP", 1 + i)] }] });
		await enforce({ egress: [block, { action: "Block", ports: [port("UDP", 100 + i)] }] });
	}
	sending.kill("SIGKILL");
	expect(arrived(eth0, refused)).toBe(before);
});
