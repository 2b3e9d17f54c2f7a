/** Reloads, kills and restarts of the daemon, and changes of the bridges, misjudge none of 20 000 forwarded packets a second. */

import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { block, documents, policy, port } from "../system/support/case.ts";
import { Daemon, Home } from "../system/support/daemon.ts";
import { Guest } from "../system/support/guests.ts";
import { Lab } from "../system/support/netns.ts";
import { flood, type Target } from "../system/support/traffic.ts";

// As long as 50 reloads take beside what else the suite does.
setDefaultTimeout(300_000);

const rate = 20_000;

let lab: Lab;
let home: Home;
let guest: Guest;

beforeEach(async () => {
	lab = await Lab.create();
	home = new Home();
	// The host's ports are not the guest's: a rule means what the sender asked for.
	const published = ["tcp", "udp"].flatMap((protocol) =>
		Array.from({ length: 20 }, (_, index) => [
			`${protocol} dport ${1000 + index} dnat ip to 172.17.0.2:${5000 + index}`,
			`${protocol} dport ${2000 + index} dnat ip to 172.17.0.2:${1000 + index}`,
		]).flat(),
	);
	guest = await Guest.create(lab, { published });
});
afterEach(() => {
	guest[Symbol.dispose]();
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

/** To published ports, and to the guest's own addresses. */
function targets(): readonly Target[] {
	return (["tcp", "udp"] as const).flatMap((protocol) =>
		Array.from({ length: 20 }, (_, index) => index).flatMap((index): Target[] => {
			const remote = `10.1.${index}.1`;
			const remote6 = `2001:db8:1:${index}::1`;
			const of = (expect: Target["expect"], local: string, number: number, from = remote): Target => ({
				expect,
				protocol,
				remote: from,
				local,
				port: number,
			});
			return [
				of("pass", "198.18.0.1", 1000 + index),
				of("drop", "198.18.0.1", 2000 + index),
				of("pass", guest.address4, 3000 + index),
				of("drop", guest.address4, 5000 + index),
				of("pass", guest.address6, 3000 + index, remote6),
				of("drop", guest.address6, 5000 + index, remote6),
			];
		}),
	);
}

/** The unchanging meaning, beside which `version` changes what no packet of the flood is about. */
function policies(version: number): string {
	const bulk = Array.from({ length: 2_000 }, (_, index) =>
		block(`172.${20 + (index >> 8)}.${index & 255}.${version & 255}/32`),
	);
	const from = [block("10.1.0.0/16"), block("2001:db8:1::/48")];
	const ports = (first: number) => ["TCP", "UDP"].map((name) => port(name, first, first + 999));
	return documents(
		policy("in", {
			action: "Allow",
			ingress: [
				{ from, ports: [...ports(1000), ...ports(3000)] },
				{ action: "Block", from, ports: [...ports(2000), ...ports(5000)] },
			],
		}),
		policy("bulk", { action: version % 2 === 0 ? "Block" : "Audit", ingress: [{ from: bulk }] }),
	);
}

const nothingMisjudged = { wronglyDropped: 0, wronglyPassed: 0, uncounted: 0 };

function flooding(seconds: number) {
	const options = {
		interface: "eth0",
		targets: targets(),
		packets: rate * seconds,
		rate,
		guest: guest.namespace,
	};
	return flood(lab, options).then(({ wronglyDropped, wronglyPassed, uncounted, sentToPass, sentToDrop }) => {
		expect(Math.min(sentToPass, sentToDrop)).toBeGreaterThan(0);
		return { wronglyDropped, wronglyPassed, uncounted };
	});
}

describe.each(["concatenated", "nested"])("%s ruleset", (rulesetForm) => {
	const config = { rulesetForm, guests: { forwarded: "enforce" } };

	test("50 reloads misjudge no packet", async () => {
		await using daemon = await Daemon.start(
			lab.guarded,
			{ config, policies: { "p.yaml": policies(0) } },
			home,
		);
		// In pieces, because the time that 50 reloads take depends on what else the machine does.
		for (let reloads = 0; reloads < 50; ) {
			let running = true;
			const counted = flooding(5).finally(() => {
				running = false;
			});
			for (; running; reloads++) await daemon.after(() => home.put("p.yaml", policies(reloads + 1)));
			expect(await counted).toEqual(nothingMisjudged);
		}
	});

	test("bridges that become uplinks, and stop to be, misjudge no packet", async () => {
		lab.guarded.run(
			["ip", "-batch", "-"],
			"link add br9 type bridge\nlink add vx9 type vxlan id 9 dstport 4789\n",
		);
		await using daemon = await Daemon.start(
			lab.guarded,
			{ config, policies: { "p.yaml": policies(0) } },
			home,
		);
		const uplinks = () => lab.guarded.run(["nft", "list", "set", "inet", "kubearmor", "uplinks"]);
		let running = true;
		const counted = flooding(5).finally(() => {
			running = false;
		});
		let changes = 0;
		for (; running || changes < 4; changes++) {
			const master = changes % 2 === 0;
			lab.guarded.run(["ip", "link", "set", "vx9", ...(master ? ["master", "br9"] : ["nomaster"])]);
			const told = async () => {
				while (uplinks().includes("br9") !== master) await Bun.sleep(20);
			};
			await Promise.race([told(), Bun.sleep(10_000)]);
			expect(uplinks().includes("br9")).toBe(master);
		}
		expect(await counted).toEqual(nothingMisjudged);
		expect(daemon.log).not.toContain("not up to date");
	});

	test.each(["SIGKILL", "SIGTERM"] as const)(
		"%s, a changed policy and a restart misjudge no packet",
		async (signal) => {
			const first = await Daemon.start(lab.guarded, { config, policies: { "p.yaml": policies(0) } }, home);
			const counted = flooding(4);
			await Bun.sleep(200);
			await first.stop(signal);
			home.put("p.yaml", policies(1));
			const second = await Daemon.start(lab.guarded, { config }, home);
			// In the midst of a reload, too.
			home.put("p.yaml", policies(2));
			await Bun.sleep(120);
			await second.stop(signal);
			await using _third = await Daemon.start(lab.guarded, { config }, home);
			expect(await counted).toEqual(nothingMisjudged);
		},
	);
});
