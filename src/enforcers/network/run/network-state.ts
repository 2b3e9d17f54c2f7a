/** The part of the daemon's snapshot that the network enforcer and the policies fill. Pure. */

import type { Diagnostic } from "../../../base/diagnostic.ts";
import type { Config } from "../../../config/model.ts";
import type { Forwarding } from "../../../kernel/host.ts";
import { postureInForce } from "../../../report/enforcement-notice.ts";
import type {
	NetworkEnforcerState,
	PolicyState,
	Readiness,
	UsbEnforcerState,
} from "../../../report/status.ts";
import type { ForeignChain } from "../observe/foreign-chains.ts";
import type { Accounts } from "./alert-desk.ts";
import type { DocumentReport, Reloaded } from "./calls.ts";
import type { NetworkEnforcer } from "./network-enforcer.ts";

type Enforcer = Pick<NetworkEnforcer, "state" | "plan" | "inForce">;

export function networkState(
	enforcer: Enforcer,
	config: Config,
	{ counters, invalidPackets }: Pick<Accounts, "counters" | "invalidPackets">,
	otherChains: readonly ForeignChain[] = [],
): NetworkEnforcerState {
	const { state, reason, generation, elements } = enforcer.state;
	return {
		state,
		reason,
		generation,
		elements,
		allowlistMode: enforcer.plan?.allowlistMode ?? { ingress: false, egress: false },
		posture: postureInForce(config.hostDefaultNetworkPosture, config),
		essentials: config.essentials,
		invalidPackets,
		otherChains,
		failsafe: (enforcer.plan?.failsafe ?? []).map(
			({ direction, index, protocol, icmpType, cidr, port, interface: name, counter }) => {
				const { packets, bytes } = counters[counter] ?? { packets: 0, bytes: 0 };
				return { direction, index, protocol, icmpType, cidr, port, interface: name, packets, bytes };
			},
		),
	};
}

/** The documents as status shows them; nothing is in force while the enforcer is not active. */
export function policyStates(
	reloaded: Reloaded | null,
	enforcer: Enforcer,
	usb: Pick<UsbEnforcerState, "state">,
): PolicyState[] {
	const active = ({ kind, name }: DocumentReport) =>
		kind === "KubeArmorHostPolicy"
			? usb.state === "active"
			: enforcer.state.state === "active" && enforcer.inForce.has(name);
	return (reloaded?.documents ?? []).map((document) => ({
		name: document.name,
		kind: document.kind,
		file: document.file,
		line: document.line,
		selected: document.selected,
		enforced: active(document) && document.enforced,
		action: document.action,
		diagnostics: document.diagnostics,
	}));
}

export interface ReadinessTrouble {
	/** Why the last attempt to enforce failed, or "". */
	readonly failure: string;
	/** Why what is in the policy directory is not what was to be enforced, or "": nobody confirmed it. */
	readonly complaint: string;
}

/** Ready is: what is in force is what is on disk, or its last good version. No USB is no matter without device policies. */
export function readiness(
	reloaded: Reloaded | null,
	enforcer: Enforcer,
	usb: Pick<UsbEnforcerState, "state" | "reason">,
	{ failure, complaint }: ReadinessTrouble,
): Readiness {
	const { state, reason } = enforcer.state;
	if (state === "unavailable")
		return { ready: false, body: `not ready: the network enforcer is unavailable: ${reason}` };
	if (reloaded === null) return { ready: false, body: "not ready: the policies are being read" };
	if (usb.state === "unavailable" && reloaded.devices.length > 0)
		return { ready: false, body: `not ready: the USB enforcer is unavailable: ${usb.reason}` };
	if (failure !== "") return { ready: false, body: `not ready: the last reload failed: ${failure}` };
	if (complaint !== "") return { ready: false, body: `not ready: ${complaint}` };
	if (!reloaded.complete) {
		const broken = reloaded.documents.filter(
			(document) => document.origin === "none" && hasError(document.diagnostics),
		);
		const files = [...new Set(broken.map((document) => `${document.file}:${document.line}`))];
		// Where a set is refused before any was in force, its last good version is no rule at all.
		const something =
			(reloaded.plan?.rules.length ?? 0) > 0 || !reloaded.documents.some((document) => document.selected);
		const covered = reloaded.plan !== null && files.length === 0 && reloaded.lastGood && something;
		if (!covered)
			return {
				ready: false,
				body: `not ready: not enforced: ${files.slice(0, 10).join(", ") || "the set of policies"}`,
			};
	}
	if (reloaded.lastGood)
		return { ready: true, body: "ready: the last good version of what is broken on disk is enforced" };
	if (state === "disabled") return { ready: true, body: "ready: the network enforcer is disabled" };
	return { ready: true, body: "ready: what is on disk is enforced" };
}

function hasError(diagnostics: readonly Diagnostic[]): boolean {
	return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}

/** What the operator should know though nothing is broken. */
export function forwardingWarnings(forwarding: Forwarding): string[] {
	const families = [forwarding.ipv4 ? "IPv4" : "", forwarding.ipv6 ? "IPv6" : ""].filter(
		(family) => family !== "",
	);
	if (families.length === 0) return [];
	return [
		`this host forwards ${families.join(" and ")}: forwarded traffic (containers, published Docker ports, virtual machines) is not covered by policies`,
	];
}
