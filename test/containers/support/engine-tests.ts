/** What holds with every engine: asked with a real daemon beside a real engine, in the order in which it stands here. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { executable } from "../../system/support/built.ts";
import { block, policy, port } from "../../system/support/case.ts";
import { Daemon, Home } from "../../system/support/daemon.ts";
import { eventually } from "../../system/support/netns.ts";
import { ask, Held, untilServed } from "./asking.ts";
import type { Engine } from "./engine.ts";
import { Site } from "./site.ts";
import { egressAllowList, enforced, one, type Situation, situations, web4 } from "./situations.ts";
import { addresses as a } from "./world.ts";

const startLimit = 120_000;

/** How long a connection that was ended has to stay silent. Its server sends ten times a second. */
const silence = 3000;

/** A policy that takes back what `enforced` allows, and says so of open connections as well. */
const shut = policy("shut", {
	action: "Block",
	ingress: [{ from: [block(`${a.allowed4}/32`)], ports: [port("TCP", 5432)] }],
	egress: [{ ports: [port("TCP", 443)] }],
});

export function testEngine(engine: Engine): void {
	const all = situations(engine.name);
	const home = new Home();
	let site: Site;
	let daemon: Daemon;
	const start = async (forwarded: "audit" | "enforce") => {
		const config = { guests: { forwarded } };
		return await Daemon.start(site.world, { policies: enforced, config }, home);
	};
	/** Those that are not as they should be, by title. */
	const wrong = async (expected: (situation: (typeof all)[number]) => boolean) => {
		const answered = await site.answered(all);
		return all.filter((situation, index) => answered[index] !== expected(situation)).map(titleOf);
	};

	beforeAll(async () => {
		site = await Site.create(engine);
	}, startLimit);
	afterAll(async () => {
		await daemon?.stop("SIGKILL");
		await site?.[Symbol.asyncDispose]();
		home[Symbol.dispose]();
	});

	describe("who reaches whom", () => {
		const rounds: Record<"without" | "enforced" | "allowList", boolean[]> = {
			without: [],
			enforced: [],
			allowList: [],
		};
		beforeAll(async () => {
			rounds.without = await site.answered(all);
			daemon = await start("enforce");
			rounds.enforced = await site.answered(all);
			await daemon.after(() => home.put("egress.yaml", egressAllowList["egress.yaml"]));
			rounds.allowList = await site.answered(all);
			await daemon.after(() => home.put("egress.yaml", enforced["egress.yaml"]));
		}, startLimit);

		test.each(all.map((situation, index) => [situation.title, situation, index] as const))(
			"%s",
			(_, situation, index) => {
				expect({
					without: rounds.without[index],
					enforced: rounds.enforced[index],
					allowList: rounds.allowList[index],
				}).toEqual({
					without: situation.without,
					enforced: situation.enforced,
					allowList: situation.allowList ?? situation.enforced,
				});
			},
		);
	});

	test.each(["0", "1"])("neighbours on one bridge, with bridge-nf-call-iptables=%s", async (value) => {
		const file = "/proc/sys/net/bridge/bridge-nf-call-iptables";
		const before = site.world.run(["cat", file]).trim();
		site.world.script(`echo ${value} >${file}`);
		const [first] = await ask([{ from: site.peer.path, protocol: "tcp", address: web4, port: 6000 }]);
		site.world.script(`echo ${before} >${file}`);
		expect(first).toStartWith("answer ");
	});

	test("the alert of a stranger names the host's port, the container's address and the container", async () => {
		const question = { from: site.world.outside.path, protocol: "tcp", port: 15432 } as const;
		// Whose an address is the daemon looks up once in a while, so an alert may come without.
		const { EventData, Action } = await eventually(
			"an alert that names the container",
			async () => {
				await ask([{ ...question, source: a.stranger4, address: a.host4 }]);
				const alerts = daemon.alerts.filter(({ EventData: data }) => data.GuestPort === "5433");
				return alerts.find(({ EventData: data }) => data.GuestIP === web4 && data.Container !== undefined);
			},
			40_000,
		);
		expect({ ...EventData, Action }).toMatchObject({
			Action: "Block",
			SourceIP: a.stranger4,
			...(tellsConnections() ? { DestinationIP: a.host4, DestinationPort: "15432" } : {}),
			Interface: "eth0",
			Hook: "forward",
			Container: expect.stringContaining(site.web.id.slice(0, 12)),
		});
	});

	test("a new Block ends open connections to a published port and from a container, and they stay ended", async () => {
		const from = site.world.outside.path;
		using inwards = await Held.open({ from, source: a.allowed4, address: a.host4, port: 5432 });
		using outwards = await Held.open({ from: site.web.path, address: a.beyond4, port: 443 });
		using other = await Held.open({ from, source: a.allowed4, address: a.host4, port: 15432 });
		expect(await Promise.all([inwards.hears(), outwards.hears(), other.hears()])).toEqual([true, true, true]);
		await daemon.after(() => home.put("shut.yaml", shut));
		await eventually(
			"the end of both",
			async () => !(await inwards.hears()) && !(await outwards.hears()),
			30_000,
		);
		expect(await Promise.all([inwards.hears(silence), outwards.hears(silence)])).toEqual([false, false]);
		// What the Block does not mean goes on.
		expect(await other.hears()).toBe(true);
		await daemon.after(() => home.put("shut.yaml", null));
	});

	test("the status names the bridges, and who reaches each published port", async () => {
		const port = (number: number) => (found: Published) =>
			found.port === number && found.family === 4 && found.hook === "forward";
		const guests = await eventually("all published ports", async () => {
			const told = await guestsOf(daemon);
			return [5432, 7000, 9000, 15432].every((number) => told.published.some(port(number))) ? told : null;
		});
		expect(guests).toMatchObject({ forwarded: "enforce", known: true, wouldHaveBlocked: null });
		const subnets = guests.bridges.flatMap((bridge) => bridge.subnets);
		expect(subnets).toEqual(expect.arrayContaining([one.subnet4, one.subnet6]));
		expect(guests.published.find(port(15432))).toMatchObject({
			guest: { address: web4, port: 5433 },
			reachable: [{ interface: null, addresses: [`${a.allowed4}/32`] }],
		});
		expect(guests.published.find(port(7000))).toMatchObject({
			reachable: [{ interface: null, addresses: [] }],
			closedBy: ["DefaultPosture"],
		});
	});

	test("a macvlan's container is reached past every rule, and the status warns", async () => {
		engine.createMacvlan(site.world, "beside", "eth0", "192.0.2.0/24");
		const beside = engine.runContainer(site.world, "beside", {
			network: "beside",
			address4: "192.0.2.50",
			ports: [7777],
		});
		await untilServed(beside.path, 7777);
		const from = site.world.outside.path;
		const [passed] = await ask([
			{ from, protocol: "tcp", source: a.stranger4, address: "192.0.2.50", port: 7777 },
		]);
		expect(passed).toStartWith("answer ");
		const told = await eventually("the warning", async () => {
			const { unjudged } = await guestsOf(daemon);
			return unjudged.find((text) => text.includes("macvlan"));
		});
		expect(told).toContain("eth0");
	});

	test("a network that is made while the agent is dead is covered, and its container by the next agent", async () => {
		await daemon.stop("SIGKILL");
		await eventually("a dead agent", async () => (await daemon.get("/livez").catch(() => null)) === null);
		engine.createNetwork(site.world, { name: "late", subnet4: "172.30.3.0/24", subnet6: "fd00:30:3::/64" });
		const late = engine.runContainer(site.world, "late", {
			network: "late",
			address4: "172.30.3.2",
			address6: "fd00:30:3::2",
			publish: ["8443:8443", "2222:22"],
			ports: [22, 8443],
		});
		await untilServed(late.path, 8443);
		const from = site.world.outside.path;
		const questions = [
			{ from, protocol: "tcp", source: a.stranger4, address: a.host4, port: 8443 },
			{ from, protocol: "tcp", source: a.stranger6, address: a.host6, port: 8443 },
			{ from, protocol: "tcp", source: a.stranger4, address: "172.30.3.2", port: 8443 },
			{ from: late.path, protocol: "tcp", address: a.allowed4, port: 8053 },
			{ from: late.path, protocol: "tcp", address: a.allowed6, port: 8053 },
			{ from: late.path, protocol: "tcp", address: a.allowed4, port: 80 },
			{ from: site.world.path, protocol: "tcp", address: "172.30.3.2", port: 8443 },
		] as const;
		const now = async () => (await ask(questions)).map((answer) => answer.startsWith("answer "));
		const covered = [false, false, false, false, false, true, true];
		expect(await now()).toEqual(covered);
		daemon = await start("enforce");
		expect(await now()).toEqual(covered);
	});

	test("panic-open opens the forwarded ports as well, and resume shuts them", async () => {
		const command = (...argv: string[]) => site.world.run([executable(), ...argv, "--config", home.config]);
		command("panic-open", "--reason", "drill");
		expect(await wrong(({ without }) => without)).toEqual([]);
		command("resume");
		await daemon.ready();
		expect(await wrong((situation) => situation.enforced)).toEqual([]);
	});

	test("audit: what is forwarded passes and is alerted, what the host itself gets is dropped", async () => {
		await daemon.stop();
		daemon = await start("audit");
		const forwarded = all.filter(
			(situation) => situation.without && !situation.enforced && isForwarded(situation),
		);
		const own = all.filter(
			(situation) => situation.without && !situation.enforced && !isForwarded(situation),
		);
		expect(forwarded.length).toBeGreaterThan(8);
		expect(own.length).toBeGreaterThan(1);
		const answered = await site.answered([...forwarded, ...own]);
		const passed = [...forwarded, ...own].filter((_, index) => answered[index]).map(titleOf);
		expect(passed).toEqual(forwarded.map(titleOf));
		await daemon.alert(
			"a published port",
			({ EventData }) => EventData.WouldBe === "Block" && EventData.GuestPort === "5433",
		);
		await daemon.alert(
			"a container's way out",
			({ EventData }) => EventData.WouldBe === "Block" && EventData.DestinationPort === "8053",
		);
		const { wouldHaveBlocked } = await guestsOf(daemon);
		expect(wouldHaveBlocked).toBeGreaterThanOrEqual(forwarded.length);
		await daemon.alert(
			"a port of the host",
			({ Action, EventData }) => Action === "Block" && EventData.DestinationPort === "7777",
		);
	});

	test("off: only the host's own ports are judged", async () => {
		await daemon.stop();
		daemon = await Daemon.start(
			site.world,
			{ policies: enforced, config: { guests: { forwarded: "off" } } },
			home,
		);
		const judged = all.filter(({ title }) => !/^D(?:HCP|NS)/u.test(title));
		const answered = await site.answered(judged);
		const expected = judged.map((one) => (isForwarded(one) ? one.without : one.enforced));
		expect(judged.filter((_, index) => answered[index] !== expected[index]).map(titleOf)).toEqual([]);
	});
}

