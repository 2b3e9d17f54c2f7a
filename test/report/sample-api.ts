/** A sample of its own, as others have their file. */

import type { KubearmorApiState } from "../../src/report/kubearmor-api-status.ts";

/** The log service with clients, one of which reads slowly. */
export const sampleApi: KubearmorApiState = {
	address: "127.0.0.1:32767",
	healthAddress: null,
	state: "serving",
	error: "",
	connections: 2,
	subscribers: { alerts: 2, logs: 1, messages: 0 },
	sent: { alerts: 40, logs: 3, messages: 0 },
	dropped: { slow: 6, busy: 1 },
	errors: 1,
};
