/**
 * A program of its own, as probing leaves its network for good: probes the tests of a directory with a model that
 * answers for one address what it does not mean. Prints what was found.
 */

import { probeTests } from "../../../../src/cli/test/probe.ts";
import { defaultConfig } from "../../../../src/config/parse.ts";
import { asideOf } from "../../../../src/document/parse.ts";
import { decidePacket } from "../../../../src/enforcers/network/compile/program.ts";
import { readPolicySet } from "../../../../src/engine/policy-set.ts";
import { policyTestKind } from "../../../../src/engine/testing/kind.ts";
import { modelsIn } from "../../../../src/engine/testing/models.ts";
import { runTests } from "../../../../src/engine/testing/run.ts";

const [directory = ".", planted = ""] = process.argv.slice(2);
const config = defaultConfig();
const { asides } = readPolicySet([directory], config);
const tests = asides.flatMap((document) => asideOf(policyTestKind, document));
const run = runTests(tests, modelsIn(directory), config);
const result = probeTests(run.packets, (model, packet) => {
	const verdict = decidePacket(model, packet);
	if (`${packet.address}` !== planted) return verdict;
	return { ...verdict, action: verdict.action === "Block" ? "Allow" : "Block" };
});
process.stdout.write(JSON.stringify(result));
