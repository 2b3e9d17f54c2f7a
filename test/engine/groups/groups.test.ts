import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAddress, parseAddress } from "../../../src/base/cidr.ts";
import type { Config } from "../../../src/config/model.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { decidePacket } from "../../../src/enforcers/network/compile/program.ts";
import { networkEnforcer } from "../../../src/enforcers/network/enforcer.ts";
import { PolicyEngine } from "../../../src/engine/policy-engine.ts";
import { manifestFile, signatureFile } from "../../../src/source/manifest.ts";
import { signManifest } from "../../../src/source/policy-signature.ts";
import { publicText } from "../../../src/source/signing-key.ts";
import { policy } from "../../system/support/case.ts";

let home: string;
let directory: string;
let state: string;

beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-groups-"));
	directory = join(home, "policies");
	state = join(home, "state");
	mkdirSync(directory);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);

function group(name: string, spec: object): string {
	return JSON.stringify({
		apiVersion: "portward.io/v1",
		kind: "PortwardAddressGroup",
		metadata: { name },
		spec,
	});
}

const naming = (name: string, action = "Block") =>
	policy(`names-${name}`, { action, ingress: [{ from: [{ group: name }] }] });

class Running {
	readonly #config: Config;
	readonly #engine: PolicyEngine;

	constructor(settings: Partial<Config> = {}) {
		this.#config = { ...defaultConfig(), policyDir: directory, stateDir: state, ...settings };
		const where = { directory, stateDirectory: state, checkPermissions: false, hostname: "h1" };
		this.#engine = new PolicyEngine({ ...where, config: this.#config });
	}

