/** The thread that keeps the flows: it reads the kernel's sets, adds up, saves, and makes the answers of /v1/flows. */

import { NETLINK_NETFILTER } from "../../../../../ffi/constants.ts";
import { Libc } from "../../../../../ffi/libc.ts";
import { NetlinkSocket } from "../../../../../ffi/netlink.ts";
import { directions } from "../../../../base/model.ts";
import { giveBack } from "../../../../threads/give-back.ts";
import { serve } from "../../../../threads/rpc.ts";
import { forwardChain, type SeenPlace, seenLostCounter } from "../../names.ts";
import { InterfaceNames } from "../../observe/interface-names.ts";
import { readSeen, readSeenCounter } from "../../observe/seen-sets.ts";
import { FlowKeeper, type ReadSets } from "./flow-keeper.ts";
import { type HistoryCalls, muchAsked, type Polled } from "./history-calls.ts";

declare const self: Worker;

const receiveBuffer = 4 * 1024 * 1024;

const places: readonly SeenPlace[] = directions.flatMap((direction) =>
	[false, true].flatMap((forwarded) =>
		([4, 6] as const).map((family): SeenPlace => ({ direction, forwarded, family })),
	),
);

const notOpen: Polled = {
	facts: {
		flows: 0,
		merged: 0,
		lost: 0,
		newFlows: 0,
		since: 0,
		pollMs: 0,
		elements: 0,
		problem: "the flows are not open",
		unsaved: "",
	},
	questions: [],
	news: [],
	moreNews: 0,
	changes: 0,
};

let keeper: FlowKeeper | null = null;

function setsOf(socket: NetlinkSocket, table: string): ReadSets {
	return (each) => {
		for (const place of places) {
			for (const kind of ["named", "other"] as const) {
				const error = readSeen(socket, table, place, kind, (element) => each(place, kind, element));
				if (error !== null) return error;
			}
		}
		return null;
	};
}

const lostCounters = [...directions, forwardChain].map(seenLostCounter);

/** Milliseconds after an answer, a look at which there was much to learn, or a writing to the disk. */
const restMs = 3000;

let resting: ReturnType<typeof setTimeout> | null = null;

/** Questions of the last look that were answered. */
let asked = 0;

/** Gives back what was left behind, tens of megabytes by each answer where many flows are kept. */
function restSoon(): void {
	// Who asks again and again does not put it off.
	if (resting !== null) return;
	resting = setTimeout(() => {
		resting = null;
		// Drops compiled code, too, which is made again from what lies in the executable.
		Bun.shrink();
		giveBack();
	}, restMs);
}

const calls: HistoryCalls = {
	open({ stateDirectory, table, maxFlows }) {
		const library = Libc.open();
		if (!library.ok) return library.reason;
		const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, receiveBuffer });
		if (!opened.ok) return `flows cannot be read: ${opened.error}`;
		const { socket } = opened;
		const now = () => performance.now();
		const names = new InterfaceNames((index) => library.libc.interfaceName(index), now);
		keeper = new FlowKeeper({
			stateDirectory,
			maxFlows,
			read: setsOf(socket, table),
			unseen: () => {
				const counts = lostCounters.map((name) => readSeenCounter(socket, table, name));
				return counts.every((count) => count === null)
					? null
					: counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
			},
			interfaceName: (index) => names.name(index),
			time: () => Date.now(),
			now,
			wrote: restSoon,
			seed: crypto.getRandomValues(new Int32Array(1))[0] ?? 0,
		});
		// What was read from the disk leaves more than an answer.
		restSoon();
		return keeper.notice;
	},
	poll(argument) {
		asked = 0;
		return keeper?.poll(argument) ?? notOpen;
	},
	decided(argument) {
		asked += argument.rows.length;
		if (asked >= muchAsked) restSoon();
		return keeper?.decided(argument) ?? notOpen;
	},
	flows(argument) {
		restSoon();
		return keeper?.flows(argument) ?? { ok: false, message: "the flows are not open yet", hint: "ask again" };
	},
	save: () => keeper?.save() ?? "",
};

/** Of an answer to `flows`, tens of megabytes. */
function largeBuffers(result: unknown): ArrayBuffer[] {
	const { body } = Object(result) as { readonly body?: unknown };
	return body instanceof Uint8Array && body.buffer instanceof ArrayBuffer ? [body.buffer] : [];
}

serve<HistoryCalls>(self, calls, largeBuffers);
