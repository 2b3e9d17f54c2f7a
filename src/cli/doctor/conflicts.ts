/** What else on this host decides about the same packets and devices. */

import {
	decidingChains,
	describeChain,
	type ForeignChain,
} from "../../enforcers/network/observe/foreign-chains.ts";
import type { Forwarding } from "../../kernel/host.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Each chain of others that decides, in the order in which packets meet them, and what Docker means for published ports. */
export function firewallFindings(chains: readonly ForeignChain[], forwarding: Forwarding): Finding[] {
	const deciding = (["ingress", "egress"] as const).flatMap((direction) => decidingChains(chains, direction));
	const others = [...new Set(deciding)].map((chain) =>
		warning(
			"firewalls",
			`${describeChain(chain)} decides about the same packets: what it drops stays dropped, whatever the policies say`,
			`let one firewall decide${chain.tools.length === 0 ? "" : `, such as by switching off ${chain.tools.join(", ")}`}; docs/beside.md says what goes well beside Portward`,
		),
	);
	const containers = [...new Set(chains.flatMap(({ tools }) => tools))].filter((tool) =>
		/^(?:Docker|Podman|Kubernetes|CNI)/u.test(tool),
	);
	const published = containers.map((tool) =>
		warning(
			"forwarding",
			`${tool} forwards packets to containers: no policy is asked about ports that they publish`,
			"publish them on 127.0.0.1, or filter what is forwarded where the containers are managed",
		),
	);
	const families = [forwarding.ipv4 ? "IPv4" : null, forwarding.ipv6 ? "IPv6" : null].filter(
		(name) => name !== null,
	);
	const forwarded =
		families.length === 0 || published.length > 0
			? []
			: [
					warning(
						"forwarding",
						`this host forwards ${families.join(" and ")}, and policies judge only what ends or begins here`,
						"switch it off (sysctl net.ipv4.ip_forward=0), or filter what is forwarded elsewhere",
					),
				];
	return [
		...(others.length === 0 ? [ok("firewalls", "no other table decides about the same packets")] : others),
		...published,
		...forwarded,
	];
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
