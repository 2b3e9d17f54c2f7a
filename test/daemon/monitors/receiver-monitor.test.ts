import { expect, test } from "bun:test";
import { ReceiverMonitor } from "../../../src/daemon/monitors/receiver-monitor.ts";
import type {
	RefusedReceiver,
	RoutedReceiver,
} from "../../../src/enforcers/network/compile/verdict/refused-receivers.ts";
import { sinkSettings } from "../../sinks/support/settings.ts";

/** A monitor of sinks on this host, which some route leads to everywhere. */
function watched() {
	const logged: string[] = [];
	const log = (message: string, fields?: Readonly<Record<string, unknown>>) =>
		void logged.push([message, ...Object.values(fields ?? {})].join(" "));
	const asked: (readonly RoutedReceiver[])[] = [];
	const world = {
		addresses: [] as readonly string[],
		answer: (receivers: readonly RoutedReceiver[]): readonly RefusedReceiver[] | null =>
			receivers.map(({ interface: _, ...one }) => ({ ...one, policy: "p", rule: null })),
		recalled: 0,
	};
	const monitor = new ReceiverMonitor({
		judge: {
			worker: {
				call: async (_: string, { receivers }: { readonly receivers: readonly RoutedReceiver[] }) => {
					asked.push(receivers);
					return world.answer(receivers);
				},
			} as never,
			recall: async () => void world.recalled++,
		},
		settings: () => [
			sinkSettings({ name: "near", type: "syslog", address: "udp://127.0.0.1:514" }),
			sinkSettings({ name: "named", type: "syslog", address: "tcp://log.example:601" }),
			sinkSettings({ name: "journal", type: "journald" }),
		],
		states: () => [{ name: "named", addresses: world.addresses }],
		log: { debug: log, info: log, warn: log, error: log } as never,
	});
	return { monitor, world, asked, logged };
}

test("each sink with an address is asked about once for each set of policies, and told of once", async () => {
	const { monitor, world, asked, logged } = watched();
	await monitor.policiesRead();
	await monitor.look();
	expect(asked).toEqual([
		[{ name: "near", protocol: "udp", address: "127.0.0.1", port: 514, interface: "lo" }],
	]);
	expect([...monitor.blocked]).toEqual([["near", "egress udp 514 to 127.0.0.1 is blocked by p"]]);
	await monitor.policiesRead();
	expect(asked).toHaveLength(2);
	expect(logged).toEqual(["egress policies block a sink near egress udp 514 to 127.0.0.1 is blocked by p"]);
	world.answer = () => [];
	await monitor.policiesRead();
	expect(monitor.blocked.size).toBe(0);
	expect(logged.at(-1)).toBe("egress policies block a sink no longer near");
});

test("a name is asked about once it was looked up", async () => {
	const { monitor, world, asked } = watched();
	await monitor.policiesRead();
	world.addresses = ["127.0.0.2", "127.0.0.1"];
	await monitor.look();
	expect(asked.at(-1)?.map(({ name, address, port }) => [name, address, port])).toEqual([
		["near", "127.0.0.1", 514],
		["named", "127.0.0.1", 601],
		["named", "127.0.0.2", 601],
	]);
	world.addresses = ["127.0.0.1", "127.0.0.2"];
	await monitor.look();
	expect(asked).toHaveLength(2);
});

test("a sink is cut off where none of its addresses is let through", async () => {
	const { monitor, world } = watched();
	world.addresses = ["127.0.0.1", "127.0.0.2"];
	const all = world.answer;
	world.answer = (receivers) => all(receivers)?.filter(({ address }) => address !== "127.0.0.2") ?? null;
	await monitor.policiesRead();
	expect([...monitor.blocked.keys()]).toEqual(["near"]);
	world.answer = all;
	await monitor.policiesRead();
	expect([...monitor.blocked.keys()]).toEqual(["near", "named"]);
});

test("where nobody can be asked, what was blocked is told as it was", async () => {
	const { monitor, world, asked, logged } = watched();
	await monitor.policiesRead();
	const { answer } = world;
	world.answer = () => null;
	await monitor.policiesRead();
	expect([...monitor.blocked.keys()]).toEqual(["near"]);
	expect(logged).toHaveLength(1);
	world.answer = answer;
	await monitor.look();
	expect(asked).toHaveLength(4);
});

test("where that thread rested the policies are read once more; where nobody answers it is asked again", async () => {
	const { monitor, world, asked } = watched();
	world.answer = () => null;
	await monitor.policiesRead();
	expect([world.recalled, asked.length, monitor.blocked.size]).toEqual([1, 2, 0]);
	world.answer = () => {
		throw new Error("the thread ended");
	};
	await monitor.policiesRead();
	world.answer = () => [];
	await monitor.look();
	expect(asked).toHaveLength(4);
});
