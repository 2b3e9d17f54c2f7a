/** A plan for people, and as JSON. */

import { protocolOf, protocolText } from "../../base/protocol.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Default, Described } from "../../enforcers/contract/describe.ts";
import { describeFailsafe } from "../../enforcers/network/compile/failsafe.ts";
import { flowPlace } from "../../enforcers/network/history/flow-text.ts";
import type { Simulation } from "../../enforcers/network/history/simulate.ts";
import { functionPlace } from "../../enforcers/usb/compile/reason.ts";
import { ruleLists } from "../../engine/enforcers.ts";
import { planChanges } from "../../engine/plan-make.ts";
import type { Cause, ChangePlan, CutConnection, DeviceChange } from "../../engine/plan-model.ts";
import { type Change, defaultChanges } from "../../engine/policy-diff.ts";
import { boxLine, forwardedHeading } from "../../report/generations/box-text.ts";
import type { Io } from "../command.ts";
import { plural, printDiagnostics } from "../diagnostics.ts";
import { deciderText, timeText } from "../journey/simulate-text.ts";
import { publishedLines } from "./plan-published-text.ts";

/** Values of one field that are told; a list of addresses may have a hundred thousand. */
const mostValues = 8;
/** Lines of one kind that are told. */
const mostLines = 200;
const mostConnections = 50;

/** Prints the plan to standard output, and what to beware of to standard error. */
export function printPlan(plan: ChangePlan, io: Io): void {
	printDiagnostics(plan.diagnostics, io);
	const blocks = [
		head(plan),
		...plan.diff.lists.map(({ heading, changes }) => section(heading, changes.map(changeLines))),
		section("New connections whose verdict changes", verdictLines(plan)),
		section(forwardedHeading, forwardedLines(plan)),
		section("What no rule matches", defaultLines(plan)),
		section("Ports that are published for guests", publishedLines(plan.published)),
		seenLines(plan),
		connectionLines(plan),
		deviceLines(plan),
		section(
			"Failsafe, which no policy can refuse",
			plan.failsafe.map((rule) => [describeFailsafe(rule)]),
		),
	];
	const lines = blocks.filter((block) => block.length > 0).flatMap((block) => [...block, ""]);
	io.out(`${lines.slice(0, -1).map(escapeForTerminal).join("\n")}\n`);
	for (const warning of warnings(plan)) io.error(`portward: ${escapeForTerminal(warning)}\n`);
}

function head(plan: ChangePlan): string[] {
	const { directory, against, pending } = plan;
	const confirmed = pending
		? "what is confirmed (another change waits for its confirmation)"
		: "what is in force";
	const changes = planChanges(plan) ? "" : ": no change";
	return [`${directory} against ${confirmed}, ${against}${changes}`];
}

/** In one line; portward simulate has more. */
function seenLines({ seen }: ChangePlan): string[] {
	if (seen === null) return [];
	const { flows, since, wouldBlock, wouldAllow, rules } = seen;
	const first = rules.find(({ change }) => change === "wouldBlock");
	const who = first === undefined ? "" : ` (first: ${flowPlace(first.example)}, by ${deciderText(first)})`;
	return [
		`Of ${plural(flows, "flow")} seen since ${timeText(since)}: ${wouldBlock} would be blocked${who}, ${wouldAllow} that ${wouldAllow === 1 ? "was" : "were"} blocked would pass`,
	];
}

function verdictLines({ verdicts }: ChangePlan): string[][] {
	if (verdicts === null) return [["too many rules to be compared here; portward diff compares them"]];
	return verdicts.map((box) => [boxLine(box)]);
}

function forwardedLines({ forwarded }: ChangePlan): string[][] {
	if (forwarded === null) return [];
	return forwarded.length === 0 ? [["nothing changes"]] : forwarded.map((box) => [boxLine(box)]);
}

/** A heading and indented items, cut where there are too many. */
function section(heading: string, items: readonly (readonly string[])[], most = mostLines): string[] {
	if (items.length === 0) return [];
	const lines = items.slice(0, most).flatMap(([first = "", ...more]) => [`  ${first}`, ...more.map(indent)]);
	const rest = items.length - most;
	return [heading, ...lines, ...(rest > 0 ? [`  and ${rest} more; --json has them`] : [])];
}

