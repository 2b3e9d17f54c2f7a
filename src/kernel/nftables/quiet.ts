/**
 * Keeps the kernel from telling our own observer of each of very many elements that we load ourselves. It makes a message
 * of every one while anybody in the whole host listens, which takes as long as loading them, and several times their memory.
 *
 * While the observer does not listen somebody else may change the table unseen. The kernel numbers transactions, so that is
 * found out afterwards: where more than ours was numbered, something unknown may have happened, as where messages were lost.
 */

import type { NetlinkSocket, SharedMembership } from "../../../ffi/netlink.ts";
import {
	AttributeTable,
	FAMILY_HEADER_BYTES,
	MessageWriter,
	NLM_F_ACK,
	NLM_F_REQUEST,
} from "../netlink-message.ts";
import { type Answer, askEach } from "../netlink-request.ts";
import { NFNL_SUBSYS_NFTABLES, NFPROTO_INET, NFT_MSG_GETGEN, NFTA_GEN_ID } from "../nftables-message.ts";
import { BatchWriter } from "./direct-writer.ts";

/** No sequence number of a transaction. */
const ownSequence = 0xffff_fffe;

export class QuietLoads {
	readonly #socket: NetlinkSocket;
	readonly #membership: SharedMembership;
	/** Somebody else made a transaction meanwhile. From then on this observer hears everything: on this host that may happen again. */
	#met = false;
	#unseen = false;

	/** @param socket of NETLINK_NETFILTER, which nobody else uses at the same time */
	constructor(socket: NetlinkSocket, membership: SharedMembership) {
		this.#socket = socket;
		this.#membership = membership;
	}

	/** Whether others may have changed something unseen since this was asked last. */
	takeUnseen(): boolean {
		const unseen = this.#unseen;
		this.#unseen = false;
		return unseen;
	}

	/** @param send makes one transaction that changes something */
	around(send: () => Answer): Answer {
		const before = this.#met ? null : this.#generation();
		if (before === null) return send();
		// It waits until the transaction before is through, whose last messages may be on their way to the observer.
		const through = this.#socket.send(emptyBatch());
		if (!through.ok || !this.#membership.leave()) return send();
		let own = 0;
		try {
			const answer = send();
			if (answer.ok) own = 1;
			return answer;
		} finally {
			this.#hearAgain(before + own);
		}
	}

	/** @param expected the number of the last transaction */
	#hearAgain(expected: number): void {
		if (!this.#membership.join()) {
			// Nobody would notice any more what others do. Thrown where nobody catches it, it ends the daemon, which begins anew.
			setTimeout(() => {
				throw new Error("the observer of the table does not listen any more");
			});
		}
		if (this.#generation() !== expected) this.#met = this.#unseen = true;
	}

	/** The number of the last transaction in this network namespace; null where the kernel does not tell it. */
	#generation(): number | null {
		const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
		const request = new MessageWriter(type, NLM_F_REQUEST | NLM_F_ACK, ownSequence)
			.familyHeader(NFPROTO_INET)
			.finish();
		const attributes = new AttributeTable(NFTA_GEN_ID);
		let generation: number | null = null;
		const answer = askEach(this.#socket, request, ownSequence, (cursor) => {
			attributes.read(cursor.bytes, cursor.start + FAMILY_HEADER_BYTES, cursor.end);
			generation = attributes.u32(NFTA_GEN_ID);
		});
		return answer.ok ? generation : null;
	}
}

/** A transaction of nothing: the kernel takes its lock, and lets it go. */
function emptyBatch(): Uint8Array {
	const writer = new BatchWriter(ownSequence);
	writer.beginBatch();
	return writer.finishBatch();
}
