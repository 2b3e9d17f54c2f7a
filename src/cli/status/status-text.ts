/** The status for people: first what is wrong or will change by itself, then what is in force, then each policy. */

import * as v from "valibot";
import { escapeForTerminal } from "../../base/terminal.ts";
import { panicReason } from "../../daemon/panic-watch.ts";
import { describeFailsafe } from "../../enforcers/network/compile/failsafe.ts";
import { decidingChains, describeChain } from "../../enforcers/network/observe/foreign-chains.ts";
import { groupKind } from "../../enforcers/network/parse/group.ts";
import { describeObserving } from "../../enforcers/network/report/history/observing.ts";
import { otherKinds, packetKinds } from "../../engine/enforcers.ts";
import { describeConfinement } from "../../report/confinement.ts";
import { describeStaged } from "../../report/page/parts.ts";
import { describeStanding } from "../../report/signature-status.ts";
import { plural } from "../diagnostics.ts";
import { guestLines, guestsShape } from "./guests-text.ts";
import { limitLines, limitShape } from "./limits-text.ts";
import { kubearmorApiLine, kubearmorApiShape, sinkLine, sinkShape } from "./outlets-text.ts";
import { quotaLines, quotaShape } from "./quotas-text.ts";
import { matchText, ruleShape, unusedLines } from "./rule-use-text.ts";

const failsafeShape = v.looseObject({
	direction: v.picklist(["ingress", "egress"]),
	index: v.number(),
	protocol: v.nullable(v.string()),
	icmpType: v.nullable(v.string()),
	cidr: v.nullable(v.string()),
	port: v.nullable(v.string()),
	interface: v.nullable(v.string()),
	packets: v.number(),
});
const directions = <const S extends v.GenericSchema>(shape: S) => v.object({ ingress: shape, egress: shape });
const confined = v.object({ active: v.boolean(), detail: v.string() });

const chainShape = v.object({
	family: v.picklist(["inet", "ip", "ip6"]),
	table: v.string(),
	chain: v.string(),
	type: v.picklist(["filter", "nat", "route"]),
	hook: v.picklist(["prerouting", "input", "forward", "output", "postrouting"]),
	priority: v.number(),
	policy: v.nullable(v.picklist(["accept", "drop"])),
	tools: v.array(v.string()),
	legacy: v.boolean(),
});

const observingShape = v.object({
	enabled: v.boolean(),
	reason: v.string(),
	flows: v.number(),
	merged: v.number(),
	lost: v.number(),
	new: v.number(),
});

const groupShape = v.object({ group: v.string(), state: v.string(), blocks: v.nullable(v.number()) });

/** The parts of /v1/status that are printed. */
export const statusShape = v.object({
	version: v.string(),
	hostname: v.string(),
	panic: v.nullable(v.object({ since: v.string(), reason: v.string() })),
	signature: v.nullable(
		v.object({
			ok: v.boolean(),
			serial: v.nullable(v.number()),
			standing: v.nullable(v.picklist(["signed", "unknown", "none"])),
		}),
	),
	tests: v.nullable(v.object({ passed: v.number(), failed: v.number(), refused: v.boolean() })),
	groups: v.optional(v.array(groupShape), []),
	pending: v.nullable(
		v.object({ id: v.string(), from: v.string(), secondsLeft: v.number(), waiting: v.boolean() }),
	),
	ready: v.object({ ready: v.boolean(), body: v.string() }),
	enforcers: v.object({
		network: v.looseObject({
			state: v.string(),
			reason: v.string(),
			posture: v.string(),
			essentials: v.boolean(),
			allowlistMode: directions(v.boolean()),
			invalidPackets: v.object({
				ingress: v.number(),
				egress: v.number(),
				forward: v.optional(v.number(), 0),
			}),
			failsafe: v.array(failsafeShape),
			limits: v.optional(v.array(limitShape), []),
			quotas: v.optional(v.array(quotaShape), []),
			otherChains: v.optional(v.array(chainShape), []),
			guests: v.optional(guestsShape),
		}),
		usb: v.looseObject({
			state: v.string(),
			reason: v.string(),
			posture: v.string(),
			locked: v.boolean(),
			allowlistMode: v.boolean(),
		}),
	}),
	unmatched: directions(v.number()),
	usbAllowed: v.array(v.object({ port: v.string(), until: v.string() })),
	policies: v.array(
		v.looseObject({
			name: v.string(),
			file: v.string(),
			line: v.number(),
			selected: v.boolean(),
			enforced: v.boolean(),
			action: v.nullable(v.string()),
			kind: v.string(),
			packets: v.number(),
			decisions: v.object({
				Allow: v.optional(v.number()),
				Audit: v.optional(v.number()),
				Block: v.optional(v.number()),
			}),
			rules: v.optional(v.nullable(v.array(ruleShape)), []),
			staged: v.optional(
				v.nullable(
					v.object({
						evaluated: v.number(),
						wouldBlock: v.number(),
						sinceGeneration: v.number(),
						since: v.string(),
					}),
				),
				null,
			),
			mode: v.optional(v.picklist(["enforced", "staged"]), "enforced"),
			diagnostics: v.array(v.looseObject({ severity: v.string(), message: v.string() })),
		}),
	),
	drift: v.number(),
	observing: v.optional(observingShape),
	sinks: v.optional(v.array(sinkShape), []),
	kubearmorApi: v.optional(v.nullable(kubearmorApiShape), null),
	confinement: v.object({ systemCalls: confined, files: confined, writable: v.array(v.string()) }),
	warnings: v.array(v.string()),
});

