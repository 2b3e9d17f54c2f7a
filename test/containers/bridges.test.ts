/**
 * Bridges without an engine. `virbr0` is one of virtual machines, as libvirt and
 * LXD make it: EMULATED, with tap devices as its ports and the translations that
 * libvirt loads, but without a hypervisor. `vmbr0` is an uplink, as Proxmox makes
 * it: the host's own card is its port and the default route goes over it.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Daemon } from "../system/support/daemon.ts";
import type { spawnBound } from "../system/support/netns.ts";
import { answered, type Question, serve } from "./support/asking.ts";
import { Guest } from "./support/guest.ts";
import { enforced } from "./support/situations.ts";
import { addresses as a, World } from "./support/world.ts";

const gateway4 = "172.30.9.1";
const gateway6 = "fd00:30:9::1";
const guest4 = "172.30.9.2";
const guest6 = "fd00:30:9::2";
const gatewayLocal = "fe80::1";
const guestLocal = "fe80::2";
const other4 = "172.30.9.3";

/** What libvirt and a port that somebody forwards to a guest come to. */
const translations = `
table ip guests {
	chain before {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local tcp dport 5432 dnat to ${guest4}:5433
		fib daddr type local tcp dport 8443 dnat to ${guest4}:8443
		iifname "vmbr0" ip daddr ${a.host4} tcp dport 9080 dnat to ${a.beyond4}:80
	}
	chain after {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 172.30.9.0/24 ip daddr != 172.30.9.0/24 masquerade
	}
}
table ip6 guests {
	chain after {
		type nat hook postrouting priority srcnat; policy accept;
		ip6 saddr fd00:30:9::/64 ip6 daddr != fd00:30:9::/64 masquerade
	}
}
`;

type Row = readonly [title: string, question: () => Question, without: boolean, enforced: boolean];

let world: World;
let guest: Guest;
let other: Guest;
let daemon: Daemon;
const servers: ReturnType<typeof spawnBound>[] = [];

const from =
	(path: () => string, source: string | null, to: string, sourcePort = 0) =>
	(): Question => {
		const [protocol, address = "", port] = to.split(" ");
		return {
			from: path(),
			protocol: protocol === "udp" ? "udp" : "tcp",
			address,
			port: Number(port),
			...(source === null ? {} : { source, sourcePort }),
		};
	};
const outside = (source: string, to: string) => from(() => world.outside.path, source, to);
const beyond = (to: string) => from(() => world.beyond.path, null, to);
const fromGuest = (to: string) => from(() => guest.path, null, to);

const rows: readonly Row[] = [
	["allowed → forwarded to a guest", outside(a.allowed4, `tcp ${a.host4} 5432`), true, true],
	["a stranger → forwarded to a guest", outside(a.stranger4, `tcp ${a.host4} 5432`), true, false],
	["no rule for the port that is forwarded", outside(a.allowed4, `tcp ${a.host4} 8443`), true, false],
	["over the second link → forwarded to a guest", beyond(`tcp ${a.second4} 5432`), true, false],
	["allowed → a guest's address, a port with a rule", outside(a.allowed4, `tcp ${guest4} 5432`), true, true],
	["a stranger → a guest's address", outside(a.stranger4, `tcp ${guest4} 5432`), true, false],
	["a stranger → a guest's IPv6 address", outside(a.stranger6, `tcp ${guest6} 5432`), true, false],
	["a guest → outside", fromGuest(`tcp ${a.allowed4} 80`), true, true],
	["a guest → outside, IPv6", fromGuest(`tcp ${a.allowed6} 80`), true, true],
	["a guest → outside, blocked", fromGuest(`tcp ${a.allowed4} 8053`), true, false],
	["a guest → outside, blocked, IPv6", fromGuest(`tcp ${a.allowed6} 8053`), true, false],
	["a guest → outside over the second link, blocked", fromGuest(`udp ${a.beyond4} 53`), true, false],
	["a guest → its neighbour", fromGuest(`tcp ${other4} 6000`), true, true],
	["a guest → DNS on the bridge", fromGuest(`udp ${gateway4} 53`), true, true],
	["a guest → DHCP on the bridge", from(() => guest.path, guest4, `udp ${gateway4} 67`, 68), true, true],
	[
		"a guest → DHCPv6 on the bridge",
		from(() => guest.path, `${guestLocal}%eth0`, `udp ${gatewayLocal}%eth0 547`, 546),
		true,
		true,
	],
	["a guest → another port of the host", fromGuest(`tcp ${gateway4} 67`), true, false],
	["the host → a guest", from(() => world.path, null, `tcp ${guest4} 6000`), true, true],
	["an uplink's neighbour → DNS on the host", outside(a.stranger4, `udp ${a.host4} 53`), true, false],
	[
		"an uplink's neighbour → DHCP on the host",
		from(() => world.outside.path, a.stranger4, `udp ${a.host4} 67`, 68),
		true,
		false,
	],
	["routed from the uplink", outside(a.stranger4, `tcp ${a.beyond4} 8053`), true, true],
	["routed from the uplink, IPv6", outside(a.stranger6, `tcp ${a.beyond6} 8053`), true, true],
	["routed to the uplink", beyond(`tcp ${a.stranger4} 8053`), true, true],
	["routed to the uplink, IPv6", beyond(`udp ${a.stranger6} 53`), true, true],
	["translated from outside to outside", outside(a.stranger4, `tcp ${a.host4} 9080`), true, true],
];

