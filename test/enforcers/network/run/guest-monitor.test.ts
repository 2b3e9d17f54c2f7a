import { expect, test } from "bun:test";
import { defaultConfig } from "../../../../src/config/parse.ts";
import type { PublishedVerdict } from "../../../../src/enforcers/network/compile/verdict/published-verdict.ts";
import type { GuestFacts } from "../../../../src/enforcers/network/observe/guests/guests.ts";
import { GuestMonitor } from "../../../../src/enforcers/network/run/guest-monitor.ts";

const port = {
	protocol: "tcp",
	family: 4,
	address: "0.0.0.0",
	port: 80,
	guest: { address: "172.17.0.2", port: 8080 },
	bridge: "docker0",
	by: "Docker",
	hook: "forward",
} as const;
const nobody: GuestFacts = {
	bridges: [{ name: "docker0", subnets: [], ports: 1 }],
	uplinks: [],
	outside: ["eth0"],
	published: [],
	more: 0,
	unjudged: [],
};
const closed: PublishedVerdict = { reachable: [{ interface: null, addresses: [] }], closedBy: ["shut"] };

interface World {
	facts: GuestFacts | null;
	generation: number;
	/** Whether the thread that judges has policies. */
	remembers: boolean;
}

function monitored(world: World) {
	const asked: string[] = [];
	const monitor = new GuestMonitor({
		config: defaultConfig,
		generation: () => world.generation,
		nft: {
			call: async (name: string) => {
				asked.push(name);
				return world.facts === null ? { ok: false, error: "e" } : { ok: true, facts: world.facts };
			},
		} as never,
		judge: {
			call: async (name: string) => {
				asked.push(name);
				return world.remembers ? [closed] : null;
			},
		} as never,
		policies: {
			recall: async () => {
				asked.push("recall");
				world.remembers = true;
			},
		},
	});
	return { monitor, asked };
}

test("nothing is asked before policies are in force", async () => {
	const { monitor, asked } = monitored({ facts: nobody, generation: 0, remembers: true });
	await monitor.refresh();
	expect([monitor.seen, asked]).toEqual([null, []]);
});

test("what is published is judged, and only once while neither it nor the policies change", async () => {
	const world = { facts: { ...nobody, published: [port] }, generation: 1, remembers: true };
	const { monitor, asked } = monitored(world);
	await monitor.refresh(0);
	expect(monitor.seen?.published).toEqual([{ ...port, ...closed }]);
	await monitor.refresh(5000);
	expect(asked).toEqual(["guests", "judgePublished"]);
	await monitor.refresh(20_000);
	expect(asked).toEqual(["guests", "judgePublished", "guests"]);
	world.generation = 2;
	await monitor.refresh(20_001);
	expect(asked.slice(3)).toEqual(["guests", "judgePublished"]);
});

test("a thread that rested reads the policies once more, to be asked", async () => {
	const world = { facts: { ...nobody, published: [port] }, generation: 1, remembers: false };
	const { monitor, asked } = monitored(world);
	await monitor.refresh(0);
	expect(asked).toEqual(["guests", "judgePublished", "recall", "judgePublished"]);
	expect(monitor.seen?.published[0]?.closedBy).toEqual(["shut"]);
});

test("nobody is asked to judge where nothing is published, and what was seen stays where nothing can be read", async () => {
	const world: World = { facts: nobody, generation: 1, remembers: true };
	const { monitor, asked } = monitored(world);
	await monitor.refresh(0);
	world.facts = null;
	await monitor.refresh(20_000);
	expect(asked).toEqual(["guests", "guests"]);
	expect(monitor.seen?.bridges).toHaveLength(1);
});
