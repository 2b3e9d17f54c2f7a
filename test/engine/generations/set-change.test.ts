import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../src/config/model.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { generationsToSave, savedGenerations } from "../../../src/engine/generations/saved.ts";
import { ChangeTeller, type Told } from "../../../src/engine/generations/set-change.ts";
import type { SetText } from "../../../src/engine/generations/set-text.ts";
import { PolicyEngine } from "../../../src/engine/policy-engine.ts";
import { generationLines, generationTitle } from "../../../src/report/generations/generation-text.ts";
import { devicePolicy } from "../../enforcers/usb/support/shapes.ts";
import { block, policy, port } from "../../system/support/case.ts";

let home: string;
let directory: string;

beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-change-"));
	directory = join(home, "policies");
	mkdirSync(directory);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const blocking = (name: string, number = 80) =>
	policy(name, { action: "Block", ingress: [{ ports: [port("TCP", number)] }] });

/** A thread that compiles, as the daemon has it: it may be another each time. */
class Thread {
	readonly #engine: PolicyEngine;
	readonly #teller = new ChangeTeller();

	constructor(config = defaultConfig()) {
		this.#engine = new PolicyEngine({
			directory,
			stateDirectory: join(home, "state"),
			checkPermissions: false,
			hostname: "h",
			config,
		});
	}

	/** Reads what is on disk, as in force, and tells what changed. */
	read(text: SetText | null, settings: Partial<Config> = {}, before: Config | null = null): Told {
		const config = { ...defaultConfig(), ...settings };
		this.#engine.reload(config);
		expect(this.#engine.keep()).toBeNull();
		const { enforced: documents, standingParts: parts } = this.#engine;
		return this.#teller.tell({ text, config: before }, { documents, parts, directory, config });
	}
}

const everywhere = { addresses: ["0.0.0.0/0", "::/0"], moreAddresses: 0, interface: null };

test("the first set is told against none, the next against the one before it, and no change is none", () => {
	put("a.yaml", blocking("a"));
	const thread = new Thread();
	const first = thread.read(null);
	expect(first.change).toEqual({
		files: { told: [{ change: "added", file: "a.yaml" }], more: 0 },
		settings: false,
		rules: {
			told: [{ change: "added", policy: "a", list: "ingress", index: 0, action: "Block" }],
			more: 0,
		},
		verdicts: {
			told: [
				{
					direction: "ingress",
					protocol: "tcp",
					ports: [80, 80],
					...everywhere,
					before: "Allow",
					after: "Block",
				},
			],
			more: 0,
		},
		problem: "",
	});
	expect(thread.read(null).change).toBeNull();
	put("a.yaml", blocking("a", 81));
	put("b.yaml", devicePolicy("b", [{ class: "HID", action: "Block" }]));
	expect(thread.read(null).change).toMatchObject({
		files: {
			told: [
				{ change: "changed", file: "a.yaml" },
				{ change: "added", file: "b.yaml" },
			],
		},
		rules: {
			told: [
				{ change: "changed", policy: "a" },
				{ policy: "b", list: "device" },
			],
		},
		verdicts: {
			told: [
				{ ports: [80, 80], before: "Block", after: "Allow" },
				{ ports: [81, 81], before: "Allow", after: "Block" },
			],
		},
	});
	rmSync(join(directory, "a.yaml"));
	expect(thread.read(null).change).toMatchObject({
		files: { told: [{ change: "removed", file: "a.yaml" }] },
		rules: { told: [{ change: "removed", policy: "a", action: "Block" }] },
		verdicts: { told: [{ ports: [81, 81], before: "Block", after: "Allow" }] },
	});
});

test("a thread that is new compares with the text that it is given", () => {
	put("a.yaml", blocking("a"));
	const { text } = new Thread().read(null);
	expect(new Thread().read(text).change).toBeNull();
	put("a.yaml", blocking("a", 82));
	const again: unknown = JSON.parse(JSON.stringify(text));
	expect(new Thread().read(again as SetText).change).toMatchObject({
		verdicts: { told: [{ ports: [80, 80] }, { ports: [82, 82] }] },
	});
});

test("what is forwarded is told where it changed otherwise than what is the host's own", () => {
	const scoped = (appliesTo: string) => {
		const { metadata, ...rest } = JSON.parse(blocking("a"));
		return JSON.stringify({
			...rest,
			metadata: { ...metadata, annotations: { "portward.io/applies-to": appliesTo } },
		});
	};
	const box = { told: [{ ports: [80, 80], before: "Allow", after: "Block" }], more: 0 };
	put("a.yaml", blocking("a"));
	const all = new Thread().read(null).change;
	expect(all).toMatchObject({ verdicts: box });
	expect(all).not.toHaveProperty("forwarded");
	put("a.yaml", scoped("guests"));
	const guests = new Thread().read(null).change;
	expect(guests).toMatchObject({ verdicts: { told: [], more: 0 }, forwarded: box });
	if (guests === null) throw new Error("no change");
	const rest = { time: "2026-01-01T00:00:00.000Z", generation: 1, confirmation: null, rollbackOf: null };
	const generation = { ...guests, ...rest };
	expect(generationTitle(generation)).toBe("1 rule, 0 verdicts of new connections, 1 of what is forwarded");
	const heading = "The same about what is forwarded to guests and from them";
	expect(generationLines(generation)).toContainEqual({
		heading,
		lines: ["Allow → Block: ingress tcp 80 from 0.0.0.0/0, ::/0"],
	});
	expect(savedGenerations(generationsToSave({ text: null, generations: [generation] }))).toEqual({
		text: null,
		generations: [generation],
	});
	put("a.yaml", scoped("host"));
	const host = new Thread().read(null).change;
	expect(host).toMatchObject({ verdicts: box, forwarded: { told: [], more: 0 } });
	if (host === null) throw new Error("no change");
	expect(generationLines({ ...host, ...rest })).toContainEqual({ heading, lines: ["nothing changed"] });
});

