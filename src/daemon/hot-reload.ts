/** Which settings SIGHUP changes. Pure. */

import type { Config } from "../config/model.ts";

/**
 * Settings that say what policies mean, and what is told of them: the next reload of the policies applies them. Of
 * `alerts` that is `sinks` alone.
 */
export const hotSettings = [
	"enforcement",
	"hostDefaultNetworkPosture",
	"hostDefaultDevicePosture",
	"stagedNetworkPosture",
	"stagedDevicePosture",
	"presentDevices",
	"protectConsoleKeyboard",
	"nodeLabels",
	"ignoreUnknownKinds",
	"allowlistScope",
	"essentials",
	"related",
	"invalidPackets",
	"failsafe",
	"guests",
	"maxElements",
	"confirmWithin",
	"policySignature",
	"policyTests",
	"trustedKeys",
	"metrics",
	"kubearmorApi",
	"alertThrottling",
	"maxAlertPerSec",
	"throttleSec",
] as const satisfies readonly (keyof Config)[];

export interface HotReload {
	/** `running` with the hot settings of `wanted`. */
	readonly config: Config;
	/** Names of settings that differ and need a restart. */
	readonly needRestart: readonly string[];
}

export function hotReload(running: Config, wanted: Config): HotReload {
	const taken: Partial<Config> = Object.fromEntries(hotSettings.map((key) => [key, wanted[key]]));
	const { sinks } = wanted.alerts;
	const config = { ...running, ...taken, alerts: { ...running.alerts, sinks } };
	const inForce = new Map<string, unknown>(Object.entries(config));
	const needRestart = Object.entries(wanted).filter(
		([key, value]) => !Bun.deepEquals(value, inForce.get(key)),
	);
	return { config, needRestart: needRestart.map(([key]) => key) };
}
