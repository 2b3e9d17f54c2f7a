/** Candidates that are in, as policies: one for each service, with the evidence for every rule as comments. */

import { formatAddress } from "../../../../base/cidr.ts";
import type { Direction } from "../../../../base/model.ts";
import { isTransport, protocolLabel, protocolText } from "../../../../base/protocol.ts";
import { writeBlock } from "../../../../document/block.ts";
import { apiVersion } from "../../../../document/metadata.ts";
import { yamlText } from "../../../../document/yaml-text.ts";
import { appliesToAnnotation } from "../../parse/applies-to.ts";
import type { SeenFlow } from "../seen-flow.ts";
import { blockText, compareTexts, type Service, serviceText } from "./candidate.ts";
import type { Chosen } from "./model.ts";
import { evidenceText } from "./states.ts";

export interface RecommendedRule {
	/** Position in the policy's only list. */
	readonly index: number;
	/** None: any. */
	readonly interfaces: readonly string[];
	readonly chosen: readonly Chosen[];
}

export interface RecommendedPolicy {
	readonly name: string;
	readonly service: Service;
	readonly rules: readonly RecommendedRule[];
}

/** Blocks whose evidence a rule's comments tell one by one. */
const mostTold = 12;

export function policiesOf(
	services: readonly { readonly service: Service; readonly chosen: readonly Chosen[] }[],
): readonly RecommendedPolicy[] {
	return services.map(({ service, chosen }) => ({
		name: policyName(service),
		service,
		rules: rulesOf(chosen),
	}));
}

export function policyName(service: Service): string {
	return `seen-${serviceText(service).replaceAll(" ", "-")}`;
}

/** Blocks that were seen on the same interfaces are one rule. Everybody stands alone, as a rule without an end. */
export function rulesOf(chosen: readonly Chosen[]): readonly RecommendedRule[] {
	const byBlock = Map.groupBy(chosen, ({ candidate, holes }) =>
		[candidate.block, ...holes].map(blockText).join(),
	);
	const groups = new Map<string, { readonly interfaces: readonly string[]; readonly chosen: Chosen[] }>();
	for (const same of byBlock.values()) {
		const names = same.map(({ candidate }) => candidate.interface);
		const interfaces = names.includes(null) ? [] : [...new Set(names.filter((name) => name !== null))].sort();
		const anybody = same.some(({ candidate }) => candidate.block === null);
		const key = `${anybody ? 0 : 1} ${interfaces.join()}`;
		const known = groups.get(key) ?? { interfaces, chosen: [] };
		groups.set(key, known);
		known.chosen.push(...same);
	}
	return [...groups].sort(([a], [b]) => compareTexts(a, b)).map(([, group], index) => ({ index, ...group }));
}

/** The whole file, without the line that says who made it. */
export function policyBody({ name, service, rules }: RecommendedPolicy): string {
	const annotations = { [appliesToAnnotation]: service.guests ? "guests" : "host" };
	const head = yamlText({ apiVersion, kind: "KubeArmorNetworkPolicy", metadata: { name, annotations } });
	const spec = { nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } }, action: "Allow" };
	const list = rules.map((rule) => indented(ruleText(service, rule)));
	return `# ${about(service)}\n${head}spec:\n${indented(yamlText(spec))}  ${service.direction}:\n${list.join("")}`;
}

/** One element of a policy's list, below its evidence. @param action where it stands in another policy */
export function ruleText(service: Service, rule: RecommendedRule, action?: "Allow"): string {
	const data = { ...(action === undefined ? {} : { action }), ...ruleData(service, rule) };
	return [...comments(service, rule), yamlText([data])].join("");
}

function about({ guests, direction, protocol, port }: Service): string {
	const what = `${protocolText(protocol)}${port === null ? "" : ` ${port}`}`;
	const who = guests ? "guests" : "this host";
	return direction === "ingress"
		? `Who used ${what} of ${who}, as it was seen.`
		: `Where ${who} used ${what}, as it was seen.`;
}

function indented(text: string): string {
	return text.replace(/^(?=.)/gmu, "  ");
}

function comment(text: string): string {
	return `# ${text}\n`;
}

function comments(service: Service, { chosen }: RecommendedRule): string[] {
	const told = chosen.slice(0, mostTold).flatMap((one) => evidenceOf(service.direction, one));
	const rest = chosen.length - mostTold;
	const protocol = isTransport(service.protocol) ? [] : ["Every type: records of flows have none."];
	return [
		...protocol,
		...told,
		...(rest > 0 ? [`and ${rest} more, with their evidence in recommend.states`] : []),
	].map(comment);
}

function evidenceOf(
	direction: Direction,
	{ candidate, why, holes, evidence, examples, addresses }: Chosen,
): string[] {
	const at = candidate.interface === null ? "" : ` on ${candidate.interface}`;
	const seen = evidence === null ? "set by hand, not seen" : evidenceText(evidence);
	const lines = [
		`${blockText(candidate.block)}${at}: ${seen}${examples.length === 0 ? ", not of late" : ""}`,
	];
	if (why !== null) {
		const such = examples.map((flow) => exampleText(direction, flow)).join(", ");
		lines.push(`  a block: ${why}${such === "" ? "" : `; ${addresses} seen at all, such as ${such}`}`);
	}
	if (holes.length > 0)
		lines.push(
			`  without ${holes.length === 1 ? "one that stays" : `${holes.length} that stay`} out, see recommend.report`,
		);
	return lines;
}

function exampleText(direction: Direction, { remote, count, guest }: SeenFlow): string {
	const way = direction === "ingress" ? "to" : "from";
	const end = guest === null ? "" : ` ${way} guest ${formatAddress(guest.family, guest.value)}`;
	return `${blockText(remote)}${end} (${count} ${count === 1 ? "time" : "times"})`;
}

function ruleData({ direction, protocol, port }: Service, { interfaces, chosen }: RecommendedRule): object {
	const blocks = new Map(
		chosen.map(({ candidate, holes }) => [blockText(candidate.block), { candidate, holes }]),
	);
	const peers = [...blocks.values()].map(({ candidate: { block }, holes }) => ({
		ipBlock: {
			cidr: block === null ? "any" : writeBlock(block),
			...(holes.length === 0 ? {} : { except: holes.map(writeBlock) }),
		},
	}));
	const everybody = chosen.some(({ candidate }) => candidate.block === null);
	const side = direction === "ingress" ? "from" : "to";
	return {
		...(everybody ? everybodyBut(side, chosen) : { [side]: peers }),
		...(interfaces.length === 0 ? {} : { iface: interfaces }),
		ports: [{ protocol: nameOf(protocol), ...(port === null ? {} : { port }) }],
	};
}

/** Both families, where holes have to be written; else no condition at all. */
function everybodyBut(side: "from" | "to", chosen: readonly Chosen[]): object {
	const holes = chosen.flatMap((one) => one.holes);
	if (holes.length === 0) return {};
	const peer = (cidr: string, family: 4 | 6) => {
		const except = holes.filter((hole) => hole.family === family).map(writeBlock);
		return { ipBlock: { cidr, ...(except.length === 0 ? {} : { except }) } };
	};
	return { [side]: [peer("0.0.0.0/0", 4), peer("::/0", 6)] };
}

function nameOf(protocol: Service["protocol"]): string {
	const label = protocolLabel(protocol);
	return label.startsWith("protocol ") ? protocolText(protocol) : label;
}