test("comments alone are no change, and settings that change verdicts are one", () => {
	put("a.yaml", policy("a", { action: "Allow", ingress: [{ ports: [port("TCP", 22)] }] }));
	const thread = new Thread();
	const { text } = thread.read(null, { hostDefaultNetworkPosture: "audit" });
	put("a.yaml", `# why\n${policy("a", { action: "Allow", ingress: [{ ports: [port("TCP", 22)] }] })}`);
	const second = thread.read(text, { hostDefaultNetworkPosture: "audit" });
	expect(second.change).toBeNull();
	expect(second.text.digest).not.toBe(text.digest);
	const { change } = thread.read(text, { hostDefaultNetworkPosture: "block" });
	expect(change).toMatchObject({ settings: true, files: { told: [] }, rules: { told: [], more: 0 } });
	expect(change?.verdicts?.told.some(({ before, after }) => before === "Audit" && after === "Block")).toBe(
		true,
	);
	// Where no packet is filtered, none has another verdict.
	expect(thread.read(text, { enableNetworkPolicyEnforcer: false }).change).toBeNull();
});

describe("sets that are large", () => {
	test("by their text: the files are told, and that the rest is not", () => {
		const thread = new Thread();
		put("a.yaml", blocking("a"));
		thread.read(null);
		for (let index = 0; index < 400; index++) put(`b${index}.yaml`, blocking(`b${index}`, 1000 + index));
		const { text, change } = thread.read(null);
		expect(text.documents).toBeNull();
		expect(change).toMatchObject({
			files: { more: 370 },
			rules: null,
			verdicts: null,
			problem: expect.stringContaining("too large"),
		});
		expect(change?.files.told).toHaveLength(30);
		expect(thread.read(null).change).toBeNull();
	});

	test("by what the text means", () => {
		const from = Array.from({ length: 60 }, (_, index) => block(`10.0.${index}.0/24`));
		const ports = Array.from({ length: 50 }, (_, index) => port("TCP", 1 + 2 * index));
		put("a.yaml", policy("a", { action: "Block", ingress: [{ from, ports }] }));
		const thread = new Thread();
		expect(thread.read(null).change).toMatchObject({ verdicts: null });
		// Neither is it compared with what is small again.
		put("a.yaml", blocking("a"));
		expect(thread.read(null).change).toMatchObject({ verdicts: null });
	});

	test("by their changes: the first are told, the rest is counted", () => {
		const rule = (index: number) => ({
			from: Array.from({ length: 20 }, (_, low) => block(`10.${index}.${2 * low}.0/24`)),
			ports: [port("TCP", 1000 + 2 * index)],
		});
		put("a.yaml", policy("a", { action: "Block", ingress: Array.from({ length: 40 }, (_, i) => rule(i)) }));
		const { change } = new Thread().read(null);
		expect(change).toMatchObject({ rules: { more: 10 }, verdicts: { more: 10 } });
		expect(change?.rules?.told).toHaveLength(30);
		expect(change?.verdicts?.told).toHaveLength(30);
		expect(change?.verdicts?.told[0]).toMatchObject({ moreAddresses: 8 });
	});
});

test("text that is no policy any more stands for none", () => {
	put("a.yaml", blocking("a"));
	const { text } = new Thread().read(null);
	const documents = [{ path: "x.yaml", index: 0, firstLine: 1, source: "kind: [" }];
	const broken = { ...text, digest: "other", documents };
	expect(new Thread().read(broken).change).toMatchObject({ rules: { told: [{ change: "added" }] } });
});

test("members of a group that come and go are told, as far as they are written in policies", () => {
	const group = (spec: object) =>
		JSON.stringify({
			apiVersion: "portward.io/v1",
			kind: "PortwardAddressGroup",
			metadata: { name: "g" },
			spec,
		});
	put("p.yaml", policy("p", { action: "Block", ingress: [{ from: [{ group: "g" }] }] }));
	put("g.yaml", group({ cidrs: ["10.0.0.0/24"] }));
	const first = new Thread().read(null);
	put("g.yaml", group({ cidrs: ["10.0.0.0/24", "192.0.2.0/24"] }));
	const { change, text } = new Thread().read(first.text);
	expect(change).toMatchObject({
		files: { told: [{ change: "changed", file: "g.yaml" }] },
		rules: { told: [{ change: "changed", policy: "p", index: 0 }] },
		verdicts: { told: [{ addresses: ["192.0.2.0/24"], before: "Allow", after: "Block" }] },
		problem: "",
	});
	expect(new Thread().read(text).change).toBeNull();
	writeFileSync(join(home, "list.txt"), "198.51.100.0/24\n");
	put("g.yaml", group({ file: "../list.txt" }));
	const fed = new Thread({ ...defaultConfig(), policyDir: directory }).read(text);
	expect(fed.change).toMatchObject({ rules: null, problem: expect.stringContaining("not remembered") });
	writeFileSync(join(home, "list.txt"), "198.51.100.0/25\n");
	const again = new Thread({ ...defaultConfig(), policyDir: directory }).read(fed.text);
	expect(again.change).toMatchObject({ rules: null, files: { told: [{ file: "g.yaml" }] } });
});
