/** What the policies say about flows that were seen. Pure. */

import { postureName } from "../../../../base/model.ts";
import { decidePacket, guestModel, type NetworkModel } from "../../compile/program.ts";
import type { SeenAnswer, SeenQuestion } from "./history-calls.ts";

/** @param spared what is forwarded passes, whatever the policies say: `guests.forwarded` is `audit`. */
export function decideSeen(
	model: NetworkModel,
	questions: readonly SeenQuestion[],
	spared: boolean,
): readonly SeenAnswer[] {
	const guests = guestModel(model);
	return questions.map(({ forwarded, ...packet }): SeenAnswer => {
		const deciding = forwarded ? guests : model;
		// Nothing that is forwarded is judged any more.
		if (deciding === null) return { action: "Allow", policy: postureName };
		const { action, rule } = decidePacket(deciding, packet);
		const passes = forwarded && spared && action === "Block";
		return { action: passes ? "Audit" : action, policy: rule?.policy ?? postureName };
	});
}
