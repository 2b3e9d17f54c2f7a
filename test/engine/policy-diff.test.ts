import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { defaultConfig } from "../../src/config/parse.ts";
import type { Described } from "../../src/enforcers/contract/describe.ts";
import { compileNetwork } from "../../src/enforcers/network/compile/network.ts";
import { networkEnforcer } from "../../src/enforcers/network/enforcer.ts";
import type { NetworkPolicy } from "../../src/enforcers/network/model.ts";
import { DeviceRuleset, selectEntries } from "../../src/enforcers/usb/compile/ruleset.ts";
import { usbEnforcer } from "../../src/enforcers/usb/enforcer.ts";
import type { HostDevicePolicy } from "../../src/enforcers/usb/model.ts";
import { devicePart } from "../../src/enforcers/usb/model.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { type Change, diffSets, isEmptyDiff, type SetPart } from "../../src/engine/policy-diff.ts";
import { policy, rule } from "../enforcers/network/compile/build.ts";
import { policySets } from "../enforcers/network/compile/generate.ts";
import { options } from "../enforcers/network/compile/options.ts";

// Many random cases: on a busy machine they take longer than the usual 5 s.
setDefaultTimeout(180_000);

function set(
	network: readonly NetworkPolicy[],
	devices: readonly HostDevicePolicy[] = [],
): readonly SetPart[] {
	const compiled = compileNetwork(network, options);
	if (!compiled.ok) throw new Error("the sample does not compile");
	const ruleset = new DeviceRuleset(selectEntries(devices), "block");
	return [
		{ enforcer: networkEnforcer, parts: network, kept: compiled.model },
		{ enforcer: usbEnforcer, parts: devices, kept: ruleset },
	];
}

function usb(...matchDevice: Readonly<Record<string, unknown>>[]): HostDevicePolicy {
	const text = JSON.stringify({
		apiVersion: "security.kubearmor.com/v1",
		kind: "KubeArmorHostPolicy",
		metadata: { name: "usb" },
		spec: { nodeSelector: { matchLabels: { a: "b" } }, device: { matchDevice } },
	});
	const [found] = devicePart.in(parsePolicyFile("a.json", text).documents);
	if (found === undefined) throw new Error("the sample does not parse");
	return found;
}

/** `+ a[0]`, `- a[0]`, `~ a[0]`. */
function told(changes: readonly Change[]): string[] {
	return changes.map(({ before, after }) => {
		const sign = before === null ? "+" : after === null ? "-" : "~";
		return `${sign} ${(after ?? before)?.policy}[${(after ?? before)?.index}]`;
	});
}

const settings = { ...defaultConfig(), hostDefaultDevicePosture: "block" as const };

/** What changes, with the rules of packets and the entries of devices apart. */
function diff(before: readonly SetPart[], after: readonly SetPart[]) {
	const found = diffSets(before, after, settings);
	expect(found.lists.map(({ key }) => key)).toEqual(["rules", "usbEntries"]);
	const [rules, devices] = found.lists.map(({ changes }) => changes);
	if (rules === undefined || devices === undefined) throw new Error("two enforcers have two lists");
	return { ...found, rules, devices };
}

