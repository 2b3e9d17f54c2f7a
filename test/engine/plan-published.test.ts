import { expect, test } from "bun:test";
import { defaultConfig } from "../../src/config/parse.ts";
import { buildModel, ruleSets } from "../../src/enforcers/network/compile/program.ts";
import type { CutConnection } from "../../src/engine/plan-model.ts";
import { planPublished, publishedChanges } from "../../src/engine/plan-published.ts";
import { policy, rule } from "../enforcers/network/compile/build.ts";

const meaning = {
	posture: "block",
	allowlistScope: "direction",
	failsafe: { ingress: [], egress: [] },
	guests: { forwarded: "enforce", interfaces: [], uplinks: [] },
} as const;
const model = (...policies: Parameters<typeof ruleSets>[0]) => buildModel(ruleSets(policies), meaning);

const published = (port: number) => ({
	protocol: "tcp" as const,
	family: 4 as const,
	address: "0.0.0.0",
	port,
	guest: { address: "172.17.0.2", port: port + 1 },
	bridge: "docker0",
	by: "Docker",
	hook: "forward" as const,
});

const connection = (change: Partial<CutConnection>): CutConnection => ({
	direction: "ingress",
	protocol: 6,
	local: "172.17.0.2",
	localPort: 5433,
	remote: "203.0.113.7",
	remotePort: 40_000,
	cause: { policy: "shut", direction: "ingress", index: 0, action: "Block", file: null, line: null },
	someInterfaces: false,
	guest: true,
	...change,
});

const facts = { published: [published(5432), published(8080)], outside: ["eth0"] };

test("only a port whose senders change is told, with the guest's connections that end", () => {
	const shut = model(policy("shut", rule("Block", { ports: ["tcp/5432"] })));
	const cut = [
		connection({}),
		connection({ remotePort: 40_001 }),
		connection({ guest: false }),
		connection({ localPort: 5432 }),
		connection({ local: "172.17.0.3" }),
		connection({ direction: "egress" }),
	];
	const changes = publishedChanges({ before: model(), after: shut }, facts, cut);
	expect(changes.map(({ port, ends }) => [port.port, ends])).toEqual([[5432, 2]]);
	expect(changes[0]?.before.reachable).toEqual([{ interface: null, addresses: ["0.0.0.0/0"] }]);
	expect(changes[0]?.after).toEqual({ reachable: [{ interface: null, addresses: [] }], closedBy: ["shut"] });
});

test("another policy that closes a port to the same senders is no change", () => {
	const one = model(policy("one", rule("Block", { ports: ["tcp/5432"] })));
	const two = model(policy("two", rule("Block", { ports: ["tcp/5432"] })));
	expect(publishedChanges({ before: one, after: two }, facts, [])).toEqual([]);
});

test("what this network publishes is looked at", () => {
	const models = { before: model(), after: model() };
	expect(planPublished(models, defaultConfig(), [])).toMatchObject({
		forwarded: "audit",
		checked: true,
		reason: "",
		changes: [],
	});
});