interface Published {
	readonly family: 4 | 6;
	readonly port: number;
	readonly hook: "forward" | "input";
}

interface Guests {
	readonly forwarded: string;
	readonly wouldHaveBlocked: number | null;
	readonly bridges: readonly { readonly subnets: readonly string[] }[];
	readonly published: readonly Published[];
	readonly unjudged: readonly string[];
}

/** What /v1/status says of guests. */
async function guestsOf(daemon: Daemon): Promise<Guests> {
	const response = await daemon.get("/v1/status");
	const status: { enforcers: { network: { guests: Guests } } } = JSON.parse(await response.text());
	return status.enforcers.network.guests;
}

function titleOf({ title }: { readonly title: string }): string {
	return title;
}

/** Whether the packets of a situation pass through the host, and neither begin nor end at it. */
function isForwarded({ who, port: number, address, byProxy }: Situation): boolean {
	if (who === "host" || number === 7777 || byProxy) return false;
	return !(address.startsWith("172.30.") && address.endsWith(".1"));
}

/** Whether a logged packet comes with its connection: where the kernel lacks that, an alert knows the guest's port alone. */
function tellsConnections(): boolean {
	const config = Bun.spawnSync(["sh", "-c", "zcat /proc/config.gz || cat /boot/config-$(uname -r)"]);
	return !config.stdout.toString().includes("# CONFIG_NETFILTER_NETLINK_GLUE_CT is not set");
}
