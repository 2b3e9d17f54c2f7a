/** Worker: listens to nf_tables' notifications and posts every transaction that touches our table. */

import { closeSync, openSync } from "node:fs";
import { NETLINK_NETFILTER } from "../../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../../ffi/netlink.ts";
import { Poller } from "../../../../ffi/wait.ts";
import { AttributeTable, MessageCursor } from "../../../kernel/netlink-message.ts";
import { HIGHEST_ATTRIBUTE, NFNLGRP_NFTABLES, readNotification } from "../../../kernel/nftables-message.ts";
import type { ObserverMessage, ObserverStart } from "../../../threads/observer-protocol.ts";
import type { DriftReport, DriftSettings } from "./observer-protocol.ts";
import { TransactionGrouper } from "./transactions.ts";

declare const self: Worker;

/** A transaction of 100 000 elements is notified in some 15 MB at once; only what waits costs memory. */
const RECEIVE_BUFFER_BYTES = 32 << 20;

const post = (message: ObserverMessage<DriftReport>): void => self.postMessage(message);

self.onmessage = ({ data }: MessageEvent<ObserverStart<DriftSettings>>) => {
	const error = listen(data);
	post(error === null ? { kind: "stopped" } : { kind: "failed", error });
	process.exit(0);
};

/** Listens until told to stop. Null, or why it could not go on. */
function listen(start: ObserverStart<DriftSettings>): string | null {
	const opened = NetlinkSocket.open({
		protocol: NETLINK_NETFILTER,
		groups: [NFNLGRP_NFTABLES],
		receiveBuffer: start.settings.receiveBuffer ?? RECEIVE_BUFFER_BYTES,
	});
	if (!opened.ok) return opened.error;
	const { socket } = opened;
	const host = openHostName();
	try {
		const polling = Poller.create([start.stopFd, socket.fd], host === null ? [] : [host]);
		if (!polling.ok) return polling.error;
		post({ kind: "ready", fd: socket.fd, portId: socket.portId });
		// What starting left behind: from here on this thread mostly waits.
		Bun.gc(true);
		return loop(
			polling.poller,
			socket,
			new TransactionGrouper(start.settings.table, start.settings.probePrefix),
		);
	} finally {
		// Descriptors outlive the Worker.
		socket.close();
		if (host !== null) closeSync(host);
	}
}

/** No other event tells of a new host name, and this thread waits anyway. Null where it cannot be had. */
function openHostName(): number | null {
	try {
		return openSync("/proc/sys/kernel/hostname", "r");
	} catch {
		return null;
	}
}

function loop(poller: Poller, socket: NetlinkSocket, transactions: TransactionGrouper): string | null {
	const table = new AttributeTable(HIGHEST_ATTRIBUTE);
	for (;;) {
		const waited = poller.wait(-1);
		if (!waited.ok) return waited.error;
		const [stopped, , renamed] = waited.ready;
		if (stopped === true) return null;
		if (renamed === true) post({ kind: "renamed" });
		for (;;) {
			const received = socket.receive();
			if (received.kind === "empty") break;
			if (received.kind === "error") return received.error;
			if (received.kind === "overrun") {
				// What came before the gap may belong to another transaction than what comes after.
				transactions.forget();
				post({ kind: "suspect", time: Date.now() });
				continue;
			}
			const cursor = new MessageCursor(received.bytes);
			while (cursor.advance()) {
				const notification = readNotification(cursor, table);
				const report = notification === null ? null : transactions.add(notification, Date.now());
				if (report !== null) post({ kind: "transaction", report });
			}
		}
	}
}
