import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readGuests } from "../../../../../src/enforcers/network/observe/guests/read-guests.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../../../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
	ip("link add docker0 type bridge");
	ip("addr add 172.17.0.1/16 dev docker0");
	ip("addr add fd00:17::1/64 dev docker0");
	ip("link add guest0 type veth peer name inside0");
	ip("link set guest0 master docker0");
	for (const name of ["docker0", "guest0", "inside0"]) ip(`link set ${name} up`);
});
afterEach(() => network.leave());

function ip(words: string): void {
	command("ip", ...words.split(" "));
}

function nft(script: string): void {
	const loaded = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(script) });
	if (loaded.exitCode !== 0) throw new Error(loaded.stderr.toString());
}

function read(named: Partial<Parameters<typeof readGuests>[1]> = {}) {
	const found = readGuests("kubearmor", { uplinks: [], interfaces: [], ...named });
	if (!found.ok) throw new Error(found.error);
	return found.facts;
}

const published = () =>
	read().published.map(
		({ protocol, address, port, guest, bridge, by, hook }) =>
			`${protocol} ${address} ${port} -> ${guest.address} ${guest.port} on ${bridge} by ${by} (${hook})`,
	);

describe("bridges", () => {
	test("of guests have their networks, and others say why they are none", () => {
		ip("link add br0 type bridge");
		ip("link add eth9 type ifb");
		ip("link set eth9 master br0");
		ip("link add br1 type bridge");
		ip("addr add 192.0.2.1/24 dev br1");
		ip("link set br1 up");
		ip("route add default via 192.0.2.254 dev br1");
		ip("link add mine type bridge");
		ip("link add ve-1 type veth peer name far1");
		ip("link add cni0 type bridge");
		const { bridges, uplinks } = read({ uplinks: ["mine"], interfaces: [{ name: "ve-", prefix: true }] });
		expect(bridges).toEqual([
			{ name: "docker0", subnets: ["172.17.0.0/16", "fd00:17::/64"], ports: 1 },
			{ name: "ve-1", subnets: [], ports: 0 },
		]);
		expect(uplinks).toEqual([
			{ name: "br0", reason: "eth9 is a port of it" },
			{ name: "br1", reason: "it has a default route" },
			{ name: "mine", reason: "guests.uplinks names it" },
			{ name: "cni0", reason: "its name is that of a network of Kubernetes" },
		]);
	});
});

