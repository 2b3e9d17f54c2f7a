import type { CompileOptions } from "../../../../src/enforcers/network/compile/network.ts";

/** Compile options that tests vary. */
export const options: CompileOptions = {
	epoch: "e1",
	posture: "block",
	allowlistScope: "direction",
	essentials: true,
	failsafe: { ingress: [], egress: [] },
	observe: true,
	nflogGroup: 33,
	maxElements: 1_000_000,
	form: "concatenated",
	hashFrom: 512,
	logLimit: { rate: 100, burst: 200 },
};
