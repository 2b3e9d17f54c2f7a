/** What else on this host decides about the same packets and devices. */

import {
	decidingChains,
	describeChain,
	type ForeignChain,
} from "../../enforcers/network/observe/foreign-chains.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Each chain of others that decides, in the order in which packets meet them. */
export function firewallFindings(chains: readonly ForeignChain[]): Finding[] {
	const deciding = (["ingress", "egress"] as const).flatMap((direction) => decidingChains(chains, direction));
	const others = [...new Set(deciding)].map((chain) =>
		warning(
			"firewalls",
			`${describeChain(chain)} decides about the same packets: what it drops stays dropped, whatever the policies say`,
			`let one firewall decide${chain.tools.length === 0 ? "" : `, such as by switching off ${chain.tools.join(", ")}`}; docs/beside.md says what goes well beside Portward`,
		),
	);
	return others.length === 0 ? [ok("firewalls", "no other table decides about the same packets")] : others;
}

/** The first 15 bytes of the name of USBGuard's process. */
const usbGuard = "usbguard-daemon";

/** @param processes their names, as /proc/PID/comm has them. @param enabled whether the settings enforce device policies */
export function usbFindings(processes: ReadonlySet<string>, enabled: boolean, present: boolean): Finding[] {
	if (!enabled) return [ok("usb", "device policies are switched off by the settings")];
	if (!present) return [ok("usb", "the kernel shows no USB")];
	if (!processes.has(usbGuard)) return [ok("usb", "USBGuard does not run")];
	return [
		warning(
			"usb",
			"USBGuard runs, and authorizes the same devices",
			"let one of them decide: systemctl disable --now usbguard, or enableUSBDeviceHandler: false in the settings",
		),
	];
}