function indent(line: string): string {
	return `      ${line}`;
}

function fieldOf(list: string): string {
	return ruleLists.get(list)?.field ?? list;
}

function ruleName({ policy, direction, index, place }: Described): string {
	return `${policy} ${fieldOf(direction)}[${index}] (${place.file}:${place.line})`;
}

function changeLines({ before, after }: Change): string[] {
	if (before === null && after === null) return [];
	if (before === null || after === null) {
		const rule = (before ?? after) as Described;
		return [`${before === null ? "+" : "-"} ${rule.action} ${ruleName(rule)}`, ...conditionLines(rule)];
	}
	const action = before.action === after.action ? after.action : `${before.action} -> ${after.action}`;
	return [`~ ${action} ${ruleName(after)}`, ...fieldChanges(before, after)];
}

function conditionLines({ conditions }: Described): string[] {
	const fields = Object.entries(conditions).filter(([, values]) => values.length > 0);
	if (fields.length === 0) return ["everything"];
	return [fields.map(([name, values]) => `${name}: ${someOf(values)}`).join("; ")];
}

function someOf(values: readonly string[]): string {
	const rest = values.length - mostValues;
	return `${values.slice(0, mostValues).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function fieldChanges(before: Described, after: Described): string[] {
	const lines: string[] = [];
	for (const name of new Set([...Object.keys(before.conditions), ...Object.keys(after.conditions)])) {
		const old = new Set(before.conditions[name]);
		const fresh = new Set(after.conditions[name]);
		const gone = [...old.difference(fresh)];
		const added = [...fresh.difference(old)];
		if (gone.length === 0 && added.length === 0) continue;
		const parts = [
			...(old.size === 0 ? ["was any"] : gone.length > 0 ? [`without ${someOf(gone)}`] : []),
			...(fresh.size === 0 ? ["is any"] : added.length > 0 ? [`with ${someOf(added)}`] : []),
		];
		lines.push(`${name}: ${parts.join(", ")}`);
	}
	if (before.severity !== after.severity) lines.push(`severity: ${before.severity} -> ${after.severity}`);
	if (before.message !== after.message)
		lines.push(`message: ${JSON.stringify(before.message)} -> ${JSON.stringify(after.message)}`);
	if (before.tags.join("\0") !== after.tags.join("\0"))
		lines.push(`tags: ${JSON.stringify(before.tags)} -> ${JSON.stringify(after.tags)}`);
	return lines;
}

const outcomes = { accept: "accepted", audit: "accepted and alerted", block: "dropped" } as const;

function defaultLines({ diff }: ChangePlan): string[][] {
	const text = ({ allowlistMode, unmatched }: Default) =>
		`${outcomes[unmatched]}${allowlistMode ? " (an Allow makes it an allow-list)" : ""}`;
	return Object.entries(diff.defaults)
		.filter(([, change]) => defaultChanges(change))
		.map(([name, { before, after }]) => [
			`${ruleLists.get(name)?.label ?? name}: ${text(before)} -> ${text(after)}`,
		]);
}

function causeName({ policy, direction, index, action, file, line }: Cause): string {
	if (index === null) return `the default posture (${direction})`;
	return `${action} ${policy} ${fieldOf(direction)}[${index}]${file === null ? "" : ` (${file}:${line})`}`;
}

/** Protocols without ports have port 0. */
function ends(address: string, port: number): string {
	if (port === 0) return address;
	return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function connectionText(connection: CutConnection): string[] {
	const { direction, protocol, local, localPort, remote, remotePort, cause, someInterfaces } = connection;
	const way = direction === "ingress" ? "from" : "to";
	const some = someInterfaces ? ", where its packets take an interface that is blocked" : "";
	return [
		`${protocolText(protocolOf(protocol))} ${ends(local, localPort)} ${way} ${ends(remote, remotePort)}`,
		`ended by ${causeName(cause)}${some}`,
	];
}

function connectionLines({ connections }: ChangePlan): string[] {
	const { checked, reason, cut, total, refusedAtStart } = connections;
	const items = cut.slice(0, mostConnections).map(connectionText);
	const rest = total - items.length;
	if (rest > 0) items.push([`and ${rest} more`]);
	const heading = `Open connections that would be ended: ${total}`;
	const lines = section(heading, items, items.length);
	if (refusedAtStart !== null)
		lines.push(
			`endRefusedAtStart is on: a first start with these policies would end ${plural(refusedAtStart, "open connection")} more`,
		);
	if (!checked) return [...lines, `Open connections were not checked: ${reason}`];
	return lines;
}

function deviceText({
	port,
	vendorId,
	productId,
	manufacturer,
	product,
	before,
	after,
	reason,
	functions,
}: DeviceChange) {
	const name = [manufacturer, product].filter((text) => text !== null && text !== "").join(" ");
	return [
		`${port} ${vendorId}:${productId}${name === "" ? "" : ` ${name}`}: ${before} -> ${after}${reason === null ? "" : ` (${reason})`}`,
		...functions.map((item) => {
			const by = item.cause === null ? "" : ` by ${causeName(item.cause)}`;
			const why = item.reason === "" ? "" : ` (${item.reason})`;
			return `${functionPlace(item)} ${item.className}: ${item.refused ? "refused" : "works"}${by}${why}`;
		}),
	];
}

function deviceLines({ devices }: ChangePlan): string[] {
	if (!devices.checked) return [`USB devices were not checked: ${devices.reason}`];
	return section("USB devices that are plugged in", devices.changes.map(deviceText));
}

function warnings({ connections, session, devices, unselected }: ChangePlan): string[] {
	const found: string[] = unselected === null ? [] : [unselected];
	const adapter = devices.session;
	if (adapter !== null) {
		const { netdev, port, reason } = adapter;
		const who = adapter.cause === null ? "" : ` by ${causeName(adapter.cause)}`;
		found.push(
			`WARNING: this SSH session comes through ${netdev} and the USB device on port ${port}, which would be refused${who} (${reason}). A rollback brings the adapter back, not its addresses.`,
		);
	}
	if (connections.total > 0) found.push(`${plural(connections.total, "open connection")} would be ended`);
	if (session === null) return found;
	const from = `from ${ends(session.client, session.clientPort)}`;
	const by = session.cause === null ? "" : ` by ${causeName(session.cause)}`;
	if (session.cut) found.push(`WARNING: this SSH session ${from} would be ended${by}`);
	else if (session.refused)
		found.push(`WARNING: this SSH session ${from} goes on, but a new one like it would be refused${by}`);
	return found;
}

/** The document of `plan --json`. */
export function planJson(plan: ChangePlan) {
	const {
		directory,
		against,
		pending,
		unselected,
		diff,
		verdicts,
		forwarded,
		failsafe,
		connections,
		published,
		seen,
		devices,
		session,
		diagnostics,
	} = plan;
	return {
		changes: planChanges(plan),
		directory,
		against,
		pending,
		unselected,
		...Object.fromEntries(diff.lists.map(({ key, changes }) => [key, changes.map(changeJson)])),
		verdicts,
		...(forwarded === null ? {} : { forwarded }),
		defaults: diff.defaults,
		connections,
		published,
		seen: seen && seenJson(seen),
		usbDevices: devices,
		session,
		failsafe: failsafe.map(({ direction, index, protocol, icmpType, cidr, port, interface: name }) => ({
			direction,
			index,
			protocol,
			icmpType,
			cidr,
			port,
			interface: name,
		})),
		diagnostics,
	};
}

function seenJson({ flows, ...simulation }: Simulation) {
	const { since, wouldBlock, wouldAllow, unchanged } = simulation;
	return { since: new Date(since).toISOString(), flows, wouldBlock, wouldAllow, unchanged };
}

function changeJson({ before, after }: Change) {
	const change = before === null ? "added" : after === null ? "removed" : "changed";
	return { change, before: before && describedJson(before), after: after && describedJson(after) };
}

function describedJson({ place, ...rule }: Described) {
	return { ...rule, file: place.file, line: place.line };
}