export type Status = v.InferOutput<typeof statusShape>;
type Policy = Status["policies"][number];

/** A warning that this many policies have is told once, after them. */
const repeated = 3;
/** Policies of a repeated warning that are named. */
const mostNamed = 5;

/** Lines that no terminal obeys. @param now milliseconds since the epoch */
export function describeStatus(status: Status, now = Date.now()): string {
	const common = repeatedWarnings(status.policies);
	const lines = [
		...urgentLines(status),
		...networkLines(status),
		...usbLines(status),
		`the daemon itself ${describeConfinement(status.confinement)}`,
		...(status.drift > 0 ? [`changes by others that were undone: ${status.drift}`] : []),
		...status.sinks.map(sinkLine),
		...(status.kubearmorApi === null ? [] : [kubearmorApiLine(status.kubearmorApi)]),
		...grouped(status.warnings).map((warning) => `warning: ${warning}`),
		...status.policies.flatMap((policy) => policyLines(policy, common, now)),
		...[...common].map(([message, names]) => repeatedLine(message, names)),
	];
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

/** What stands open, waits or is refused. */
function urgentLines({
	panic,
	version,
	hostname,
	ready,
	pending,
	signature,
	tests,
	groups,
	usbAllowed,
}: Status): string[] {
	const lines = panic === null ? [] : [`OPEN: nothing is enforced on the network: ${panicReason(panic)}`];
	lines.push(`portward ${version} on ${hostname}: ${ready.body}`);
	if (pending !== null) {
		const { id, from, secondsLeft, waiting } = pending;
		const rest = waiting ? "; a change of the policy directory waits for that" : "";
		lines.push(`change ${id} (${from}) rolls back in ${secondsLeft} s unless portward confirm comes${rest}`);
	}
	if (signature !== null) {
		const { ok, serial, standing } = signature;
		const what = ok ? "signed" : `refused; ${describeStanding(standing)}`;
		const number = serial === null || (!ok && standing !== "signed") ? "" : `, serial ${serial}`;
		lines.push(`policies: ${what}${number}`);
	}
	if (tests !== null) {
		const { passed, failed, refused } = tests;
		const end = refused ? "; the policies on disk are refused, and what was good before stays" : "";
		lines.push(`tests of the policies: ${passed} passed, ${failed} failed${end}`);
	}
	for (const { group, state, blocks } of groups) {
		const what =
			state === "current" ? "its file as it is" : state === "last-good" ? "its last good list" : "unusable";
		lines.push(`group ${group}: ${what}${blocks === null ? "" : `, ${plural(blocks, "block")}`}`);
	}
	for (const { port, until } of usbAllowed) {
		lines.push(`USB port ${port} is allowed until ${until}, whatever the policies say`);
	}
	return lines;
}

function networkLines({ enforcers: { network }, policies, unmatched, observing }: Status): string[] {
	const lines = [enforcerLine("network", network)];
	if (network.state === "active") {
		const inForce = policies.some(({ enforced, kind }) => enforced && packetKinds.has(kind));
		if (inForce) {
			for (const direction of ["ingress", "egress"] as const) {
				lines.push(`${direction}: ${directionMode(network, direction, unmatched[direction])}`);
			}
		} else lines.push(policies.length === 0 ? "no policies: nothing is blocked" : noNetworkPolicies);
		lines.push(`posture: ${network.posture}; essentials: ${network.essentials ? "always accepted" : "off"}`);
		if (network.failsafe.length === 0) lines.push("failsafe: none");
	}
	for (const rule of network.failsafe)
		lines.push(`failsafe ${describeFailsafe(rule)}: ${plural(rule.packets, "packet")}`);
	lines.push(...limitLines(network.limits), ...quotaLines(network.quotas));
	for (const direction of ["ingress", "egress"] as const) {
		for (const chain of decidingChains(network.otherChains, direction))
			lines.push(`${direction}: ${describeChain(chain)} also decides`);
	}
	if (network.guests !== undefined) lines.push(...guestLines(network.guests));
	const { ingress, egress, forward } = network.invalidPackets;
	const forwarded = forward === 0 ? "" : `, ${forward} forwarded`;
	if (ingress + egress + forward > 0)
		lines.push(`packets that belong to no flow: ${ingress} ingress, ${egress} egress${forwarded}`);
	if (observing !== undefined && network.state === "active") {
		const told = describeObserving({ ...observing, newFlows: observing.new });
		lines.push(observing.enabled ? `flows: ${told}` : `flows are ${told}`);
	}
	return lines;
}

const noNetworkPolicies = "no network policies in force: nothing is blocked on the network";

function directionMode(
	{ allowlistMode, posture }: Status["enforcers"]["network"],
	direction: "ingress" | "egress",
	packets: number,
): string {
	if (!allowlistMode[direction]) return "what no rule matches passes";
	const rest = posture === "block" ? "dropped" : "let pass and alerted";
	return `allow-list, the rest is ${rest} (${plural(packets, "packet")})`;
}

function usbLines({ enforcers: { usb } }: Status): string[] {
	const lines = [enforcerLine("usb", usb)];
	if (usb.state !== "active") return lines;
	const rest = usb.posture === "block" ? "refused" : "let in and alerted";
	if (usb.allowlistMode) lines.push(`USB devices: allow-list, the rest is ${rest}`);
	if (usb.locked) lines.push("USB devices come up refused until they are judged");
	return lines;
}

function enforcerLine(name: string, { state, reason }: { state: string; reason: string }): string {
	return `${name}: ${state}${reason === "" ? "" : ` (${reason})`}`;
}

function policyLines(policy: Policy, common: ReadonlyMap<string, readonly string[]>, now: number): string[] {
	const head = `${nameOf(policy)}: ${stateOf(policy, now)} (${policy.file}:${policy.line})`;
	const own = policy.diagnostics.filter(
		({ severity, message }) => severity === "error" || !common.has(message),
	);
	return [
		head,
		...unusedLines(policy.rules ?? [], now).map((line) => `    ${line}`),
		...grouped(own.map(({ severity, message }) => `${severity}: ${message}`)).map((line) => `    ${line}`),
	];
}

function stateOf(policy: Policy, now: number): string {
	const { diagnostics, enforced, mode, selected, staged } = policy;
	if (mode === "staged" && selected)
		return staged === null ? "staged, not evaluated" : `staged, ${describeStaged(staged)}`;
	// Whom a file is for that cannot be read nobody knows, and it is not in force.
	const broken = diagnostics.some(({ severity }) => severity === "error");
	const state = enforced ? "enforced" : selected || broken ? "not enforced" : "not for this host";
	return `${state}, ${counts(policy)}${matchText(policy.rules ?? [], now)}`;
}

function nameOf({ name }: Policy): string {
	return name === "" ? "(no name)" : name;
}

/** What its rules did; a policy of one kind of rules says so with their action, which need not be the policy's own. */
function counts({ action, decisions, kind, packets }: Policy): string {
	// Device policies, for one, meet no packets.
	if (otherKinds.has(kind)) return action ?? "no action";
	if (kind === groupKind) return "a group of addresses";
	const words = { Allow: "allowed", Audit: "audited", Block: "blocked" } as const;
	const kinds = (["Allow", "Audit", "Block"] as const).filter((each) => decisions[each] !== undefined);
	if (kinds.length > 1) return kinds.map((each) => `${decisions[each]} ${words[each]}`).join(", ");
	return `${kinds[0] ?? action ?? "no action"}, ${plural(packets, "packet")}`;
}

/** Each text once, with how often it came, in the order of the first. */
function grouped(texts: readonly string[]): string[] {
	const counted = new Map<string, number>();
	for (const text of texts) counted.set(text, (counted.get(text) ?? 0) + 1);
	return [...counted].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`));
}

/** Warnings of so many policies that they are told once, with the policies that have them. */
function repeatedWarnings(policies: readonly Policy[]): Map<string, readonly string[]> {
	const names = new Map<string, Set<string>>();
	for (const policy of policies) {
		for (const { severity, message } of policy.diagnostics) {
			if (severity === "error") continue;
			const known = names.get(message) ?? new Set();
			names.set(message, known.add(nameOf(policy)));
		}
	}
	return new Map(
		[...names].filter(([, known]) => known.size >= repeated).map(([message, known]) => [message, [...known]]),
	);
}

function repeatedLine(message: string, names: readonly string[]): string {
	const rest = names.length > mostNamed ? " …" : "";
	return `warning: ${message} (in ${names.length} policies: ${names.slice(0, mostNamed).join(", ")}${rest})`;
}
