/** The thread that reads, parses and compiles policies, and judges open connections by them. */

import { exchangePaths } from "../../ffi/rename.ts";
import { syncFileSystem } from "../../ffi/sync.ts";
import type { PolicyCalls, StagingCalls } from "../enforcers/network/run/calls.ts";
import { meaningOf } from "../engine/meaning.ts";
import { PolicyEngine } from "../engine/policy-engine.ts";
import { fileOperations } from "../state/pending-files.ts";
import { readTree } from "../state/pending-tree.ts";
import { serve } from "../threads/rpc.ts";
import { stagePolicies } from "./pending/pending-stager.ts";

declare const self: Worker;

let engine: PolicyEngine | null = null;

const sync: StagingCalls["sync"] = ({ directory }) => {
	const synced = syncFileSystem(directory);
	return synced.ok ? null : synced.error;
};

const calls: PolicyCalls & StagingCalls = {
	reload: ({ settings, epoch, form }) => {
		// Another directory is another set, with last good versions of its own.
		if (!engine?.reads(settings)) engine = new PolicyEngine(settings);
		return engine.reload(settings.config, epoch, form, settings.hostname);
	},
	keep: () => engine?.keep() ?? null,
	judgeConnections: (request) =>
		engine?.judgeConnections(request) ?? {
			...request,
			blocked: 0,
			strayed: 0,
			overflow: 0,
			muted: [],
			error: "",
		},
	adoptConnections: () => engine?.adoptConnections() ?? null,
	endConnections: () => engine?.endConnections() ?? { ended: 0, error: "" },
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
	digest: ({ directory, checkPermissions }) => {
		const read = readTree(directory, { checkPermissions });
		return read.ok ? read.digest : null;
	},
};

serve(self, calls);
