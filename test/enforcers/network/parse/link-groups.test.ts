import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatCidr, parseCidr } from "../../../../src/base/cidr.ts";
import type { Cidr } from "../../../../src/base/model.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import type { NetworkPlan } from "../../../../src/enforcers/network/compile/plan.ts";
import { decidePacket } from "../../../../src/enforcers/network/compile/program.ts";
import type {
	GroupMembers,
	IpBlock,
	NetworkPolicy,
	NetworkRule,
} from "../../../../src/enforcers/network/model.ts";
import {
	isLinked,
	linkGroups,
	membersIn,
	membersOf,
} from "../../../../src/enforcers/network/parse/link-groups.ts";
import { brief, policyText, valid } from "../../../engine/support/policy.ts";
import { packets, policySets } from "../compile/generate.ts";
import { options } from "../compile/options.ts";
import { judge } from "../compile/oracle.ts";

const place = { file: "g.yaml", line: 1, column: 1 };

function block(text: string): Cidr {
	const parsed = parseCidr(text);
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.cidr;
}

function group(name: string, cidrs: readonly string[], except: readonly string[] = []): GroupMembers {
	const written = cidrs.map((cidr, i) => ({ cidr: block(cidr), place: { ...place, line: 10 + i } }));
	return membersOf({ name, place, cidrs: written, except: except.map(block) }, null);
}

const written = ({ blocks }: GroupMembers) =>
	blocks.map(({ cidr, except }) => [formatCidr(cidr), ...except.map(formatCidr)].join(" "));

describe("who is in a group", () => {
	test("what an exception holds whole is no member, and what it holds in part is a hole", () => {
		const members = group(
			"g",
			["10.0.0.0/8", "10.1.2.0/24", "192.0.2.0/24", "2001:db8::/32"],
			["10.1.0.0/16", "10.200.0.0/16", "192.0.2.0/24", "2001:db8:1::/48"],
		);
		expect(written(members)).toEqual([
			"10.0.0.0/8 10.1.0.0/16 10.200.0.0/16",
			"2001:db8::/32 2001:db8:1::/48",
		]);
	});

	test("the digest tells members apart, wherever they come from", () => {
		const one = group("g", ["10.0.0.0/8"]);
		expect(group("g", ["10.0.0.0/8"]).digest).toBe(one.digest);
		expect(group("g", ["10.0.0.0/9"]).digest).not.toBe(one.digest);
		expect(group("g", [], ["10.0.0.0/8"]).digest).not.toBe(one.digest);
		const list = { sha256: "00", blocks: [] };
		expect(membersOf({ ...one.group }, list).digest).not.toBe(one.digest);
	});
});

describe("a rule with groups", () => {
	const policy = (action: string, entries: string) =>
		valid(policyText(`action: ${action}\ningress: [{from: [${entries}]}]`));
	const link = (from: NetworkPolicy, ...groups: GroupMembers[]) =>
		linkGroups(from, new Map(groups.map((one) => [one.name, one])));

	test("has their members, each group once", () => {
		const office = group("office", ["10.0.0.0/8"]);
		const { policy: linked, diagnostics } = link(
			policy("Block", "{ipBlock: {cidr: 192.0.2.0/24}}, {group: office}, {group: office}"),
			office,
		);
		expect(diagnostics).toEqual([]);
		expect(linked.ingress[0]?.peers.map(({ cidr }) => formatCidr(cidr))).toEqual([
			"192.0.2.0/24",
			"10.0.0.0/8",
		]);
		expect(membersIn(linked)).toEqual([office]);
		expect(isLinked(linked, new Map([["office", office]]))).toBe(true);
		expect(isLinked(linked, new Map([["office", group("office", ["10.0.0.0/8"])]]))).toBe(false);
	});

	test("is not used where one of them is not known, and the nearest name is told", () => {
		const { diagnostics } = link(policy("Allow", "{group: ofice}"), group("office", ["10.0.0.0/8"]));
		expect(brief(diagnostics)).toEqual(["error unknown-group spec.ingress[0].from[0].group"]);
		expect(diagnostics[0]?.hint).toBe("did you mean office?");
		expect(diagnostics[0]).toMatchObject({ file: "p.yaml", line: 10 });
		const broken = linkGroups(policy("Allow", "{group: office}"), new Map([["office", null]]));
		expect(brief(broken.diagnostics)).toEqual(["error unusable-group spec.ingress[0].from[0].group"]);
	});

	test("that allows nobody is an error; one that blocks nobody is a warning, and blocks nobody", () => {
		const empty = group("office", ["10.0.0.0/8"], ["10.0.0.0/8"]);
		expect(brief(link(policy("Allow", "{group: office}"), empty).diagnostics)).toEqual([
			"error empty-group spec.ingress[0].from[0].group",
		]);
		const { policy: linked, diagnostics } = link(policy("Block", "{group: office}"), empty);
		expect(brief(diagnostics)).toEqual(["warning empty-group spec.ingress[0].from[0].group"]);
		const compiled = compileNetwork([linked], options);
		if (!compiled.ok) throw new Error("refused");
		for (const address of ["10.0.0.1", "0.0.0.0", "2001:db8::1"]) {
			const { family, base } = block(address);
			const packet = {
				direction: "ingress",
				family,
				address: base,
				interface: "eth0",
				protocol: "tcp",
			} as const;
			expect(decidePacket(compiled.model, { ...packet, port: 80, source: 1 }).action).toBe("Allow");
		}
	});

	test("is refused where nobody linked it", () => {
		const compiled = compileNetwork([policy("Allow", "{group: office}")], options);
		expect(compiled.ok).toBe(false);
		expect(brief(compiled.diagnostics)).toEqual(["error unknown-group spec.ingress[0].from[0].group"]);
	});

	test("stays the same rule while members come and go", () => {
		const ids = [["10.0.0.0/8"], ["10.0.0.0/8", "192.0.2.0/24"]].map((cidrs) => {
			const compiled = compileNetwork(
				[link(policy("Block", "{group: office}"), group("office", cidrs)).policy],
				options,
			);
			return compiled.ok ? compiled.plan.rules.map(({ id, counter }) => [id, counter]) : null;
		});
		expect(ids[0]).toEqual(ids[1]);
		expect(ids[0]).not.toBeNull();
	});
});

