/** Warns of what a set of policies would cut of the services that run on this host now. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { Config } from "../../../config/model.ts";
import { literalReceivers } from "../../../config/receivers.ts";
import { readLinks } from "../../../kernel/links.ts";
import { listeningSockets } from "../../../kernel/listening-sockets.ts";
import { HostAccounts } from "../../../kernel/senders/accounts.ts";
import { hostServices } from "../compile/lint/host-services.ts";
import { serviceCuts, serviceWarnings } from "../compile/lint/service-cuts.ts";
import { namedIn, unknownSender } from "../compile/named.ts";
import type { NetworkModel } from "../compile/program.ts";
import type { ResolveAccount, SenderKey } from "../compile/sender.ts";
import { refusedReceivers, refusedText } from "../compile/verdict/refused-receivers.ts";
import { type FailsafeInterfaces, interfaceFindings, interfaceUses } from "../interfaces.ts";
import type { NetworkPolicy } from "../model.ts";
import { routedReceivers } from "../observe/receivers.ts";

/** Interfaces that are asked about; of more, the rest is as the first ones are, or a container's. */
const mostInterfaces = 64;

/**
 * @param file what a warning names where no rule is to blame alone.
 * @param which `notable`: those that speak by themselves or are broken in silence, as VRRP. `all`: what listens, too.
 */
export function lintHost(model: NetworkModel, file: string, which: "notable" | "all"): Diagnostic[] {
	const refuses = (["ingress", "egress"] as const).some(
		(direction) =>
			model[direction].posture?.action === "Block" ||
			model[direction].rules.some(({ action }) => action === "Block"),
	);
	if (!refuses) return [];
	const read = readLinks();
	const links = read.ok ? read.links : [];
	const kinds = which === "all" ? (["tcp", "udp", "raw"] as const) : (["udp", "raw"] as const);
	const services = hostServices(
		listeningSockets(kinds),
		links.map(({ kind }) => kind),
	).filter(({ notable }) => which === "all" || notable);
	const names = links.flatMap(({ name, master }) => (name === "lo" || master !== null ? [] : [name]));
	return serviceWarnings(serviceCuts(model, services, names.slice(0, mostInterfaces)), file);
}

/** Users and groups that nobody on this host is. */
export function senderWarnings(policies: readonly NetworkPolicy[], file: string): Diagnostic[] {
	const host = new HostAccounts();
	const resolve: ResolveAccount = (kind, name) => (kind === "service" ? 0 : host.number(kind, name));
	return namedIn(policies, resolve).flatMap((named) => {
		const said = unknownSender(named, named.kind === "service" ? [] : host.names(named.kind));
		const place = { file, line: 1, column: 1, path: "", severity: "warning" as const };
		return said === null ? [] : { ...place, code: `unknown-${named.kind}`, ...said };
	});
}

/** Names of interfaces that cannot match on this host, or not as they are meant. */
export function interfaceWarnings(
	policies: readonly NetworkPolicy[],
	failsafe: FailsafeInterfaces,
	file: string,
): Diagnostic[] {
	const read = readLinks();
	if (!read.ok) return [];
	return interfaceFindings(interfaceUses(policies, failsafe), read.links).map(
		({ reason, message, users, hint }) => ({
			...{ file, line: 1, column: 1, path: "", severity: "warning" as const, code: `interface-${reason}` },
			message: `${message} (${users.join(", ")})`,
			hint,
		}),
	);
}

/** The daemon where its own unit runs it. */
const daemonSender: SenderKey = { user: 0, group: 0, service: "portward.service" };

/** For a set that is not in force yet. Names are asked about by the daemon alone, once a sink has looked them up. */
export function receiverWarnings(model: NetworkModel, { alerts }: Config, file: string): Diagnostic[] {
	return refusedReceivers(model, routedReceivers(literalReceivers(alerts.sinks)), daemonSender).map(
		(refused) => ({
			...{ file, line: 1, column: 1, path: "", severity: "warning", code: "sink-blocked" },
			message: `alerts would not reach sink ${refused.name}: ${refusedText(refused)}`,
			hint: "allow it, or write a failsafe.egress rule, which no policy overrides",
		}),
	);
}
