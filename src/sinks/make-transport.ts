/** The transport that a sink's settings ask for. */

import { addressOf, type SinkSettings } from "../config/sinks.ts";
import { journalEntry } from "../report/formats/journal.ts";
import { localSyslog, rfc5424 } from "../report/formats/syslog.ts";
import { cutText, type Transport } from "./transport.ts";
import { StreamTransport } from "./transports/stream.ts";
import { UdpTransport } from "./transports/udp.ts";
import { UnixSocketTransport } from "./transports/unix-socket.ts";
import { WebhookTransport } from "./transports/webhook.ts";

/** Characters of a journal field, and bytes of a message to /dev/log, where the whole is longer than any datagram. */
const shortField = 4096;
const shortMessage = 32 * 1024;

export function makeTransport(settings: SinkSettings): Transport {
	const address = settings.type === "webhook" ? null : addressOf(settings);
	if (address === null) return new WebhookTransport(settings);
	const { pid } = process;
	if (settings.type === "journald") {
		return new UnixSocketTransport(pathOf(address), ({ alert, text }, short) =>
			journalEntry(alert, text, short ? shortField : undefined),
		);
	}
	switch (address.transport) {
		case "unix":
			return new UnixSocketTransport(address.path, ({ alert, text }, short) => {
				const message = localSyslog(alert, text, pid);
				return Buffer.from(short ? cutText(message, shortMessage) : message);
			});
		case "udp":
			return new UdpTransport(address.host, address.port, ({ alert, text }) => rfc5424(alert, text, pid));
		default:
			return new StreamTransport(address, settings.tls, ({ alert, text }) => rfc5424(alert, text, pid));
	}
}

function pathOf(address: NonNullable<ReturnType<typeof addressOf>>): string {
	return address.transport === "unix" ? address.path : "";
}
