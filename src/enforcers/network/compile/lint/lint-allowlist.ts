/** What an Allow does beyond what it says: it makes its direction an allow-list. */

import type { Diagnostic } from "../../../../base/diagnostic.ts";
import type { Direction } from "../../../../base/model.ts";
import { type Atom, addressText, interfaceKey } from "../atom.ts";
import type { CompiledRule } from "../plan.ts";
import type { DirectionProgram, NetworkModel } from "../program.ts";
import { senderText } from "../sender.ts";
import { warning } from "./lint-warning.ts";
import { portsLabel } from "./ports-label.ts";

const dnsPort = 53;

/** What passes that a message names. */
const mostNamed = 4;

/**
 * For each direction that drops what no rule allows: the first Allow that
 * makes it so. A rule that matches everything says that it is meant.
 */
export function lintAllowlist(model: NetworkModel, direction: Direction): Diagnostic[] {
	const program = model[direction];
	if (program.posture?.action !== "Block") return [];
	const other = model[direction === "ingress" ? "egress" : "ingress"];
	const isAllow = (rule: CompiledRule) => rule.action === "Allow";
	const cause = program.rules.find(isAllow) ?? other.rules.find(isAllow);
	if (cause === undefined) return [];
	const meant = decidesEverything(program);
	return [
		...(meant
			? []
			: warning(
					cause,
					`allowlist-${direction}`,
					consequence(program, direction, cause),
					remedy(program, cause, direction),
				)),
		...(direction === "egress" && !letsDnsOut(program) ? withoutDns(cause) : []),
	];
}

function decidesEverything({ atoms }: DirectionProgram): boolean {
	const whole = atoms.filter(
		(atom) =>
			atom.length < 0 &&
			atom.sender === undefined &&
			atom.interface === null &&
			atom.layer === "W" &&
			atom.holes.length === 0,
	);
	return whole.some(({ family }) => family === 4) && whole.some(({ family }) => family === 6);
}

function consequence(program: DirectionProgram, direction: Direction, cause: CompiledRule): string {
	const why =
		cause.direction === direction
			? `with this rule ${direction} is an allow-list`
			: `with this rule ${direction} is an allow-list too, as allowlistScope is host`;
	const passing = [...new Set(program.atoms.filter(({ rule }) => rule.action !== "Block").map(describe))];
	const rest = passing.length - mostNamed;
	const named = passing.slice(0, mostNamed).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
	const what = direction === "ingress" ? "new connections to this host" : "new connections of this host";
	const only = passing.length === 0 ? "nothing passes" : `only ${named} may pass`;
	return `${why}: ${only}, and all other ${what} are dropped, IPv4 and IPv6, every protocol and port`;
}

function describe(atom: Atom): string {
	const { protocol, range, source, rule } = atom;
	const ports = protocol === null ? "everything" : portsLabel(protocol, range, source);
	const side = rule.direction === "ingress" ? "from" : "to";
	const peer = atom.length < 0 ? "" : ` ${side} ${addressText(atom)}`;
	const sender = atom.sender === undefined ? "" : ` from ${senderText(atom.sender)}`;
	return `${ports}${peer}${sender}${atom.interface === null ? "" : ` on ${interfaceKey(atom.interface)}`}`;
}

/** The form that was meant where the rule should only close its own ports to others. */
function remedy(program: DirectionProgram, cause: CompiledRule, direction: Direction): string {
	const meant = `where the allow-list is meant, add the rule {action: Block} to ${direction}, which says so`;
	if (cause.direction !== direction) return `set allowlistScope: direction, or ${meant}`;
	const atoms = program.atoms.filter(({ rule }) => rule === cause);
	const except = (family: 4 | 6): string => {
		const blocks = [
			...new Set(atoms.filter((atom) => atom.family === family && atom.length >= 0).map(addressText)),
		];
		const named = blocks.slice(0, mostNamed).map((block) => `"${block}"`);
		// What is left out would be blocked: the parser refuses this where somebody takes it as it stands.
		if (blocks.length > mostNamed) named.push(`… and ${blocks.length - mostNamed} more`);
		const holes = blocks.length === 0 ? "" : `, except: [${named.join(", ")}]`;
		return `{ipBlock: {cidr: "${family === 4 ? "0.0.0.0/0" : "::/0"}"${holes}}}`;
	};
	// No suffix can be an exception.
	if (!atoms.some((atom) => atom.length >= 0) || atoms.some(({ suffix }) => suffix !== undefined))
		return `to let the rest pass, leave this rule out and block what must not pass; ${meant}`;
	const list = direction === "ingress" ? "from" : "to";
	return `to keep others from these ports alone, write action: Block with ${list}: [${except(4)}, ${except(6)}]; ${meant}`;
}

function letsDnsOut({ atoms, failsafe }: DirectionProgram): boolean {
	const isDns = (protocol: unknown, range: { first: number; last: number } | null) =>
		(protocol === null || protocol === "udp" || protocol === "tcp") &&
		(range === null || (range.first <= dnsPort && dnsPort <= range.last));
	return (
		atoms.some(({ rule, protocol, range }) => rule.action !== "Block" && isDns(protocol, range)) ||
		failsafe.some(({ match }) => isDns(match.protocol, match.port))
	);
}

function withoutDns(cause: CompiledRule): Diagnostic[] {
	return warning(
		cause,
		"egress-without-dns",
		"egress is an allow-list, and no rule lets port 53 out: this host resolves no names",
		"add a rule with action: Allow and ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}] to the name server",
	);
}