describe("published ports", () => {
	test("are what Docker's rules translate, as nft writes them", () => {
		nft(`
			table ip nat {
				chain DOCKER {
					iifname "docker0" counter return
					iifname != "docker0" ip daddr 10.0.0.1 udp dport 9000 counter dnat to 172.17.0.2:9000
					iifname != "docker0" tcp dport 15432 counter dnat to 172.17.0.2:5433
					iifname != "docker0" ip daddr 127.0.0.1 tcp dport 8080 counter dnat to 172.17.0.2:80
					tcp dport 7000-7001 dnat to 172.17.0.3
					tcp dport 99 dnat to 192.0.2.9:99
					tcp dport 98 redirect to :22
					tcp dport 97 dnat to 172.17.0.1:22
					tcp dport { 5, 6 } dnat to 172.17.0.2:5
					tcp dport 15432 dnat to 172.17.0.9:1
				}
				chain POSTROUTING {
					type nat hook postrouting priority srcnat; policy accept;
					ip saddr 172.17.0.2 ip daddr 172.17.0.2 tcp dport 80 masquerade
				}
				chain PREROUTING {
					type nat hook prerouting priority dstnat; policy accept;
					fib daddr type local counter jump DOCKER
				}
				chain OUTPUT {
					type nat hook output priority -100; policy accept;
					tcp dport 96 dnat to 172.17.0.2:96
				}
			}`);
		expect(published()).toEqual([
			"tcp 0.0.0.0 7000 -> 172.17.0.3 7000 on docker0 by Docker (forward)",
			"tcp 0.0.0.0 7001 -> 172.17.0.3 7001 on docker0 by Docker (forward)",
			"tcp 127.0.0.1 8080 -> 172.17.0.2 80 on docker0 by Docker (forward)",
			"tcp 0.0.0.0 15432 -> 172.17.0.2 5433 on docker0 by Docker (forward)",
			"udp 10.0.0.1 9000 -> 172.17.0.2 9000 on docker0 by Docker (forward)",
		]);
		expect(read().unjudged).toEqual([
			"a rule leads a port of this host to other machines: what is forwarded there is not judged",
		]);
	});

	test("are read of iptables, which writes them in another way, in both families", () => {
		const rule = (program: string, chain: string, ...words: string[]) =>
			command(program, "-t", "nat", "-A", chain, ...words);
		command("iptables-nft", "-t", "nat", "-N", "NETAVARK-DN-1D8721804F16F");
		rule(
			"iptables-nft",
			"PREROUTING",
			"-m",
			"addrtype",
			"--dst-type",
			"LOCAL",
			"-j",
			"NETAVARK-DN-1D8721804F16F",
		);
		rule(
			"iptables-nft",
			"NETAVARK-DN-1D8721804F16F",
			...[
				"-d",
				"192.0.2.1",
				"-p",
				"tcp",
				"--dport",
				"2222",
				"-m",
				"comment",
				"--comment",
				"dnat name: podman",
			],
			...["-j", "DNAT", "--to-destination", "172.17.0.5:22"],
		);
		rule(
			"iptables-nft",
			"PREROUTING",
			"-p",
			"sctp",
			"--dport",
			"7",
			"-j",
			"DNAT",
			"--to-destination",
			"172.17.0.5",
		);
		rule(
			"iptables-nft",
			"PREROUTING",
			"-p",
			"udp",
			"!",
			"--dport",
			"9",
			"-j",
			"DNAT",
			"--to-destination",
			"172.17.0.6",
		);
		rule(
			"ip6tables-nft",
			"PREROUTING",
			"-p",
			"udp",
			"--dport",
			"53",
			"-j",
			"DNAT",
			"--to-destination",
			"[fd00:17::5]:5353",
		);
		expect(published()).toEqual([
			"tcp 192.0.2.1 2222 -> 172.17.0.5 22 on docker0 by Podman (forward)",
			"udp :: 53 -> fd00:17::5 5353 on docker0 by ip6 nat PREROUTING (forward)",
		]);
	});

	test("of an address behind a bridge that has none of its network are found by the route", () => {
		ip("link add br5 type bridge");
		ip("link set br5 up");
		ip("route add 198.51.100.0/24 dev br5");
		nft(`table inet mine {
			chain pre { type nat hook prerouting priority dstnat; tcp dport 80 dnat ip to 198.51.100.7:8080; }
		}`);
		expect(published()).toEqual(["tcp 0.0.0.0 80 -> 198.51.100.7 8080 on br5 by inet mine pre (forward)"]);
	});

	test("that a proxy of this network listens for alone are told, and those of another network are not", async () => {
		// A shell of that name, as what it is started with is all that is read of it.
		const words = (port: number) => [
			...["-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", `${port}`],
			...["-container-ip", "172.17.0.2", "-container-port", "80"],
		];
		const script = "printf docker-proxy > /proc/$$/comm; echo; read line";
		const proxies = [8085, 8086].map((port) =>
			Bun.spawn(["sh", "-c", script, ...words(port)], {
				stdin: "pipe",
				stdout: "pipe",
			}),
		);
		using _here = Bun.listen({ hostname: "0.0.0.0", port: 8085, socket: { data() {} } });
		try {
			for (const proxy of proxies) await proxy.stdout.getReader().read();
			expect(published()).toEqual(["tcp 0.0.0.0 8085 -> 172.17.0.2 80 on docker0 by Docker (input)"]);
		} finally {
			for (const proxy of proxies) {
				proxy.kill("SIGKILL");
				await proxy.exited;
			}
		}
	});

	test("are cut where there are very many, and say how many more there are", () => {
		const rules = Array.from({ length: 1500 }, (_, i) => `tcp dport ${i + 1} dnat to 172.17.0.2`).join("\n");
		nft(`table ip nat { chain pre { type nat hook prerouting priority dstnat;\n${rules}\n }\n }`);
		const { published: told, more } = read();
		expect([told.length, more]).toEqual([1000, 500]);
	});
});

describe("what no rule judges", () => {
	test("nothing is said of a host with nothing of it", () => {
		expect(read().unjudged).toEqual([]);
	});

	test("is a macvlan of another namespace, seen on its parent", async () => {
		ip("link add eth9 type veth peer name cable9");
		ip("link set eth9 up");
		ip("link add own0 link eth9 type macvlan mode bridge");
		ip("link set own0 up");
		expect(read().unjudged).toEqual([]);
		const other = Bun.spawn(
			["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
			{
				stdout: "pipe",
			},
		);
		try {
			await other.stdout.getReader().read();
			ip("link add far0 link eth9 type macvlan mode bridge");
			ip(`link set far0 netns ${other.pid}`);
			command("nsenter", `--net=/proc/${other.pid}/ns/net`, "ip", "link", "set", "far0", "up");
			expect(read().unjudged).toEqual([
				"guests with a macvlan of their own hang on eth9: what they send and receive passes every rule",
			]);
		} finally {
			other.kill("SIGKILL");
			await other.exited;
		}
	});
});
