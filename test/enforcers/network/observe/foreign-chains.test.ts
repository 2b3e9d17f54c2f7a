import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	decidingChains,
	describeChain,
	type ForeignChain,
	foreignChains,
} from "../../../../src/enforcers/network/observe/foreign-chains.ts";
import { translationsOf } from "../../../../src/enforcers/network/observe/translations.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
});
afterEach(() => network.leave());

function nft(script: string): void {
	const loaded = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(script) });
	if (loaded.exitCode !== 0) throw new Error(loaded.stderr.toString());
}

function read(): readonly ForeignChain[] {
	const found = foreignChains("kubearmor");
	if (!found.ok) throw new Error(found.error);
	return found.chains;
}

const told = (direction: "ingress" | "egress") => decidingChains(read(), direction).map(describeChain);

describe("base chains of others", () => {
	test("are named in the order in which packets meet them, and whose they are", () => {
		expect(told("ingress")).toEqual([]);
		nft(`
			table inet kubearmor { chain ingress { type filter hook input priority 20; }; }
			table inet firewalld {
				chain filter_INPUT { type filter hook input priority filter + 10; }
				chain filter_OUTPUT { type filter hook output priority filter + 10; }
			}
			table inet f2b-table { chain f2b-chain { type filter hook input priority filter - 1; }; }
			table ip mine {
				chain DOCKER-USER { }
				chain KUBE-FIREWALL { }
				chain in { type filter hook input priority 300; policy drop; }
				chain pre { type nat hook prerouting priority dstnat; }
				chain route { type route hook output priority mangle; }
			}
			table bridge b { chain in { type filter hook input priority 0; }; }`);
		expect(told("ingress")).toEqual([
			"inet f2b-table f2b-chain (fail2ban; input, priority -1, policy accept)",
			"inet firewalld filter_INPUT (firewalld; input, priority 10, policy accept)",
			"ip mine in (Docker, Kubernetes; input, priority 300, policy drop)",
		]);
		expect(told("egress")).toEqual([
			"ip mine route (Docker, Kubernetes; output, priority -150, policy accept)",
			"inet firewalld filter_OUTPUT (firewalld; output, priority 10, policy accept)",
		]);
	});

	test("legacy iptables is among them", () => {
		command("iptables-legacy", "-t", "filter", "-P", "INPUT", "DROP");
		expect(told("ingress")).toEqual(["ip filter INPUT (input, priority 0, legacy iptables)"]);
	});

	test("beside a hundred thousand elements and two thousand chains it takes no longer than a moment", () => {
		const elements = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
		const chains = Array.from({ length: 2000 }, (_, i) => `chain c${i} { }`).join("\n");
		nft(
			`table ip big { set s { type ipv4_addr; elements = { ${elements.join(", ")} }; }\n${chains}\n` +
				"chain in { type filter hook input priority 0; ip saddr @s drop; }\n" +
				"chain pre { type nat hook prerouting priority -100; ip saddr @s redirect; }\n}",
		);
		// Of this process's own processor time: how long it waits for others is not its own.
		const start = process.cpuUsage();
		const chainsRead = read();
		expect(translationsOf(chainsRead, "ingress", { protocol: 6, port: 22 })).toHaveLength(1);
		const { user, system } = process.cpuUsage(start);
		expect((user + system) / 1000).toBeLessThan(500);
		expect(chainsRead).toHaveLength(2);
	});
});

describe("translations", () => {
	const asked = (direction: "ingress" | "egress", protocol: number, port: number) =>
		translationsOf(read(), direction, { protocol, port }).map(
			({ table, chain, port: leadsTo, named }) => `${table} ${chain} ${leadsTo} ${named}`,
		);

	test("of the port that is asked for, and where they lead", () => {
		nft(`
			table ip nat {
				chain pre {
					type nat hook prerouting priority dstnat;
					tcp dport 80 redirect to :8080
					tcp dport 443 dnat to 10.0.0.1:8443
					udp dport 5000-5010 redirect to :53
					tcp dport != 22 ip saddr 192.0.2.1 dnat to 10.0.0.9
				}
				chain out {
					type nat hook output priority -100;
					tcp dport 80 dnat to 10.0.0.2
				}
				chain post {
					type nat hook postrouting priority srcnat;
					tcp dport 80 masquerade
				}
			}`);
		expect(asked("ingress", 6, 80)).toEqual(["nat pre 8080 true", "nat pre null false"]);
		expect(asked("ingress", 6, 443)).toEqual(["nat pre 8443 true", "nat pre null false"]);
		expect(asked("ingress", 17, 5003)).toEqual(["nat pre 53 true"]);
		expect(asked("ingress", 17, 5011)).toEqual([]);
		expect(asked("egress", 6, 80)).toEqual(["nat out null true"]);
	});

	test("of iptables, which writes them in another way", () => {
		const rule = ["-p", "tcp", "--dport", "2222", "-j", "REDIRECT", "--to-ports", "22"];
		command("iptables-nft", "-t", "nat", "-A", "PREROUTING", ...rule);
		expect(asked("ingress", 6, 2222)).toEqual(["nat PREROUTING null true"]);
		expect(asked("ingress", 6, 2223)).toEqual([]);
		expect(asked("ingress", 17, 2222)).toEqual([]);
	});
});