/** What a rule says of its peers, put into groups: by twos, some of them shared with other rules. */
function grouped(rule: NetworkRule, groups: Map<string, GroupMembers>, split: number): NetworkRule {
	if (rule.peers.length === 0) return rule;
	const own = rule.peers.slice(0, split % (rule.peers.length + 1));
	const rest = rule.peers.slice(own.length);
	if (rest.length === 0) return rule;
	const uses = rest.map((peer, i) => {
		// Holes of one block would cut another of the same group.
		const key = JSON.stringify([formatCidr(peer.cidr), peer.except.map(formatCidr)]);
		const known = [...groups.values()].find((one) => keyOf(one) === key);
		const name = known?.name ?? `g${groups.size}`;
		groups.set(name, known ?? membersOf({ name, place, cidrs: [peer], except: peer.except }, null));
		return { name, place, path: `from[${i}]`, members: null };
	});
	return { ...rule, peers: own, groups: { own, uses } };
}

function keyOf({ group: { cidrs, except } }: GroupMembers): string {
	return JSON.stringify([formatCidr(cidrs[0]?.cidr ?? block("10.0.0.0/8")), except.map(formatCidr)]);
}

/** A peer whose holes leave nothing is no member, so a rule may be left with none: that is told, and not compared. */
const holdsAny = ({ cidr, except }: IpBlock) => except.every(({ prefix }) => prefix > cidr.prefix);

/** The names of objects are digests, of rules' identities among others: numbers in their order take their place. */
function anonymous(plan: NetworkPlan): string {
	const rules = new Map(plan.rules.map(({ id }, i) => [id, `rule${i}`]));
	let text = JSON.stringify([plan.objects, plan.roots, plan.guard, plan.defaultDrop, plan.allowlistMode]);
	for (const [id, name] of rules) text = text.replaceAll(id, name);
	for (const [i, { name }] of plan.objects.entries()) {
		if (/[0-9a-f]{16}/.test(name)) text = text.replaceAll(name, `object${i}`);
	}
	return text;
}

test("sets with groups mean, and compile to, what the same sets written out do", () => {
	fc.assert(
		fc.property(
			policySets,
			fc.array(packets, { minLength: 5, maxLength: 30 }),
			fc.nat(3),
			(sets, asked, split) => {
				const groups = new Map<string, GroupMembers>();
				const plain = sets.map((policy): NetworkPolicy => {
					const whole = (rule: NetworkRule) => ({ ...rule, peers: rule.peers.filter(holdsAny) });
					return { ...policy, ingress: policy.ingress.map(whole), egress: policy.egress.map(whole) };
				});
				const named = plain.map((policy) => {
					const into = (rule: NetworkRule) => grouped(rule, groups, split);
					return { ...policy, ingress: policy.ingress.map(into), egress: policy.egress.map(into) };
				});
				const linked = named.map((policy) => linkGroups(policy, groups));
				expect(linked.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
				const one = compileNetwork(plain, options);
				const other = compileNetwork(
					linked.map(({ policy }) => policy),
					options,
				);
				if (!one.ok || !other.ok) throw new Error("refused");
				expect(anonymous(other.plan)).toBe(anonymous(one.plan));
				for (const packet of asked) {
					const verdict = decidePacket(other.model, packet);
					const expected = judge(plain, { posture: "block", allowlistScope: "direction" }, packet);
					expect([verdict.action, verdict.rule?.policy ?? null, verdict.rule?.index ?? -1]).toEqual([
						expected.action,
						expected.policy,
						expected.index,
					]);
				}
			},
		),
		{ numRuns: 60 },
	);
});