describe("rules", () => {
	const ssh = rule("Block", { ports: ["tcp/22"], peers: ["10.0.0.0/8", "2001:db8::/32"] });
	const web = rule("Block", { ports: ["tcp/80-81"] });
	const dns = rule("Audit", { ports: ["udp/53"] });

	test("that are written in another order, or moved within their policy, are no change", () => {
		const turned = { ...ssh, peers: [...ssh.peers].reverse() };
		const found = diff(set([policy("a", ssh, web)]), set([policy("a", web, turned)]));
		expect(found.rules).toEqual([]);
		expect(isEmptyDiff(found)).toBe(true);
	});

	test("are added, removed and changed at their position", () => {
		const before = set([policy("a", ssh, web), policy("b", dns), policy("c", dns)]);
		const after = set([
			policy("a", dns, ssh),
			policy("b", rule("Audit", { ports: ["udp/54"] })),
			policy("d", dns),
		]);
		const found = diff(before, after);
		expect(told(found.rules)).toEqual(["+ a[0]", "- a[1]", "~ b[0]", "- c[0]", "+ d[0]"]);
		expect(found.rules[2]).toMatchObject({
			before: { conditions: { from: [], ports: ["UDP 53"], iface: [] } },
			after: { conditions: { ports: ["UDP 54"] } },
		});
		expect(isEmptyDiff(found)).toBe(false);
	});

	test("turn any set into any other, and none into itself", () => {
		const content = ({ index: _index, place: _place, ...rest }: Described) => JSON.stringify(rest);
		const all = (policies: readonly NetworkPolicy[]) =>
			diff(set([]), set(policies)).rules.flatMap(({ after }) => (after === null ? [] : [content(after)]));
		fc.assert(
			fc.property(policySets, policySets, (before, after) => {
				const rules = all(before);
				for (const change of diff(set(before), set(after)).rules) {
					if (change.before !== null) rules.splice(rules.indexOf(content(change.before)), 1);
					if (change.after !== null) rules.push(content(change.after));
				}
				expect(rules.sort()).toEqual(all(after).sort());
				expect(isEmptyDiff(diff(set(after), set(after)))).toBe(true);
			}),
			{ numRuns: 80 },
		);
	});

	test("tell every condition", () => {
		const full = rule("Block", {
			peers: ["10.0.0.0/8 except 10.1.0.0/16 10.2.0.0/16"],
			ports: ["tcp", "udp/5-6", "udp/5<67", "tcp<1-2", "1", "58<128", "1<42", "47", "253"],
			interfaces: ["eth*"],
		});
		expect(diff(set([]), set([policy("a", full)])).rules[0]?.after?.conditions).toEqual({
			from: ["10.0.0.0/8 except 10.1.0.0/16, 10.2.0.0/16"],
			ports: [
				"GRE",
				"ICMP",
				"ICMP 42",
				"ICMPv6 echo-request",
				"TCP",
				"TCP from port 1-2",
				"UDP 5 from port 67",
				"UDP 5-6",
				"protocol 253",
			],
			iface: ["eth*"],
		});
	});

	test("that only say something else in their alerts changed", () => {
		const found = diff(set([policy("a", dns)]), set([policy("a", { ...dns, message: "hey" })]));
		expect(told(found.rules)).toEqual(["~ a[0]"]);
	});
});

test("an Allow changes what becomes of the rest of its direction", () => {
	const found = diff(set([]), set([policy("a", rule("Allow", { ports: ["tcp/22"] }))]));
	expect(found.defaults).toEqual({
		ingress: {
			before: { allowlistMode: false, unmatched: "accept" },
			after: { allowlistMode: true, unmatched: "block" },
		},
		egress: {
			before: { allowlistMode: false, unmatched: "accept" },
			after: { allowlistMode: false, unmatched: "accept" },
		},
		device: {
			before: { allowlistMode: false, unmatched: "accept" },
			after: { allowlistMode: false, unmatched: "accept" },
		},
	});
});

test("device entries, and what becomes of devices without one", () => {
	const before = set([], [usb({ class: "HID", action: "Block" }, { class: "ALL", action: "Audit" })]);
	const after = set(
		[],
		[usb({ class: "ALL", action: "Audit" }, { class: 8, vendorId: "0781", action: "Allow" })],
	);
	const found = diff(before, after);
	expect(told(found.devices)).toEqual(["- usb[0]", "+ usb[1]"]);
	expect(found.devices[1]?.after?.conditions).toMatchObject({ class: ["MASS-STORAGE"], vendorId: ["0781"] });
	expect(found.defaults.device).toEqual({
		before: { allowlistMode: false, unmatched: "accept" },
		after: { allowlistMode: true, unmatched: "block" },
	});
});
