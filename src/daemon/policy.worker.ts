/** The thread that reads, parses and compiles policies, and judges open connections by them. */

import { exchangePaths } from "../../ffi/rename.ts";
import { syncFileSystem } from "../../ffi/sync.ts";
import type { EnforcerCalls } from "../enforcers/contract/enforcer.ts";
import { planObjects } from "../enforcers/network/compile/plan.ts";
import { enforcers } from "../engine/enforcers.ts";
import { ChangeTeller } from "../engine/generations/set-change.ts";
import { meaningOf } from "../engine/meaning.ts";
import { PolicyEngine } from "../engine/policy-engine.ts";
import { fileOperations } from "../state/pending-files.ts";
import { CarrySender } from "../threads/carry.ts";
import { giveBack } from "../threads/give-back.ts";
import { serve } from "../threads/rpc.ts";
import { digestPolicies, stagePolicies } from "./pending/pending-stager.ts";
import type { PolicyCalls, StagingCalls } from "./policy-calls.ts";

declare const self: Worker;

let engine: PolicyEngine | null = null;
const changes = new ChangeTeller();
/** PolicyReader has the other end. */
let carry = new CarrySender(planObjects);

const sync: StagingCalls["sync"] = ({ directory }) => {
	const synced = syncFileSystem(directory);
	return synced.ok ? null : synced.error;
};

const calls: PolicyCalls & StagingCalls = {
	reload: ({ settings, wishes, anew }) => {
		if (anew) carry = new CarrySender(planObjects);
		// Another directory is another set, with last good versions of its own.
		if (!engine?.reads(settings)) engine = new PolicyEngine(settings);
		return carry.pack(engine.reload(settings.config, wishes, settings.hostname));
	},
	recall: ({ settings, wishes }) => {
		if (engine !== null) return;
		engine = new PolicyEngine(settings);
		engine.reload(settings.config, wishes, settings.hostname);
	},
	keep: () => engine?.keep() ?? null,
	tellChange: ({ before, config }) => {
		if (engine === null) throw new Error("no policies were read");
		const { enforced: documents, standingParts: parts, directory } = engine;
		return changes.tell(before, { documents, parts, directory, config });
	},
	rest: giveBack,
	stage: (request) =>
		stagePolicies(
			request,
			fileOperations(exchangePaths, async (directory) => {
				const problem = sync({ directory });
				if (problem !== null) throw new Error(problem);
			}),
		),
	sync,
	meaning: meaningOf,
	digest: digestPolicies,
};

/** What enforcers want answered about what was compiled last. */
const theirs = enforcers.map(
	(enforcer): EnforcerCalls => enforcer.calls(() => engine?.standing(enforcer).kept ?? null),
);

serve(self, Object.assign({}, ...theirs, calls));
