/** What panic-open and resume ask of a running daemon, after they have changed the record themselves. */

import type { NetworkService } from "../enforcers/network/run/network-service.ts";
import type { ControlReply, RequestOf } from "../serve/control/control-protocol.ts";
import type { PanicWatch } from "./panic-watch.ts";

type Enforcer = Pick<NetworkService, "letAllPass" | "reload" | "state">;

export interface PanicVerbs {
	readonly "panic-open": (request: RequestOf<"panic-open">) => Promise<ControlReply>;
	readonly resume: () => Promise<ControlReply>;
}

/** Each looks at the record itself; only what could not be recorded is taken from the request. */
export function panicVerbs(
	watch: Pick<PanicWatch, "check" | "hold" | "release">,
	enforcer: Enforcer,
): PanicVerbs {
	const answer = (ok: boolean, message: string): ControlReply => ({ ok, message });
	return {
		"panic-open": async ({ unrecorded }) => {
			if (unrecorded !== undefined) watch.hold(unrecorded);
			if (watch.check() === null)
				return answer(false, "the daemon sees no record of panic-open: it has another state directory");
			const error = await enforcer.letAllPass();
			if (error !== "") return answer(false, error);
			return enforcer.state.state === "disabled"
				? answer(true, "the network enforcer is disabled: nothing was in force")
				: answer(true, "the daemon has opened the network table and leaves it open");
		},
		resume: async () => {
			watch.release();
			if (watch.check() !== null)
				return answer(false, "the daemon still sees a record of panic-open: it has another state directory");
			await enforcer.reload();
			const { state, reason } = enforcer.state;
			if (state === "active") return answer(true, "the network policies are enforced again");
			return state === "disabled"
				? answer(true, "the network enforcer is disabled: nothing is to be enforced")
				: answer(false, `the network policies are not enforced: ${reason}`);
		},
	};
}
