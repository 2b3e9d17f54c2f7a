/** What becomes of packets to and from guests, asked in a network with a bridge and rules that publish. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { block, policy, port } from "../../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../system/support/isolated.ts";
import { Files, portward } from "../support/portward.ts";

let network: IsolatedNetwork;
let files: Files;
beforeEach(() => {
	network = enterIsolatedNetwork();
	for (const [name, address] of [
		["docker0", "172.17.0.1/16"],
		["br-web", "172.18.0.1/16"],
	]) {
		command("ip", "link", "add", `${name}`, "type", "bridge");
		command("ip", "addr", "add", `${address}`, "dev", `${name}`);
	}
	const rules = `table ip nat {
		chain DOCKER {
			tcp dport 5432 dnat to 172.17.0.2:5432
			ip daddr 192.0.2.1 tcp dport 15432 dnat to 172.17.0.2:5433
		}
		chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; jump DOCKER; }
	}
	table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }
	}`;
	const load = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(rules), stderr: "pipe" });
	if (load.exitCode !== 0) throw new Error(load.stderr.toString());
	files = new Files({
		"a.yaml": policy("db", {
			action: "Allow",
			ingress: [{ from: [block("10.0.1.0/24")], ports: [port("TCP", 5432)] }],
		}),
		"b.yaml": policy("out", { action: "Block", egress: [{ ports: [port("UDP", 53)] }] }),
	});
});
afterEach(() => {
	files[Symbol.dispose]();
	network.leave();
});

async function explain(forwarded: string, ...words: string[]) {
	const settings = { guests: { forwarded }, hostDefaultNetworkPosture: "block" };
	const common = ["--policy-dir", files.path, "--config", files.config(settings)];
	const { out, error, code } = await portward("explain", ...common, ...words);
	return { lines: out.trimEnd().split("\n"), error, code };
}

const published =
	"  a port of the host, also published: tcp 0.0.0.0:5432 -> 172.17.0.2:5432 (Docker); it is judged as what is forwarded";

describe("a published port", () => {
	test("is judged as forwarded, and says so", async () => {
		const allowed = await explain("enforce", "ingress", "tcp", "10.0.1.9", "5432");
		expect(allowed.lines[0]).toStartWith("Allow: db ingress[0]");
		expect(allowed.lines).toContain(published);
		expect(allowed.lines.join("\n")).toContain("ip filter FORWARD");
		expect(allowed.lines.join("\n")).not.toContain("redirects or translates");
		const blocked = await explain("enforce", "ingress", "tcp", "10.0.2.9", "5432");
		expect(blocked.lines[0]).toBe("Block: DefaultPosture");
		expect(blocked.lines).toContain("  where it is not sent on to a guest: Block");
	});

	test("passes where guests are audited alone, with what enforcing would do", async () => {
		const { lines } = await explain("audit", "ingress", "tcp", "10.0.2.9", "5432");
		expect(lines[0]).toBe("Audit: DefaultPosture");
		expect(lines).toContain("  Block once it is enforced; the settings say guests.forwarded: audit");
	});

	test("asks no policy where these do not hold for what is forwarded", async () => {
		const { lines } = await explain("off", "ingress", "tcp", "10.0.2.9", "5432");
		expect(lines[0]).toBe(
			"Allow: guests.forwarded is off, so policies are not asked about what is forwarded",
		);
		expect(lines).toContain("  where it is not sent on to a guest: Block");
	});

	test("can be asked about before there is one, and other ports stay the host's", async () => {
		const other = await explain("off", "ingress", "tcp", "10.0.2.9", "22");
		expect(other.lines[0]).toBe("Block: DefaultPosture");
		const asked = await explain("enforce", "ingress", "tcp", "10.0.2.9", "22", "--published");
		expect(asked.lines[0]).toBe("Block: DefaultPosture");
		expect(asked.lines.join("\n")).toContain("no such port is published now");
	});

	test("is in the JSON with where it leads", async () => {
		const { lines } = await explain("enforce", "ingress", "tcp", "10.0.1.9", "15432", "--json");
		expect(JSON.parse(lines.join("\n"))).toMatchObject({
			action: "Block",
			hook: "forward",
			published: [{ address: "192.0.2.1", port: 15432, guest: { address: "172.17.0.2", port: 5433 } }],
		});
	});
});

describe("what a guest sends", () => {
	test("is judged as egress", async () => {
		const { lines } = await explain(
			"enforce",
			"egress",
			"udp",
			"192.0.2.53",
			"53",
			"--from-guest",
			"172.17.0.2",
		);
		expect(lines[0]).toStartWith("Block: out egress[0]");
		expect(lines).toContain("  sent by the guest 172.17.0.2 on docker0, and judged as it leaves");
	});

	test("to another guest asks no policy", async () => {
		const same = await explain("enforce", "egress", "udp", "172.17.0.3", "53", "--from-guest", "172.17.0.2");
		expect(same.lines[0]).toStartWith("Allow: both are guests on docker0");
		const other = await explain("enforce", "egress", "udp", "172.18.0.3", "53", "--from-guest", "172.17.0.2");
		expect(other.lines[0]).toStartWith("Allow: the other end is a guest on br-web");
	});

	test("of an address that no guest has is told as such", async () => {
		const { lines } = await explain(
			"enforce",
			"egress",
			"udp",
			"192.0.2.53",
			"53",
			"--from-guest",
			"10.9.9.9",
		);
		expect(lines.join("\n")).toContain("no network of guests on this host has 10.9.9.9");
	});

	test("is asked about with words that fit each other", async () => {
		const wrong = async (...words: string[]) => {
			const { code, error } = await explain("enforce", ...words);
			expect(code).toBe(64);
			return error;
		};
		expect(await wrong("ingress", "tcp", "192.0.2.7", "22", "--from-guest", "172.17.0.2")).toContain(
			"egress",
		);
		expect(await wrong("egress", "tcp", "192.0.2.7", "22", "--published")).toContain("ingress");
		expect(await wrong("egress", "tcp", "2001:db8::7", "22", "--from-guest", "172.17.0.2")).toContain(
			"family",
		);
		expect(await wrong("egress", "tcp", "192.0.2.7", "22", "--from-guest", "172.17.0.2/16")).toContain(
			"address",
		);
		expect(await wrong("--all", "192.0.2.7", "--published")).toContain("not expected with --all");
	});
});
