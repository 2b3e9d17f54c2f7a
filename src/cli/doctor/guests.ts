/** Who lives behind this host, and whether policies hold for that. */

import type { Config } from "../../config/model.ts";
import { describeChain, type ForeignChain } from "../../enforcers/network/observe/foreign-chains.ts";
import type { GuestFacts } from "../../enforcers/network/observe/guests/guests.ts";
import type { Forwarding } from "../../kernel/host.ts";
import { plural } from "../diagnostics.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Engines by the name of a process of theirs, its first 15 bytes; others are told by their tables. */
const engineProcesses: Readonly<Record<string, string>> = {
	dockerd: "Docker",
	containerd: "containerd",
	conmon: "Podman",
	crio: "CRI-O",
	kubelet: "Kubernetes",
	libvirtd: "libvirt",
	virtnetworkd: "libvirt",
	lxd: "LXD",
	incusd: "Incus",
	"systemd-nspawn": "systemd-nspawn",
};

const engineTools = /^(?:Docker|Podman|Kubernetes|CNI|libvirt)/u;

/**
 * @param processes their names, as /proc/PID/comm has them
 * @param facts null where the kernel does not tell
 */
export function guestFindings(
	forwarded: Config["guests"]["forwarded"],
	processes: ReadonlySet<string>,
	chains: readonly ForeignChain[],
	facts: GuestFacts | null,
	forwarding: Forwarding,
): Finding[] {
	const engines = [
		...new Set([
			...[...processes].flatMap((name) =>
				Object.hasOwn(engineProcesses, name) ? [engineProcesses[name]] : [],
			),
			...chains.flatMap(({ tools }) => tools.filter((tool) => engineTools.test(tool))),
		]),
	].sort();
	const { bridges, published, more, unjudged } = facts ?? {
		bridges: [],
		published: [],
		more: 0,
		unjudged: [],
	};
	const there = engines.length > 0 || bridges.length > 0 || published.length > 0;
	const families = [forwarding.ipv4 ? "IPv4" : null, forwarding.ipv6 ? "IPv6" : null].filter(
		(name) => name !== null,
	);
	if (!there && families.length === 0)
		return [ok("guests", "this host forwards nothing, and no engine is seen")];
	const seen = [
		engines.length === 0 ? "no engine is seen" : `seen: ${engines.join(", ")}`,
		`${plural(bridges.length, "network")} of guests`,
		`${plural(published.length + more, "published port")}`,
		families.length === 0 ? "nothing is forwarded" : `${families.join(" and ")} is forwarded`,
	].join("; ");
	return [
		modeFinding(forwarded, seen),
		...dropping(chains),
		...unjudged.map((message) =>
			warning(
				"guests",
				message,
				"filter it where those guests are managed; docs/containers.md says what is judged",
			),
		),
	];
}

function modeFinding(forwarded: Config["guests"]["forwarded"], seen: string): Finding {
	if (forwarded === "enforce")
		return ok("guests", `policies hold for what is forwarded to and from guests (${seen})`);
	return forwarded === "audit"
		? warning(
				"guests",
				`what policies would block of guests is alerted, and passes (${seen})`,
				"look at the alerts, and write guests: {forwarded: enforce} into the settings",
			)
		: warning(
				"guests",
				`policies are not asked about published ports and guests (${seen})`,
				"write guests: {forwarded: audit} into the settings, and look at the alerts before enforce",
			);
}

/** What drops by default stays so, whatever a policy allows. */
function dropping(chains: readonly ForeignChain[]): Finding[] {
	return chains
		.filter(({ hook, type, policy }) => hook === "forward" && type === "filter" && policy === "drop")
		.map((chain) =>
			ok("guests", `${describeChain(chain)} drops what no engine accepts, whatever the policies allow`),
		);
}