beforeAll(async () => {
	world = await World.create();
	world.script(`
		echo 1 >/proc/sys/net/ipv4/ip_forward
		ip link add vmbr0 type bridge
		ip link set vmbr0 up
		ip address flush dev eth0
		ip link set eth0 master vmbr0
		ip address add ${a.host4}/24 dev vmbr0
		ip address add ${a.host6}/64 dev vmbr0 nodad
		ip route replace default via ${a.allowed4}
		ip route replace ::/0 via ${a.allowed6}
		ip link add virbr0 type bridge
		ip link set virbr0 up
		ip address add ${gateway4}/24 dev virbr0
		ip address add ${gateway6}/64 dev virbr0 nodad
		ip address add ${gatewayLocal}/64 dev virbr0 nodad
	`);
	world.run(["nft", "-f", "-"], translations);
	const shared = { bridge: "virbr0", gateway4, gateway6 };
	const ports = [5432, 5433, 6000, 8443];
	guest = await Guest.create(world, {
		...shared,
		port: "vnet0",
		address4: `${guest4}/24`,
		address6: `${guest6}/64`,
		ports,
	});
	guest.run(["ip", "address", "add", `${guestLocal}/64`, "dev", "eth0", "nodad"]);
	other = await Guest.create(world, {
		...shared,
		port: "vnet1",
		address4: `${other4}/24`,
		address6: "fd00:30:9::3/64",
		ports,
	});
	servers.push(await serve(world.inside([]), [53, 67, 547]));
	for (const namespace of [world.outside, world.beyond])
		servers.push(await serve(namespace.inside([]), [53, 80, 8053]));
});

afterAll(async () => {
	await daemon?.[Symbol.asyncDispose]();
	for (const server of servers) server.kill("SIGKILL");
	guest?.[Symbol.dispose]();
	other?.[Symbol.dispose]();
	await world?.[Symbol.asyncDispose]();
});

describe("a bridge of virtual machines, emulated, and an uplink that is a bridge", () => {
	let without: boolean[] = [];
	let judged: boolean[] = [];
	beforeAll(async () => {
		without = await answered(rows.map(([, question]) => question()));
		daemon = await Daemon.start(world, { policies: enforced, config: { guests: { forwarded: "enforce" } } });
		// What was opened over UDP would be established.
		world.run(["conntrack", "-F"]);
		judged = await answered(rows.map(([, question]) => question()));
	});

	test.each(rows.map((row, index) => [row[0], row, index] as const))("%s", (_, row, index) => {
		expect({ without: without[index], enforced: judged[index] }).toEqual({
			without: row[2],
			enforced: row[3],
		});
	});
});
