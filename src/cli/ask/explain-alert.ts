/** `portward explain --from-alert`: why, and the smallest change that would let the connection pass. */

import { formatAddress } from "../../base/cidr.ts";
import { isIcmp, isTransport, protocolText } from "../../base/protocol.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import type { CompiledLimit, CompiledRule } from "../../enforcers/network/compile/plan.ts";
import { guestModel, type NetworkModel, type Packet } from "../../enforcers/network/compile/program.ts";
import { allowBehind, type Explanation } from "../../enforcers/network/compile/verdict/explain.ts";
import type { PolicySet } from "../../engine/policy-set.ts";
import { type SmallestChange, smallestChange } from "../../engine/smallest-change.ts";
import { auditedBlock } from "../../report/alert.ts";
import { prettyJson } from "../json.ts";
import type { AlertedPacket } from "./alert-packet.ts";
import { entriesIn } from "./explain-entries.ts";
import {
	auditedBy,
	describeStagedVerdict,
	explainAt,
	forwardedPlace,
	ownPlace,
	stagedAt,
	stagedJson,
	unaskedBecause,
} from "./explain-place.ts";
import { describeExplanation, explanationJson, ruleName } from "./explain-text.ts";

/** The whole answer, as text or as JSON. */
export function explainAlert(
	{ packet, forwarded, staged, alert }: AlertedPacket,
	model: NetworkModel,
	set: PolicySet,
	config: Config,
	json: boolean,
): string {
	const place = forwarded ? forwardedPlace : ownPlace(packet.direction);
	const explanation = explainAt(model, packet, place, config);
	const would = stagedAt(model, packet, place, config);
	const entriesOf = entriesIn(set, packet);
	const change = smallestChange(set, config, packet, forwarded);
	const agrees = staged ? names(would?.rule ?? null, alert) : sameRule(explanation, alert);
	if (json) {
		return prettyJson({
			packet: packetJson(packet),
			alert: { ...alert, agrees },
			...explanationJson(explanation, entriesOf),
			...stagedJson(would),
			change: changeJson(change),
		});
	}
	const by = alert.rule === null ? alert.policy : `${alert.policy} rule ${alert.rule}`;
	const then = alert.limit === undefined ? by : `${by}, about ${alert.limit},`;
	const lines = [`${packetText(packet)}: ${alert.action} by ${then} when it was alerted`];
	if (!agrees) lines.push("The policies say something else now:");
	const head = `${lines.map(escapeForTerminal).join("\n")}\n`;
	const unasked = unaskedBecause(place, config.guests.forwarded);
	if (unasked !== null) return `${head}${explanation.action}: ${escapeForTerminal(unasked)}\n`;
	const judged = forwarded ? (guestModel(model) ?? model) : model;
	const audited = forwarded ? auditedBy(config) : undefined;
	return (
		head +
		describeExplanation(explanation, { allow: allowBehind(judged, explanation.rule), audited, entriesOf }) +
		describeStagedVerdict(would) +
		describeChange(change)
	);
}

function sameRule({ action, rule }: Explanation, alert: AlertedPacket["alert"]): boolean {
	if (alert.limit !== undefined) return names(rule, alert) && (rule?.limits ?? []).some(isLimit(alert.limit));
	const told = alert.action === auditedBlock ? "Block" : alert.action;
	return action === told && names(rule, alert);
}

function isLimit(told: string): (limit: CompiledLimit) => boolean {
	return ({ written, exceeded }) => told === `${written.limit} ${exceeded.limit?.text}`;
}

/** Whether the alert is of this rule. */
function names(rule: CompiledRule | null, alert: AlertedPacket["alert"]): boolean {
	const index = rule === null || rule.index < 0 ? null : rule.index;
	return rule?.policy === alert.policy && index === alert.rule;
}

function packetJson({ direction, family, address, protocol, port, source, interface: name }: Packet) {
	return {
		direction,
		protocol: protocol === null ? null : protocolText(protocol),
		address: formatAddress(family, address),
		port: isTransport(protocol) ? port : null,
		...(source === null ? {} : isIcmp(protocol) ? { icmpType: source } : { sourcePort: source }),
		interface: name === "" ? null : name,
	};
}

function packetText(packet: Packet): string {
	const { direction, protocol, address, port, interface: name } = packetJson(packet);
	const way = direction === "ingress" ? "from" : "to";
	const traffic = port === null ? protocol : `${protocol} ${port}`;
	return `${direction} ${traffic} ${way} ${address}${name === null ? "" : ` on ${name}`}`;
}

function changeJson(change: SmallestChange) {
	if (change.kind === "none") return null;
	if (change.kind === "add") {
		/** Empty, or nothing would be offered. */
		const others: readonly never[] = [];
		const { action, yaml, boxes } = change;
		return { action, yaml, changes: boxes, others };
	}
	const { policy, index, place } = change.rule;
	return { edit: { policy, rule: index, file: place?.file ?? null, line: place?.line ?? null } };
}

function describeChange(change: SmallestChange): string {
	if (change.kind === "none") return "";
	if (change.kind === "edit")
		return `${escapeForTerminal(`No added rule comes before ${ruleName(change.rule)}; change that rule`)}\n`;
	const { action, yaml } = change;
	const why =
		action === "Audit" ? "An Allow would change more, so this is an Audit: it lets pass, and alerts.\n" : "";
	return `\nThis policy would let it pass. Compared over all packets, nothing else would change.\n${why}\n${yaml
		.split("\n")
		.map(escapeForTerminal)
		.join("\n")}`;
}
