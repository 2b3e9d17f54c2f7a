/** What is told of other firewalls on the same host: in the status, on the page, and by `explain`. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { executable } from "../support/built.ts";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";

let lab: Lab;
let home: Home;
let daemon: Daemon;

beforeAll(async () => {
	lab = await Lab.create();
	home = new Home();
	lab.guarded.nft(`
		table inet firewalld {
			chain filter_INPUT { type filter hook input priority filter + 10; policy accept; }
		}
		table ip nat {
			chain DOCKER { }
			chain PREROUTING {
				type nat hook prerouting priority dstnat; policy accept;
				tcp dport 80 redirect to :8080
			}
		}`);
	lab.guarded.run(["iptables-legacy", "-P", "OUTPUT", "DROP"]);
	const rules = { ingress: [{ action: "Block", ports: [port("TCP", 23)] }] };
	daemon = await Daemon.start(lab.guarded, { policies: { "p.yaml": policy("p", rules) } }, home);
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	home[Symbol.dispose]();
	lab[Symbol.dispose]();
});

const run = (...argv: string[]) => lab.guarded.try([executable(), ...argv, "--config", home.config]);

test("status and page name the chains that decide as well", async () => {
	const { out } = run("status");
	expect(out).toContain(
		"ingress: inet firewalld filter_INPUT (firewalld; input, priority 10, policy accept) also decides",
	);
	expect(out).toContain("egress: ip filter OUTPUT (output, priority 0, legacy iptables) also decides");
	expect(await (await daemon.get("/")).text()).toContain("inet firewalld filter_INPUT");
});

test("explain says who else decides, and that another port is meant", () => {
	const open = run("explain", "ingress", "tcp", "192.0.2.7", "80").out;
	expect(open).toContain("Portward allows; inet firewalld filter_INPUT");
	expect(open).toContain("also decides");
	expect(open).toContain("ip nat PREROUTING (Docker) redirects or translates this port");
	expect(open).toContain("ask about port 8080");
	const closed = run("explain", "ingress", "tcp", "192.0.2.7", "23").out;
	expect(closed).toContain("Portward blocks, whatever others say");
	expect(closed).not.toContain("translates");
	const document = JSON.parse(run("explain", "--json", "ingress", "tcp", "192.0.2.7", "80").out);
	expect(document).toMatchObject({
		action: "Allow",
		others: [
			{ table: "filter", legacy: true },
			{ table: "firewalld", chain: "filter_INPUT", priority: 10 },
		],
		translations: [{ table: "nat", chain: "PREROUTING", port: 8080, named: true, tools: ["Docker"] }],
	});
});
