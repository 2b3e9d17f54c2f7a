/** Changes of policies that tests share. */

import type { Generation } from "../../../src/base/generation.ts";

export const sampleGeneration: Generation = {
	time: "2026-02-23T04:31:35.104Z",
	generation: 3,
	files: {
		told: [
			{ change: "added", file: "new.yaml" },
			{ change: "removed", file: "old.yaml" },
		],
		more: 0,
	},
	settings: true,
	rules: {
		told: [{ change: "changed", policy: "web", list: "ingress", index: 1, action: "Block" }],
		more: 7,
	},
	verdicts: {
		told: [
			{
				direction: "ingress",
				protocol: "tcp",
				ports: [443, 443],
				addresses: ["192.0.2.0/24"],
				moreAddresses: 2,
				interface: "eth0",
				before: "Allow",
				after: "Block",
			},
			{
				direction: "egress",
				protocol: "icmp",
				ports: null,
				icmpTypes: [8, 8],
				addresses: ["0.0.0.0/0"],
				moreAddresses: 0,
				interface: null,
				before: "Block",
				after: "Allow",
			},
			{
				direction: "egress",
				protocol: "any",
				ports: null,
				addresses: ["0.0.0.0/0"],
				moreAddresses: 0,
				interface: "eth1",
				before: "Allow",
				after: "Allow",
			},
		],
		more: 0,
	},
	problem: "",
	confirmation: {
		id: "0123456789abcdef",
		from: "/root/new",
		asker: { uid: 0, pid: 7 },
		result: "confirmed",
		settled: "2026-02-23T04:32:00.000Z",
		how: "from another connection; by process 9 of user 0",
	},
	rollbackOf: null,
};

export const rolledBackGeneration: Generation = {
	...sampleGeneration,
	settings: false,
	confirmation: null,
	rollbackOf: "0123456789abcdef",
};

export const largeGeneration: Generation = {
	...sampleGeneration,
	rules: null,
	verdicts: null,
	problem: "too large",
	confirmation: {
		id: "f",
		from: "/etc/portward/policies",
		asker: null,
		result: "pending",
		settled: null,
		how: "",
	},
};
