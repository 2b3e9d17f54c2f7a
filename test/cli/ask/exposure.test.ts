import { expect, test } from "bun:test";
import { block, policy, port } from "../../system/support/case.ts";
import { command, enterIsolatedNetwork } from "../../system/support/isolated.ts";
import { Files, portward } from "../support/portward.ts";

test("what listens, who it is, and from where it can be reached", async () => {
	using everywhere = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
	using local = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	using other = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
	using files = new Files({
		"a.yaml": policy("a", {
			action: "Allow",
			ingress: [{ from: [block("10.0.1.0/24")], ports: [port("TCP", everywhere.port)] }],
		}),
	});
	const common = ["--policy-dir", files.path, "--config", files.config()];
	const asJson = await portward("exposure", ...common, "--json");
	expect([asJson.code, asJson.error]).toEqual([0, ""]);
	const { listeners } = JSON.parse(asJson.out);
	const of = (number: number) => listeners.filter((one: { port: number }) => one.port === number);
	expect(of(everywhere.port)).toEqual([
		{
			protocol: "tcp",
			address: "0.0.0.0",
			port: everywhere.port,
			families: [4],
			unit: of(everywhere.port)[0].unit,
			process: expect.any(String),
			pid: process.pid,
			local: false,
			reachable: [{ interface: null, addresses: ["10.0.1.0/24"] }],
		},
	]);
	expect(of(local.port)).toMatchObject([{ local: true, reachable: [] }]);
	expect(of(other.port)).toMatchObject([{ reachable: [{ interface: null, addresses: [] }] }]);
	const { out } = await portward("exposure", ...common);
	expect(out).toContain(` listens on tcp 0.0.0.0:${everywhere.port}; reachable from 10.0.1.0/24\n`);
	expect(out).toContain(` listens on tcp 0.0.0.0:${other.port}; reachable by nobody\n`);
	expect(out).not.toContain(`:${local.port};`);
	expect(out).toContain(" more on loopback alone.\n");
});

test("without a policy everybody reaches it, and broken policies give no answer", async () => {
	using everywhere = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
	using files = new Files({});
	const common = ["--policy-dir", files.path, "--config", files.config()];
	const { out } = await portward("exposure", ...common);
	expect(out).toContain(`:${everywhere.port}; reachable from anywhere (IPv4)\n`);
	files.put("bad.yaml", "a: [");
	expect(await portward("exposure", ...common)).toMatchObject({ code: 1, out: "" });
});

test("a port that is published for a container is told apart, with who reaches the container", async () => {
	const network = enterIsolatedNetwork();
	try {
		command("ip", "link", "add", "docker0", "type", "bridge");
		command("ip", "addr", "add", "172.17.0.1/16", "dev", "docker0");
		const rules = `table ip nat {
			chain DOCKER { tcp dport { 8443 } accept; tcp dport 8443 dnat to 172.17.0.2:443; }
			chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; jump DOCKER; }
		}`;
		const load = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(rules), stderr: "pipe" });
		expect(load.stderr.toString()).toBe("");
		using _proxy = Bun.listen({ hostname: "0.0.0.0", port: 8443, socket: { data() {} } });
		using files = new Files({
			"a.yaml": policy("web", {
				action: "Allow",
				ingress: [{ from: [block("10.0.1.0/24")], ports: [port("TCP", 8443)] }],
			}),
		});
		const told = async (forwarded: string) => {
			const settings = files.config({ guests: { forwarded } });
			return portward("exposure", "--policy-dir", files.path, "--config", settings);
		};
		const line = "published tcp 0.0.0.0:8443 -> 172.17.0.2:443 (Docker): ";
		const some = "open to 10.0.1.0/24; closed to the rest by DefaultPosture";
		const { out } = await told("enforce");
		expect(out).toContain(`${line}${some}\n`);
		expect(out).toContain("  but it is published: ");
		expect(out).not.toContain("translates it");
		expect((await told("audit")).out).toContain(`${line}${some} (audit: nothing is dropped yet)\n`);
		expect((await told("off")).out).toContain(`${line}not judged\n`);
	} finally {
		network.leave();
	}
});

test("a port that another table translates", async () => {
	const network = enterIsolatedNetwork();
	try {
		const rules = `table ip nat {
			chain DOCKER { tcp dport 8443 dnat to 172.17.0.2:443; }
			chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; jump DOCKER; }
		}`;
		const load = Bun.spawnSync(["nft", "-f", "-"], { stdin: Buffer.from(rules), stderr: "pipe" });
		expect(load.stderr.toString()).toBe("");
		using published = Bun.listen({ hostname: "0.0.0.0", port: 8443, socket: { data() {} } });
		using plain = Bun.listen({ hostname: "0.0.0.0", port: 8444, socket: { data() {} } });
		using files = new Files({});
		const common = ["--policy-dir", files.path, "--config", files.config()];
		const { listeners } = JSON.parse((await portward("exposure", ...common, "--json")).out);
		expect(listeners).toMatchObject([
			{ port: published.port, translations: [{ family: "ip", table: "nat", tools: ["Docker"], port: 443 }] },
			{ port: plain.port },
		]);
		expect(listeners[1].translations).toBeUndefined();
		expect((await portward("exposure", ...common)).out).toMatch(
			/0\.0\.0\.0:8443; reachable from anywhere \(IPv4\)\n {2}but ip nat \w+ \(Docker\) translates it, to port 443: .*\n.*0\.0\.0\.0:8444;/u,
		);
	} finally {
		network.leave();
	}
});
