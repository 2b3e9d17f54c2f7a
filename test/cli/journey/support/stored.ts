/** Flows in a daemon's store. */

import { protocolNumber } from "../../../../src/base/protocol.ts";
import { FlowStore } from "../../../../src/enforcers/network/history/flow-store.ts";
import {
	flowWords,
	setAddress,
	setFacts,
	setVerdict,
} from "../../../../src/enforcers/network/history/flow-words.ts";
import type { SeenFlow } from "../../../../src/enforcers/network/history/seen-flow.ts";

function bytesOf(value: bigint, family: 4 | 6): Uint8Array {
	const digits = value.toString(16).padStart(family === 4 ? 8 : 32, "0");
	return Uint8Array.from(digits.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function storeOf(flows: readonly SeenFlow[], since = 1000): FlowStore {
	const store = new FlowStore({ maxFlows: flows.length + 1, seed: 5, since });
	const words = new Uint32Array(flowWords);
	for (const flow of flows) {
		const { direction, hook, protocol, port, remote, guest, action, policy, count } = flow;
		const { family, base, prefix } = remote;
		words.fill(0);
		setFacts(
			words,
			{
				direction,
				hook,
				family,
				protocol: protocolNumber(protocol),
				port,
				interface: store.interface(flow.interface),
			},
			guest !== null,
		);
		words[0] = ((words[0] ?? 0) & ~0xff00) | (prefix << 8);
		setAddress(words, "remote", bytesOf(base, family), 0, family);
		if (guest !== null) setAddress(words, "guest", bytesOf(guest.value, family), 0, family);
		setVerdict(words, store.verdict({ action, policy }));
		store.add(words, { count, first: flow.firstSeen, last: flow.lastSeen });
	}
	return store;
}
