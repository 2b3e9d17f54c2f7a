/** An engine that has seen every change before says what one says that sees the directory for the first time. */

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { defaultConfig } from "../../src/config/parse.ts";
import { sentTo } from "../../src/enforcers/contract/enforcer.ts";
import { networkEnforcer } from "../../src/enforcers/network/enforcer.ts";
import { PolicyEngine } from "../../src/engine/policy-engine.ts";
import { block, documents, policy, port } from "../system/support/case.ts";

const names = fc.constantFrom("a", "b", "c", "d");
const actions = fc.constantFrom("Allow", "Audit", "Block");
const blocks = fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "2001:db8::/32");
const rule = fc.record({
	blocks: fc.array(blocks, { maxLength: 2 }),
	port: fc.option(fc.constantFrom(22, 80, 443), { nil: null }),
	action: fc.option(actions, { nil: null }),
	iface: fc.boolean(),
});
const rules = fc.array(rule, { maxLength: 3 });
const direction = fc.constantFrom("ingress", "egress");

const document = fc.tuple(names, actions, direction, rules).map(([name, action, way, written]) =>
	policy(name, {
		action,
		[way]: written.map((one) => ({
			...(one.blocks.length === 0
				? {}
				: { [way === "ingress" ? "from" : "to"]: one.blocks.map((cidr) => block(cidr)) }),
			...(one.port === null ? {} : { ports: [port("TCP", one.port)] }),
			...(one.action === null ? {} : { action: one.action }),
			...(one.iface ? { iface: ["eth0"] } : {}),
		})),
	}),
);

/** Some are broken: their last good versions stand in, and those are remembered in another way. */
const text = fc.oneof(
	{ weight: 6, arbitrary: document },
	{ weight: 2, arbitrary: fc.tuple(document, document).map(([one, other]) => documents(one, other)) },
	{ weight: 1, arbitrary: fc.constantFrom("", "a: [", "kind: KubeArmorNetworkPolicy\nspec: 1\n") },
);
const file = fc.constantFrom("1.yaml", "2.yaml", "3.json", "below/4.yaml");
/** Null deletes the file. */
const change = fc.tuple(file, fc.option(text, { nil: null, freq: 4 }));
const changes = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 6 });

function alike(steps: readonly (readonly (readonly [string, string | null])[])[]): void {
	const home = mkdtempSync(join(tmpdir(), "portward-incremental-"));
	const directory = join(home, "policies");
	mkdirSync(join(directory, "below"), { recursive: true });
	const config = defaultConfig();
	const settings = {
		directory,
		stateDirectory: join(home, "state"),
		checkPermissions: false,
		hostname: "h",
		config,
	};
	const make = () => new PolicyEngine(settings);
	const wishes = { [networkEnforcer.name]: { epoch: "e", form: "concatenated" } };
	const said = (engine: PolicyEngine) => {
		const { parsed: _, ...rest } = engine.reload(config, wishes);
		return rest;
	};
	try {
		const running = make();
		for (const step of steps) {
			for (const [name, content] of step) {
				if (content === null) rmSync(join(directory, name), { force: true });
				else writeFileSync(join(directory, name), content);
			}
			const fresh = said(make());
			expect(said(running)).toEqual(fresh);
			if (sentTo(networkEnforcer, fresh.sent)?.plan) expect(running.keep()).toBeNull();
		}
	} finally {
		rmSync(home, { recursive: true, force: true });
	}
}

test("after any sequence of changes", () => {
	fc.assert(fc.property(changes, alike), { numRuns: 60 });
});
