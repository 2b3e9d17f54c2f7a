/** The daemon's settings after the file and the flags have been merged and checked. */

import type { Direction, FailsafeRule, InterfaceMatch } from "../base/model.ts";
import type { KubearmorApiSettings } from "./kubearmor-api.ts";
import type { SinkSettings } from "./sinks.ts";

export type Posture = "audit" | "block";

/** `none`: the posture in force. */
export type StagedPosture = "none" | "block";

export interface Config {
	/** `audit`: nothing is refused by any policy or posture, and what would be is alerted. */
	readonly enforcement: "enforce" | "audit";
	readonly enableNetworkPolicyEnforcer: boolean;
	readonly hostDefaultNetworkPosture: Posture;
	/** A posture that is only judged beside the one in force. */
	readonly stagedNetworkPosture: StagedPosture;
	readonly enableKubeArmorHostPolicy: boolean;
	readonly enableUSBDeviceHandler: boolean;
	readonly hostDefaultDevicePosture: Posture;
	readonly stagedDevicePosture: StagedPosture;
	/** Whether USB devices that were there before portward are refused too (`apply`) or only reported (`audit`). */
	readonly presentDevices: "apply" | "audit";
	/** Whether boot keyboards that were there at this boot's first start are spared unless an entry names HID. */
	readonly protectConsoleKeyboard: boolean;
	readonly policyDir: string;
	/** Documents of other products among the policies are passed over instead of refused. */
	readonly ignoreUnknownKinds: boolean;
	readonly stateDir: string;
	/** As configured; the system labels come from src/document/labels.ts. */
	readonly nodeLabels: Readonly<Record<string, string>>;
	readonly clusterName: string;
	/** `direction`: an Allow counts for its own direction. `host`: for both, as the reference does. */
	readonly allowlistScope: "direction" | "host";
	readonly essentials: boolean;
	/** What becomes of packets that belong to another flow, as a helper of connection tracking finds them. */
	readonly related: "policy" | "accept";
	/** What becomes of packets that belong to no flow, in a direction that has rules. */
	readonly invalidPackets: "drop" | "accept";
	/** nftables table of family inet; [A-Za-z_][A-Za-z0-9_]{0,63}. */
	readonly table: string;
	/** 1..65535. */
	readonly nflogGroup: number;
	/** 1..100 000 000. */
	readonly maxElements: number;
	/** `auto` probes the kernel once at start. */
	readonly rulesetForm: "auto" | "concatenated" | "nested";
	readonly status: {
		readonly address: string;
		/** What TCP clients may read: everything, or the metrics and health alone. */
		readonly detail: "full" | "metrics-only";
		/** Absolute paths of PEM files; `clientCa` makes clients show a certificate. Null: no TLS. */
		readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | null } | null;
		/** Absolute path of a file with a bearer token, or null for none. */
		readonly tokenFile: string | null;
	};
	/** Whether the daemon gives up, for good, what a guard never needs: other programs, modules, most of the file system. */
	readonly confinement: "enforce" | "off";
	/** What `portward restore` does at boot when no saved ruleset can be used. */
	readonly bootPolicy: "last-good" | "block" | "open";
	/** End connections that were open before the first start and that the policies refuse, the default posture included. */
	readonly endRefusedAtStart: boolean;
	/** `required`: every change of the policy directory rolls back unless it is confirmed. */
	readonly confirm: "optional" | "required";
	/** Seconds that a change waits for its confirmation, 10..86 400. */
	readonly confirmWithin: number;
	/** Flows that no policy can refuse. */
	readonly failsafe: Readonly<Record<Direction, readonly FailsafeRule[]>>;
	readonly guests: {
		/** Whether policies hold for what is forwarded to and from guests. `audit`: what would be dropped is alerted and passes. */
		readonly forwarded: "off" | "audit" | "enforce";
		/** Further interfaces behind which guests are; at bridges they are looked for anyway. */
		readonly interfaces: readonly InterfaceMatch[];
		/** Bridges that lead to other hosts, beside those that are found. */
		readonly uplinks: readonly string[];
	};
	/** `required`: only policy directories with a manifest signed by one of `trustedKeys` are enforced. */
	readonly policySignature: "off" | "required";
	/** `enforce`: a set of policies is taken only where the test cases beside it pass. */
	readonly policyTests: "warn" | "enforce";
	/** "ed25519:" and 32 bytes in base64. */
	readonly trustedKeys: readonly string[];
	readonly observe: {
		/** Whether new flows are counted and kept. */
		readonly enabled: boolean;
		/** Flows that are kept apart, 1000..1 000 000. */
		readonly maxFlows: number;
	};
	readonly metrics: {
		/** Rules up to which each has series of its own, 0..10 000; beyond it policies have, beyond that actions. */
		readonly maxRuleSeries: number;
	};
	/** KubeArmor's log service over gRPC. */
	readonly kubearmorApi: KubearmorApiSettings;
	/** Whether a policy that raises more than `maxAlertPerSec` alerts in a second is silent for `throttleSec` seconds. */
	readonly alertThrottling: boolean;
	/** 1..100 000. */
	readonly maxAlertPerSec: number;
	/** 1..3600. */
	readonly throttleSec: number;
	readonly alerts: {
		readonly stdout: boolean;
		/** Absolute path, or null for no file. */
		readonly file: string | null;
		/** Bytes after which the file is rotated. */
		readonly fileMaxBytes: number;
		/** Rotated files that are kept. */
		readonly fileKeep: number;
		/** Alerts of packets a second over all rules, 10..100 000. What comes faster is counted and summed up. */
		readonly perSecond: number;
		/** Alerts held in memory for /v1/alerts. */
		readonly buffer: number;
		/** Other systems that alerts go to. */
		readonly sinks: readonly SinkSettings[];
	};
}