	reload() {
		const { diagnostics, complete, lastGood, feeds } = this.#engine.reload(this.#config);
		return {
			errors: diagnostics.filter(({ severity }) => severity === "error").map(({ code }) => code),
			told: diagnostics.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`),
			complete,
			lastGood,
			feeds: feeds.map(({ state, blocks }) => [state, blocks]),
		};
	}

	/** The same, taken in force. */
	take() {
		const reloaded = this.reload();
		expect(this.#engine.keep()).toBeNull();
		return reloaded;
	}

	verdict(text: string) {
		const address = parseAddress(text);
		const { kept } = this.#engine.standing(networkEnforcer);
		if (!("value" in address) || kept === null) throw new Error("no verdict");
		const { family, value } = address;
		const packet = {
			direction: "ingress",
			family,
			address: value,
			interface: "eth0",
			protocol: "tcp",
		} as const;
		return decidePacket(kept, { ...packet, port: 80, source: 40000 }).action;
	}
}

describe("a group", () => {
	test("is who its members are, in whatever file", () => {
		put("group.yaml", group("bad", { cidrs: ["10.0.0.0/8", "2001:db8::/32"], except: ["10.1.0.0/16"] }));
		put("policy.yaml", naming("bad"));
		const running = new Running();
		expect(running.take()).toMatchObject({ errors: [], complete: true, lastGood: false });
		expect(["10.0.0.1", "10.1.0.1", "2001:db8::1", "192.0.2.1"].map((one) => running.verdict(one))).toEqual([
			"Block",
			"Allow",
			"Block",
			"Allow",
		]);
		put("group.yaml", group("bad", { cidrs: ["192.0.2.0/24"] }));
		expect(running.take().errors).toEqual([]);
		expect(["10.0.0.1", "192.0.2.1"].map((one) => running.verdict(one))).toEqual(["Allow", "Block"]);
	});

	test("that is gone leaves the policy as it was, also over a restart", () => {
		put("group.yaml", group("office", { cidrs: ["10.0.0.0/8"] }));
		put("policy.yaml", naming("office", "Allow"));
		new Running().take();
		rmSync(join(directory, "group.yaml"));
		for (let start = 0; start < 3; start++) {
			const running = new Running();
			expect(running.take()).toMatchObject({ errors: ["unknown-group"], lastGood: true, complete: true });
			expect(["10.0.0.1", "192.0.2.1"].map((one) => running.verdict(one))).toEqual(["Allow", "Block"]);
		}
	});

	test("that becomes empty does not open what an Allow closed", () => {
		put("group.yaml", group("office", { cidrs: ["10.0.0.0/8"] }));
		put("policy.yaml", naming("office", "Allow"));
		const running = new Running();
		running.take();
		put("group.yaml", group("office", { cidrs: [] }));
		expect(running.take()).toMatchObject({ errors: ["empty-group"], lastGood: true });
		expect(["10.0.0.1", "192.0.2.1"].map((one) => running.verdict(one))).toEqual(["Allow", "Block"]);
	});

	test("that is broken keeps its last good version, and the policy its members", () => {
		put("group.yaml", group("bad", { cidrs: ["10.0.0.0/8"] }));
		put("policy.yaml", naming("bad"));
		new Running().take();
		put("group.yaml", group("bad", { cidrs: ["nonsense"] }));
		const running = new Running();
		expect(running.take()).toMatchObject({ errors: ["bad-cidr"], lastGood: true, complete: true });
		expect(running.verdict("10.0.0.1")).toBe("Block");
	});

	test("of which there are two is neither", () => {
		put("a.yaml", group("bad", { cidrs: ["10.0.0.0/8"] }));
		put("b.yaml", group("bad", { cidrs: ["192.0.2.0/24"] }));
		put("policy.yaml", naming("bad"));
		const running = new Running();
		expect(running.take().errors.toSorted()).toEqual(["duplicate-name", "duplicate-name", "unusable-group"]);
		expect(running.verdict("10.0.0.1")).toBe("Allow");
	});

	test("that nobody names changes nothing", () => {
		put("group.yaml", group("bad", { cidrs: ["10.0.0.0/8"] }));
		const running = new Running();
		expect(running.take()).toMatchObject({ errors: [], complete: true });
		expect(running.verdict("10.0.0.1")).toBe("Allow");
	});
});

describe("a group's file", () => {
	const list = (text: string) => writeFileSync(join(directory, "bad.txt"), text);
	const many = (count: number) =>
		Array.from({ length: count }, (_, i) => `${formatAddress(4, BigInt(0x0a000000 + i))}\n`).join("");
	const start = (spec: object = {}) => {
		put("group.yaml", group("bad", { file: "bad.txt", ...spec }));
		put("policy.yaml", naming("bad"));
		return new Running();
	};

	test("is read beside the policy that names it, and again when it changes", () => {
		list("10.0.0.0/8 # all of it\n");
		const running = start({ cidrs: ["192.0.2.0/24"] });
		expect(running.take()).toMatchObject({ errors: [], complete: true, feeds: [["current", 1]] });
		expect(["10.0.0.1", "192.0.2.1"].map((one) => running.verdict(one))).toEqual(["Block", "Block"]);
		list("198.51.100.0/24\n");
		running.take();
		expect(["10.0.0.1", "198.51.100.1"].map((one) => running.verdict(one))).toEqual(["Allow", "Block"]);
	});

	test("that is broken, gone, or too small keeps its last good list, also over a restart", () => {
		list(many(10));
		start().take();
		const stands = () => {
			const running = new Running();
			const reloaded = running.take();
			expect(reloaded).toMatchObject({ lastGood: true, complete: true, feeds: [["last-good", 10]] });
			expect(["10.0.0.9", "10.0.0.10"].map((one) => running.verdict(one))).toEqual(["Block", "Allow"]);
			return reloaded;
		};
		list("10.0.0.0/8\n\n10.0.0.300\n");
		const broken = stands();
		expect(broken.errors).toEqual(["bad-list"]);
		expect(broken.told[0]).toStartWith(`${join(directory, "bad.txt")}:3:1: 10.0.0.300 has a part above 255`);
		expect(broken.told[0]).toEndWith("the last good list of 10 blocks stays");
		rmSync(join(directory, "bad.txt"));
		expect(stands().errors).toEqual(["unreadable-file"]);
		list(many(4));
		expect(stands().errors).toEqual(["feed-shrank"]);
		list("");
		expect(stands().errors).toEqual(["feed-shrank"]);
		list(many(5));
		expect(new Running().take()).toMatchObject({ errors: [], lastGood: false, feeds: [["current", 5]] });
	});

	test("may shrink by as much as the group says", () => {
		list(many(10));
		start({ maxShrink: "100%" }).take();
		list(many(1));
		expect(start({ maxShrink: 0 }).take().feeds).toEqual([["last-good", 10]]);
		expect(start({ maxShrink: "90%" }).take().feeds).toEqual([["current", 1]]);
	});

	test("that was never good leaves what names it out of force, and says so", () => {
		const running = start();
		expect(running.take()).toMatchObject({ complete: false, feeds: [["unusable", null]] });
		expect(running.reload().errors.toSorted()).toEqual(["unreadable-file", "unusable-group"]);
		expect(running.verdict("10.0.0.1")).toBe("Allow");
	});

	test("is taken in force with the set, and not before", () => {
		list(many(10));
		const running = start();
		running.take();
		list(many(6));
		running.reload();
		list(many(4));
		// Of ten, not of six: these were never in force.
		expect(running.take().feeds).toEqual([["last-good", 10]]);
	});

	test("leaves no lists behind that nothing names", () => {
		const running = start({ maxShrink: 100 });
		for (let count = 1; count < 6; count++) {
			list(many(count));
			running.take();
		}
		const kept = readdirSync(join(state, "lists"));
		expect(kept.length).toBeGreaterThan(0);
		expect(kept.length).toBeLessThan(3);
		rmSync(join(directory, "group.yaml"));
		rmSync(join(directory, "policy.yaml"));
		running.take();
		running.take();
		new Running().take();
		put("policy.yaml", policy("other", { ingress: [{}] }));
		new Running().take();
		expect(readdirSync(join(state, "lists")).length).toBeLessThan(3);
	});
});

describe("in a signed set", () => {
	const { privateKey } = generateKeyPairSync("ed25519");
	const list = (text: string) => writeFileSync(join(home, "bad.txt"), text);

	/** Signs what lies in the directory, with the list as it is now unless `unsigned`. */
	function sign(serial: number, unsigned = false, listed = !unsigned): void {
		put(
			"group.yaml",
			group("bad", { file: "../bad.txt", maxShrink: 100, ...(unsigned ? { unsigned } : {}) }),
		);
		put("policy.yaml", naming("bad"));
		const hash = (path: string) => new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
		const files = ["group.yaml", "policy.yaml"].map((path) => ({
			path,
			sha256: hash(join(directory, path)),
		}));
		const feeds = !listed ? [] : [{ path: "../bad.txt", sha256: hash(join(home, "bad.txt")) }];
		const created = new Date().toISOString();
		const signed = signManifest({ serial, created, files, feeds }, privateKey);
		writeFileSync(join(directory, manifestFile), signed.manifest);
		writeFileSync(join(directory, signatureFile), signed.signature);
	}

	const running = () =>
		new Running({ policySignature: "required", trustedKeys: [publicText(privateKey)] } as const);

	test("a list is taken as it was signed, or not at all", () => {
		list("10.0.0.0/8\n");
		sign(1);
		const daemon = running();
		expect(daemon.take()).toMatchObject({ errors: [], feeds: [["current", 1]] });
		expect(daemon.verdict("10.0.0.1")).toBe("Block");
		list("192.0.2.0/24\n");
		expect(daemon.take()).toMatchObject({ errors: ["altered-feed"], feeds: [["last-good", 1]] });
		expect(["10.0.0.1", "192.0.2.1"].map((one) => daemon.verdict(one))).toEqual(["Block", "Allow"]);
		expect(running().take().feeds).toEqual([["last-good", 1]]);
		sign(2);
		expect(daemon.take()).toMatchObject({ errors: [], feeds: [["current", 1]] });
		expect(["10.0.0.1", "192.0.2.1"].map((one) => daemon.verdict(one))).toEqual(["Allow", "Block"]);
	});

	test("a list that the signed group calls unsigned may change", () => {
		list("10.0.0.0/8\n");
		sign(1, true);
		const daemon = running();
		expect(daemon.take().feeds).toEqual([["current", 1]]);
		list("192.0.2.0/24\n");
		expect(daemon.take()).toMatchObject({ errors: [], feeds: [["current", 1]] });
		expect(daemon.verdict("192.0.2.1")).toBe("Block");
	});

	test("a list that is not among what was signed is taken by nobody", () => {
		list("10.0.0.0/8\n");
		sign(1, false, false);
		const daemon = running();
		expect(daemon.reload()).toMatchObject({ feeds: [["unusable", null]], complete: false });
		expect(daemon.reload().errors.toSorted()).toEqual(["unsigned-feed", "unusable-group"]);
	});
});
