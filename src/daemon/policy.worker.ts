/** The thread that reads, parses and compiles policies, and judges open connections by them. */

import type { PolicyCalls } from "./calls.ts";
import { PolicyEngine } from "./policy-engine.ts";
import { serve } from "./rpc.ts";

declare const self: Worker;

let engine: PolicyEngine | null = null;

const calls: PolicyCalls = {
	reload: ({ settings, epoch, form }) => {
		engine ??= new PolicyEngine(settings);
		return engine.reload(settings.config, epoch, form);
	},
	keep: () => engine?.keep() ?? null,
	judgeConnections: ({ refused }) => engine?.judgeConnections(refused) ?? { ended: 0, refused, error: "" },
	endConnections: () => engine?.endConnections() ?? { ended: 0, error: "" },
};

serve(self, calls);
