/** The network part of the status page. Pure. */

import type { Direction } from "../../../base/model.ts";
import { describeConfinement } from "../../../report/confinement.ts";
import type { HostFacts } from "../../../report/contribution.ts";
import { type Html, html } from "../../../report/page/html.ts";
import { directionMode, enforcerCard, facts, numbers, shown } from "../../../report/page/parts.ts";
import { describeFailsafe } from "../compile/failsafe.ts";
import { decidingChains, describeChain, type ForeignChain } from "../observe/foreign-chains.ts";
import { describeBridge, describeForwarded, describePublished, type GuestsStatus } from "./guests-status.ts";
import { describeObserving, type ObservingStatus } from "./history/observing.ts";
import type { LimitCount } from "./limit-counts.ts";
import type { InvalidPackets, NetworkEnforcerState } from "./network-status.ts";

/** The enforcer, then its ruleset in the kernel. @param drift changes by others that were undone @param observing how flows are watched */
export function networkCards(
	network: NetworkEnforcerState,
	drift: number,
	{ confinement, policies }: HostFacts,
	observing: ObservingStatus,
): Html[] {
	const mode = facts([
		["Ingress", directionMode(network.allowlistMode.ingress, network.posture)],
		["Egress", directionMode(network.allowlistMode.egress, network.posture)],
		["Default of allow-lists", network.posture === "block" ? "is blocked" : "is let pass and reported"],
		["Packets that belong to no flow", describeInvalid(network.invalidPackets)],
		["Essentials (DHCP, ICMP errors …)", network.essentials ? "always accepted" : "left to the policies"],
		["Failsafe: never refused", network.failsafe.map(describeFailsafe).join("; ") || "none"],
		...limitFacts(network.limits),
		["Others that decide on ingress", describeOthers(network.otherChains, "ingress")],
		["Others that decide on egress", describeOthers(network.otherChains, "egress")],
	]);
	const { guests } = network;
	const behind = facts([
		["Forwarded packets", describeForwarded(guests)],
		["Bridges of guests", shown(guests.bridges.map(describeBridge).join("; ")) || "none"],
		[
			"Ways to other hosts",
			shown(guests.uplinks.map(({ name, reason }) => `${name}: ${reason}`).join("; ")) || "no bridge is one",
		],
		["Not judged", shown(guests.unjudged.join("; ")) || "nothing that is seen"],
	]);
	const ruleset = facts([
		["Put in force", `${numbers.format(network.generation)} times since the start`],
		["Size", `${numbers.format(network.elements)} entries in the kernel`],
		["Changes by others, undone", numbers.format(drift)],
		["Flows", shown(describeObserving(observing))],
		["The daemon", shown(describeConfinement(confinement))],
		["Policies", numbers.format(policies)],
	]);
	return [
		enforcerCard("Network", network, [mode]),
		html`<section><h2>Guests</h2>${behind}${publishedList(guests)}</section>`,
		html`<section><h2>Ruleset</h2>${ruleset}</section>`,
	];
}

/** Published ports that the page has room for. */
const mostPublished = 100;

function publishedList({ published, more, forwarded }: GuestsStatus): Html {
	if (published.length === 0) return html`<p>No port is published for a guest.</p>`;
	const rest = Math.max(0, published.length - mostPublished) + more;
	const lines = published
		.slice(0, mostPublished)
		.map((port) => html`<li>${shown(describePublished(port, forwarded))}</li>`);
	return html`<p>Published ports:</p><ul>${lines}</ul>${rest > 0 ? html`<p>and ${numbers.format(rest)} more</p>` : ""}`;
}

function describeInvalid({ ingress, egress, forward }: InvalidPackets): string {
	const own = `${numbers.format(ingress)} ingress, ${numbers.format(egress)} egress`;
	return forward === 0 ? own : `${own}, ${numbers.format(forward)} forwarded`;
}

/** None where no rule has a limit. */
function limitFacts(limits: readonly LimitCount[]): [string, string][] {
	if (limits.length === 0) return [];
	const sum = (value: (limit: LimitCount) => number) =>
		numbers.format(limits.reduce((all, limit) => all + value(limit), 0));
	const counts = `${sum(({ exceeded }) => exceeded)} packets beyond them, ${sum(({ full }) => full ?? 0)} of sources without room`;
	return [["Limits of rules", `${numbers.format(limits.length)}: ${counts}`]];
}

function describeOthers(chains: readonly ForeignChain[], direction: Direction): string {
	return shown(decidingChains(chains, direction).map(describeChain).join("; ")) || "no others";
}
