/** The command that explains an alert. Pure. */

/** What an alert tells of itself; the rest does not matter here. */
export interface ExplainedAlert {
	readonly Operation?: string | undefined;
	readonly Resource: string;
	readonly EventData?: Readonly<Record<string, string>> | undefined;
}

const withPorts: readonly string[] = ["TCP", "UDP", "SCTP"];
const withoutPorts: readonly string[] = ["ICMP", "ICMPv6"];

/** Such as `portward explain ingress tcp 192.0.2.7 22`; null for an alert that no command explains. */
export function explainCommand({ Operation, Resource, EventData = {} }: ExplainedAlert): string | null {
	if (Operation === "Device") {
		const { Port = "" } = EventData;
		return /^[0-9]+-[0-9.]+$/u.test(Port) ? `portward usb explain ${Port}` : null;
	}
	const direction = Resource.toLowerCase();
	if (Operation !== "NetworkFirewall" || (direction !== "ingress" && direction !== "egress")) return null;
	const { SourceIP, DestinationIP, DestinationPort = "", SourcePort, Protocol = "", Interface } = EventData;
	const remote = direction === "ingress" ? SourceIP : DestinationIP;
	if (remote === undefined || !/^[0-9a-fA-F.:]+$/u.test(remote)) return null;
	const words = ["portward", "explain", direction, protocolWord(Protocol), remote];
	if (withPorts.includes(Protocol)) {
		if (!/^\d+$/u.test(DestinationPort)) return null;
		words.push(DestinationPort);
		if (SourcePort !== undefined && /^\d+$/u.test(SourcePort)) words.push("--source-port", SourcePort);
	} else if (!withoutPorts.includes(Protocol) && !/^Proto-\d+$/u.test(Protocol)) return null;
	if (Interface !== undefined && /^[A-Za-z0-9_.:@-]{1,15}$/u.test(Interface))
		words.push("--iface", Interface);
	if (EventData.Hook === "forward") {
		const { GuestIP = "" } = EventData;
		if (direction === "ingress") words.push("--published");
		else if (/^[0-9a-fA-F.:]+$/u.test(GuestIP)) words.push("--from-guest", GuestIP);
	}
	return words.join(" ");
}

function protocolWord(protocol: string): string {
	return protocol.replace(/^Proto-/u, "").toLowerCase();
}
