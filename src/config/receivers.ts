/** Where sinks send to over a network. */

import { parseAddress } from "../base/cidr.ts";
import { addressOf, type SinkSettings } from "./sinks.ts";

export interface SinkReceiver {
	readonly protocol: "tcp" | "udp";
	/** An address or a name. */
	readonly host: string;
	/** 1..65535 */
	readonly port: number;
}

/** Null of a sink that sends to a socket of this host. */
export function receiverOf(settings: SinkSettings): SinkReceiver | null {
	if (settings.type === "webhook") {
		if (settings.url === null) return null;
		const { protocol, hostname, port } = new URL(settings.url);
		const usual = protocol === "https:" ? 443 : 80;
		return { protocol: "tcp", host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || usual };
	}
	const address = addressOf(settings);
	if (address === null || address.transport === "unix") return null;
	const { transport, host, port } = address;
	return { protocol: transport === "udp" ? "udp" : "tcp", host, port };
}

/** The receivers of which the settings have the address. */
export function literalReceivers(
	sinks: readonly SinkSettings[],
): readonly (Omit<SinkReceiver, "host"> & { readonly name: string; readonly address: string })[] {
	return sinks.flatMap((settings) => {
		const receiver = receiverOf(settings);
		if (receiver === null || !isAddress(receiver.host)) return [];
		const { protocol, host, port } = receiver;
		return [{ name: settings.name, protocol, address: host, port }];
	});
}

export function isAddress(host: string): boolean {
	return "family" in parseAddress(host);
}
