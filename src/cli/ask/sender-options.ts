/** Who sends the packet that a command is asked about. */

import type { Direction } from "../../base/model.ts";
import { quote } from "../../base/suggest.ts";
import type { Packet } from "../../enforcers/network/compile/program.ts";
import type { SenderKey } from "../../enforcers/network/compile/sender.ts";
import { serviceProblem } from "../../enforcers/network/parse/sender.ts";
import { HostAccounts } from "../../kernel/senders/accounts.ts";
import { UsageError } from "../command.ts";

/** Absent where they were not written. */
export interface SenderOptions {
	readonly user?: string | undefined;
	readonly group?: string | undefined;
	readonly service?: string | undefined;
}

export const senderOptions = {
	user: { type: "string" },
	group: { type: "string" },
	service: { type: "string" },
} as const;

/** The packet with its sender. @throws UsageError for a sender that no packet can have */
export function withSender(packet: Packet, options: SenderOptions): Packet {
	const { user, group, service } = options;
	if (user === undefined && group === undefined && service === undefined) return packet;
	return { ...packet, sender: senderFrom(packet.direction, { user, group, service }) };
}

/** Who is named; of what is not written null. @throws UsageError as above */
export function senderFrom(direction: Direction, { user, group, service }: SenderOptions): SenderKey {
	if (direction === "ingress")
		throw new UsageError("what comes in has no user, group or service of this host: ask about egress");
	const accounts = new HostAccounts();
	return {
		user: user === undefined ? null : numberOf("user", user, accounts),
		group: group === undefined ? null : numberOf("group", group, accounts),
		service: service === undefined ? null : unitOf(service),
	};
}

function numberOf(kind: "user" | "group", text: string, accounts: HostAccounts): number {
	const number = /^(?:0|[1-9]\d{0,9})$/.test(text) ? Number(text) : accounts.number(kind, text);
	if (number !== null && number <= 2 ** 32 - 2) return number;
	throw new UsageError(`this host knows no ${kind} ${quote(text)}; write a name that it knows, or a number`);
}

function unitOf(text: string): string {
	const problem = serviceProblem(text);
	if (problem === null) return text.endsWith(".service") ? text : `${text}.service`;
	throw new UsageError(`service ${quote(text)}: ${problem.message}; ${problem.hint}`);
}
