/** What `top` shows of two samples, as lines that fit a screen and that no terminal obeys. Pure. */

import { escapeForTerminal } from "../../base/terminal.ts";
import { alertSentence } from "../../report/alert-sentence.ts";
import { compactAge, compactNumber } from "../journey/compact.ts";
import type { TopAlert, TopRule, TopSample } from "./sample.ts";

export const orders = ["rate", "packets", "name"] as const;
export type Order = (typeof orders)[number];

export interface RatedRule extends TopRule {
	/** Packets a second since the sample before; null where there is none, or its counter began anew. */
	readonly perSecond: number | null;
}

export interface Size {
	readonly columns: number;
	readonly rows: number;
}

function keyOf({ policy, direction, index, action }: TopRule): string {
	return `${policy} ${direction} ${index} ${action}`;
}

/** Seconds between the samples; null where there is only one. */
export function secondsBetween(before: TopSample | null, now: TopSample): number | null {
	return before === null || now.clock <= before.clock ? null : (now.clock - before.clock) / 1000;
}

function rate(before: number | undefined, now: number, seconds: number | null): number | null {
	return seconds === null || before === undefined || now < before ? null : (now - before) / seconds;
}

export function ratedRules(before: TopSample | null, now: TopSample, order: Order): RatedRule[] {
	const seconds = secondsBetween(before, now);
	const counted = new Map(before?.rules.map((rule) => [keyOf(rule), rule.packets]));
	const rated = now.rules.map((rule) => {
		return { ...rule, perSecond: rate(counted.get(keyOf(rule)), rule.packets, seconds) };
	});
	const byName = (a: RatedRule, b: RatedRule) =>
		a.policy === b.policy
			? a.direction === b.direction
				? a.index - b.index
				: a.direction < b.direction
					? 1
					: -1
			: a.policy < b.policy
				? -1
				: 1;
	const byPackets = (a: RatedRule, b: RatedRule) => b.packets - a.packets || byName(a, b);
	const byRate = (a: RatedRule, b: RatedRule) => (b.perSecond ?? 0) - (a.perSecond ?? 0) || byPackets(a, b);
	return rated.sort({ rate: byRate, packets: byPackets, name: byName }[order]);
}

/** What is refused a second, and since when counting began. */
export function dropsOf(before: TopSample | null, now: TopSample) {
	const seconds = secondsBetween(before, now);
	const of = (name: "blocked" | "unmatched" | "invalid") => {
		return { packets: now[name], perSecond: rate(before?.[name], now[name], seconds) };
	};
	return { blocked: of("blocked"), unmatched: of("unmatched"), invalid: of("invalid") };
}

export function isUsb({ Enforcer }: TopAlert): boolean {
	return Enforcer === "USBDeviceHandler";
}

/** Alerts about refused packets; those of a rule that only audits are none. */
export function isDrop({ Operation, Action }: TopAlert): boolean {
	return Operation === "NetworkFirewall" && Action === "Block";
}

function perSecond(value: number | null): string {
	if (value === null) return "–";
	return value > 0 && value < 10 ? value.toFixed(1) : compactNumber(value);
}

/** The lines of the whole screen, at most as many as fit. */
export function topLines(before: TopSample | null, now: TopSample, order: Order, size: Size): string[] {
	const rules = ratedRules(before, now, order).map((rule) => ruleLine(rule, now.time));
	const talkers = (now.talkers ?? []).map((talker) => {
		const { remote, count, blocked, lastSeen } = talker;
		return `${compactNumber(count).padStart(7)} ${compactNumber(blocked).padStart(7)} ${compactAge(now.time - lastSeen).padStart(5)}  ${remote}`;
	});
	const drops = now.alerts.filter(isDrop).map((alert) => alertLine(alert, now.time));
	const usb = now.alerts.filter(isUsb).map((alert) => alertLine(alert, now.time));
	const head = headLines(before, now, order);
	const none = now.talkers === null ? "  flows are not watched" : "  nobody lately";
	const sections = [
		section("   PER S PACKETS  LAST  ACTION  RULE", rules, "  no rule is in force"),
		section("   FLOWS BLOCKED  LAST  TALKER", talkers, none),
		section("  LAST  BLOCKED", drops, "  nothing lately"),
		section("  LAST  USB", usb, "  nothing lately"),
	];
	const lines = [...head, ...fitted(sections, size.rows - head.length)];
	return lines.slice(0, size.rows).map((line) => cut(escapeForTerminal(line), size.columns));
}

function headLines(before: TopSample | null, now: TopSample, order: Order): string[] {
	const { blocked, unmatched, invalid } = dropsOf(before, now);
	const posture = now.posture === "block" ? "by the posture" : "audited by the posture";
	const clock = new Date(now.time).toISOString().slice(11, 19);
	return [
		`${clock}Z portward on ${now.hostname}, by ${order}: ${now.ready.body}`,
		`packets/s blocked by rules ${perSecond(blocked.perSecond)}, ${posture} ${perSecond(unmatched.perSecond)}, of no flow ${perSecond(invalid.perSecond)}`,
	];
}

function ruleLine(
	{ policy, direction, index, action, packets, lastMatch, perSecond: rated }: RatedRule,
	now: number,
) {
	const last = lastMatch === null ? "never" : compactAge(now - Date.parse(lastMatch));
	return `${perSecond(rated).padStart(8)} ${compactNumber(packets).padStart(7)} ${last.padStart(5)}  ${action.padEnd(6)}  ${policy} ${direction}[${index}]`;
}

function alertLine(alert: TopAlert, now: number): string {
	return `${compactAge(now - Date.parse(alert.UpdatedTime)).padStart(6)}  ${alertSentence(alert).sentence}`;
}

interface Section {
	readonly heading: string;
	readonly lines: readonly string[];
}

function section(heading: string, lines: readonly string[], none: string): Section {
	return { heading, lines: lines.length === 0 ? [none] : lines };
}

/** Of each section the first lines; room that one does not need is for the ones before it. */
function fitted(sections: readonly Section[], rows: number): string[] {
	// A blank line and a heading for each.
	let room = rows - 2 * sections.length;
	const shares = [0.4, 0.25, 0.175, 0.175];
	const taken = sections.map(({ lines }, index) =>
		Math.max(0, Math.min(lines.length, Math.max(1, Math.floor(Math.max(0, room) * (shares[index] ?? 0))))),
	);
	room -= taken.reduce((sum, each) => sum + each, 0);
	const lines = sections.flatMap(({ heading, lines: own }, index) => {
		const more = Math.max(0, Math.min(room, own.length - (taken[index] ?? 0)));
		room -= more;
		return ["", heading, ...own.slice(0, (taken[index] ?? 0) + more)];
	});
	return lines;
}

function cut(line: string, columns: number): string {
	return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}

/** What `top --json` prints. */
export function topJson(before: TopSample | null, now: TopSample) {
	const newest = (is: (alert: TopAlert) => boolean) =>
		now.alerts
			.filter(is)
			.slice(0, 20)
			.map((alert) => ({ time: alert.UpdatedTime, sentence: alertSentence(alert).sentence }));
	return {
		time: new Date(now.time).toISOString(),
		seconds: secondsBetween(before, now),
		hostname: now.hostname,
		ready: now.ready.ready,
		rules: ratedRules(before, now, "rate"),
		drops: dropsOf(before, now),
		talkers:
			now.talkers?.map(({ lastSeen, ...talker }) => {
				return { ...talker, lastSeen: new Date(lastSeen).toISOString() };
			}) ?? null,
		blocked: newest(isDrop),
		usb: newest(isUsb),
	};
}
