/** The recipes of docs/recipes.md, as they stand there, with packets and devices. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseConfig } from "../../../src/config/parse.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import { decideDevice } from "../../../src/enforcers/usb/compile/decide.ts";
import { lintDeviceSet } from "../../../src/enforcers/usb/compile/lint.ts";
import { DeviceRuleset, selectEntries } from "../../../src/enforcers/usb/compile/ruleset.ts";
import { devicePart } from "../../../src/enforcers/usb/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { options } from "../../enforcers/network/compile/options.ts";
import { device } from "../../enforcers/usb/compile/sample.ts";
import { cross, type Expectation, expand } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

const text = readFileSync(resolve(import.meta.dir, "../../../docs/recipes.md"), "utf8");
const recipes = new Map(
	[...text.matchAll(/^## (.+)$([\s\S]*?)(?=^## |(?![\s\S]))/gm)].map(([, title = "", body = ""]) => [
		title,
		/```yaml\n([\s\S]*?)```/.exec(body)?.[1] ?? "",
	]),
);

const packets: Readonly<Record<string, Expectation>> = {
	"SSH only from X": {
		pass: cross(
			"ingress tcp 192.168.10.1|192.168.10.15 22",
			"ingress tcp 203.0.113.1|2001:db8::1 80",
			"ingress udp 203.0.113.1 22",
			"egress tcp 203.0.113.1|2001:db8::1 22",
		),
		drop: cross("ingress tcp 192.168.10.16|203.0.113.1|2001:db8::1 22"),
	},
	"DNS only through Y": {
		pass: cross(
			"egress udp|tcp 10.0.0.53 53",
			"egress tcp 203.0.113.1|2001:db8::1 443",
			"ingress udp 203.0.113.1 53",
		),
		drop: cross(
			"egress udp|tcp 8.8.8.8|2001:4860:4860::8888 53",
			"egress tcp 8.8.8.8|2001:4860:4860::8888 853",
		),
	},
	"Ping, and answers that come from a port": {
		pass: cross(
			"ingress icmp 198.51.100.7",
			"ingress icmpv6 2001:db8:51::7",
			"egress icmp 203.0.113.9",
			"ingress tcp 203.0.113.1|2001:db8::1 22",
		),
		drop: cross("ingress icmp 203.0.113.1", "ingress icmpv6 2001:db8::1"),
	},
	"A web server and nothing else": {
		pass: cross(
			"ingress tcp 203.0.113.1|2001:db8::1 80|443",
			"ingress tcp 192.168.10.3 22",
			"egress tcp|udp 203.0.113.1|2001:db8::1 25",
		),
		drop: cross("ingress tcp 203.0.113.1|2001:db8::1 22|25", "ingress udp 203.0.113.1|2001:db8::1 443"),
	},
	"Out only for names, time and HTTPS": {
		pass: cross(
			"egress udp|tcp 10.0.0.53 53",
			"egress udp 203.0.113.1|2001:db8::1 123",
			"egress tcp 203.0.113.1|2001:db8::1 443",
			"ingress tcp 203.0.113.1 22",
		),
		drop: cross("egress udp 8.8.8.8|2001:db8::1 53", "egress tcp 203.0.113.1|2001:db8::1 25"),
	},
};

let lab: Lab;
let prober: Prober;

beforeAll(async () => {
	lab = await Lab.create(["eth0"]);
	prober = new Prober(lab);
});
afterAll(() => {
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
});

test("every recipe is tried here, and a template is where it is said to be", () => {
	const templates = [...recipes].filter(([, yaml]) => yaml === "").map(([title]) => title);
	expect(templates).toEqual(["A rate limit for every service"]);
	const template = "policies/more/limit-every-service.yaml";
	expect(text).toContain(template);
	expect(existsSync(resolve(import.meta.dir, "../../..", template))).toBe(true);
	for (const title of templates) recipes.delete(title);
	expect([...recipes.keys()]).toEqual([...Object.keys(packets), "One stick", "Everything in audit first"]);
});

test.each(Object.entries(packets))("%s", async (title, expectation) => {
	const recipe = recipes.get(title) ?? "";
	await using daemon = await Daemon.start(lab.guarded, { policies: { "recipe.yaml": recipe } });
	const { lines, probes, passes } = expand(expectation);
	const passed = await prober.send(probes);
	expect(lines.filter((_, index) => passed[index] !== passes[index])).toEqual([]);
	const { policies } = await daemon.status();
	expect(
		policies.map(({ selected, enforced, diagnostics }) => ({ selected, enforced, diagnostics })),
	).toEqual([{ selected: true, enforced: true, diagnostics: [] }]);
	const [policy] = networkPart.in(parsePolicyFile("recipe.yaml", recipe).documents);
	if (policy === undefined) throw new Error("no network policy");
	expect(compileNetwork([policy], options).diagnostics).toEqual([]);
});

test("One stick", () => {
	const [document] = parsePolicyFile("recipe.yaml", recipes.get("One stick") ?? "").documents;
	const [policy] = devicePart.in(document ? [document] : []);
	if (policy === undefined) throw new Error("no device policy");
	expect(document?.diagnostics).toEqual([]);
	const ruleset = new DeviceRuleset(selectEntries([policy]), "audit");
	expect(lintDeviceSet(ruleset)).toEqual([]);
	const decide = (triples: string, ids: { vendorId: number; productId: number }, serial: string | null) => {
		const subject = device(triples, { serial });
		const descriptors = { ...subject.descriptors, ...ids };
		return decideDevice(ruleset, { ...subject, descriptors }, { mode: "apply", consoleKeyboard: false })
			.state;
	};
	const ours = { vendorId: 0x0781, productId: 0x5567 };
	expect(decide("00|08:06:50", ours, "4C530001")).toBe("authorized");
	expect(decide("00|08:06:50", ours, "4C530002")).toBe("refused");
	expect(decide("00|08:06:50", ours, null)).toBe("refused");
	expect(decide("00|08:06:62", { vendorId: 0x1234, productId: 0x5567 }, "4C530001")).toBe("refused");
	expect(decide("00|03:01:01", { vendorId: 0x1234, productId: 1 }, null)).toBe("authorized");
});

// What it does to packets: test/system/policies/enforcement.test.ts.
test("Everything in audit first", () => {
	const result = parseConfig("config.yaml", recipes.get("Everything in audit first") ?? "");
	expect(result.ok && result.config.enforcement).toBe("audit");
	expect(result.diagnostics.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
		"warning enforcement-audit",
	]);
});
