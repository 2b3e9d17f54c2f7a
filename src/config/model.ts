/** The daemon's settings after the file and the flags have been merged and checked. */

export type Posture = "audit" | "block";

export interface Config {
	readonly enableNetworkPolicyEnforcer: boolean;
	readonly hostDefaultNetworkPosture: Posture;
	readonly enableKubeArmorHostPolicy: boolean;
	readonly enableUSBDeviceHandler: boolean;
	readonly hostDefaultDevicePosture: Posture;
	/** Whether USB devices that were there before portward are refused too (`apply`) or only reported (`audit`). */
	readonly presentDevices: "apply" | "audit";
	/** Whether boot keyboards that were there at this boot's first start are spared unless an entry names HID. */
	readonly protectConsoleKeyboard: boolean;
	readonly policyDir: string;
	readonly stateDir: string;
	/** As configured; the system labels come from src/select. */
	readonly nodeLabels: Readonly<Record<string, string>>;
	readonly clusterName: string;
	/** `direction`: an Allow counts for its own direction. `host`: for both, as the reference does. */
	readonly allowlistScope: "direction" | "host";
	readonly essentials: boolean;
	/** nftables table of family inet; [A-Za-z_][A-Za-z0-9_]{0,63}. */
	readonly table: string;
	/** 1..65535. */
	readonly nflogGroup: number;
	/** 1..100 000 000. */
	readonly maxElements: number;
	/** `auto` probes the kernel once at start. */
	readonly rulesetForm: "auto" | "concatenated" | "nested";
	readonly status: { readonly address: string };
	readonly alerts: {
		readonly stdout: boolean;
		/** Absolute path, or null for no file. */
		readonly file: string | null;
		/** Bytes after which the file is rotated. */
		readonly fileMaxBytes: number;
		/** Rotated files that are kept. */
		readonly fileKeep: number;
		/** Alerts held in memory for /v1/alerts. */
		readonly buffer: number;
	};
}
