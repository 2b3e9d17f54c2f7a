/** Alerts of published ports with the port that the sender asked for: many kernels tell it, as Debian's does, but not every one. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { policy, port } from "../system/support/case.ts";
import { Vm } from "./lab/vm.ts";

setDefaultTimeout(180_000);

const repository = new URL("../../", import.meta.url).pathname;

let vm: Vm;

beforeAll(async () => {
	vm = await Vm.boot({ flavour: "fast", files: { portward: `${repository}dist/portward` } });
	await vm.sh(`
		set -e
		export ip=/usr/bin/ip # busybox has one, too
		for name in peer guest; do
			unshare -n sleep 100000 > /dev/null 2>&1 &
			echo $! > /tmp/$name
		done
		sleep 0.2
		$ip link set lo up
		$ip link add eth0 type veth peer name eth0 netns $(cat /tmp/peer)
		$ip link add docker0 type bridge
		$ip link add v0 type veth peer name eth0 netns $(cat /tmp/guest)
		$ip link set v0 master docker0
		for name in eth0 docker0 v0; do $ip link set $name up; done
		$ip addr add 192.0.2.1/24 dev eth0; $ip addr add 172.17.0.1/24 dev docker0
		$ip addr add 2001:db8::1/64 dev eth0 nodad; $ip addr add fd17::1/64 dev docker0 nodad
		at() {
			nsenter -t $(cat /tmp/$1) -n sh -ec "
				$ip addr add $2 dev eth0; $ip addr add $3 dev eth0 nodad; $ip link set eth0 up
				$ip route add default via $4; $ip route add ::/0 via $5"
		}
		at peer 192.0.2.2/24 2001:db8::2/64 192.0.2.1 2001:db8::1
		at guest 172.17.0.2/24 fd17::2/64 172.17.0.1 fd17::1
		echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
		nft -f - << 'X'
		table inet engine {
			chain destinations {
				type nat hook prerouting priority -100
				tcp dport 15432 dnat ip to 172.17.0.2:5433
				tcp dport 15432 dnat ip6 to [fd17::2]:5433
			}
		}
X
		mkdir -p /root/policies /root/state
		cp /host/portward /root/portward`);
	const blocked = policy("db", { action: "Block", ingress: [{ ports: [port("TCP", 15_432)] }] });
	await vm.put("/root/policies/p.yaml", blocked, 0o644);
	const config = {
		policyDir: "/root/policies",
		stateDir: "/root/state",
		status: { address: "unix:/root/status.sock" },
		guests: { forwarded: "enforce" },
	};
	await vm.put("/root/config.yaml", JSON.stringify(config), 0o644);
	await vm.sh("/root/portward run --config /root/config.yaml > /tmp/alerts 2> /tmp/log &");
	await vm.waitFor("nft list chain inet kubearmor root_forward | grep -q goto");
});
afterAll(async () => {
	await vm?.stop();
});

test.each([
	["192.0.2.1", "192.0.2.2", "172.17.0.2"],
	["2001:db8::1", "2001:db8::2", "fd17::2"],
])("a published port of %s is the host's in the alert", async (host, sender, guest) => {
	await vm.sh(`nsenter -t $(cat /tmp/peer) -n timeout 2 nc ${host} 15432 < /dev/null || true`);
	await vm.waitFor(`grep -q ${guest} /tmp/alerts`);
	const text = await vm.sh(`grep ${guest} /tmp/alerts | head -n 1`);
	expect(JSON.parse(text)).toMatchObject({
		PolicyName: "db",
		Action: "Block",
		EventData: {
			SourceIP: sender,
			DestinationIP: host,
			DestinationPort: "15432",
			Hook: "forward",
			GuestIP: guest,
			GuestPort: "5433",
			GuestInterface: "docker0",
		},
	});
});
