/**
 * The keys of the configuration file, their ranges and defaults, as one valibot
 * schema. Every message says what to write.
 */

import * as v from "valibot";
import { isSmallOrder, smallOrderMessage } from "../base/small-order.ts";
import { failsafeSchema } from "./failsafe.ts";
import { guestsSchema } from "./guests.ts";
import { kubearmorApiSchema } from "./kubearmor-api.ts";
import { sinksSchema } from "./sinks.ts";
import { absolutePath, isListenAddress, whole } from "./values.ts";

const flag = v.boolean("write true or false");

const posture = v.picklist(["block", "audit"], "write block or audit, in lower case");
const stagedPosture = v.picklist(["none", "block"], "write none or block, in lower case");

const labelText = v.pipe(
	v.string('write text; put numbers and true or false in quotes, as in tier: "1"'),
	v.maxLength(253, "write at most 253 characters"),
);

/** Keys and values of Kubernetes labels, without their restriction of characters. */
const labels = v.record(
	v.pipe(v.string(), v.nonEmpty("write a label's name"), v.maxLength(317, "write at most 317 characters")),
	labelText,
	"write labels as NAME: VALUE lines",
);

export const statusAddressHint = 'write "127.0.0.1:9755", "[::1]:9755" or "unix:/run/portward/status.sock"';

const statusAddress = v.pipe(v.string(statusAddressHint), v.check(isListenAddress, statusAddressHint));

const trustedKeyHint =
	'write "ed25519:" and the 32 bytes of the public key in base64, as portward policy keygen prints it';

const tableHint = "write letters, digits and _, not starting with a digit, at most 64 characters";

/** Every key is optional; absent means the default written here. */
export const configSchema = v.object({
	enforcement: v.optional(
		v.picklist(["enforce", "audit"], "write enforce or audit, in lower case"),
		"enforce",
	),
	enableNetworkPolicyEnforcer: v.optional(flag, true),
	hostDefaultNetworkPosture: v.optional(posture, "block"),
	stagedNetworkPosture: v.optional(stagedPosture, "none"),
	enableKubeArmorHostPolicy: v.optional(flag, true),
	enableUSBDeviceHandler: v.optional(flag, true),
	hostDefaultDevicePosture: v.optional(posture, "audit"),
	stagedDevicePosture: v.optional(stagedPosture, "none"),
	presentDevices: v.optional(v.picklist(["apply", "audit"], "write apply or audit, in lower case"), "apply"),
	protectConsoleKeyboard: v.optional(flag, true),
	policyDir: v.optional(absolutePath, "/etc/portward/policies"),
	ignoreUnknownKinds: v.optional(flag, false),
	stateDir: v.optional(absolutePath, "/var/lib/portward"),
	nodeLabels: v.optional(labels, {}),
	clusterName: v.optional(labelText, "default"),
	allowlistScope: v.optional(v.picklist(["direction", "host"], "write direction or host"), "direction"),
	essentials: v.optional(flag, true),
	related: v.optional(v.picklist(["policy", "accept"], "write policy or accept"), "policy"),
	invalidPackets: v.optional(v.picklist(["drop", "accept"], "write drop or accept"), "drop"),
	endRefusedAtStart: v.optional(flag, false),
	table: v.optional(
		v.pipe(v.string(tableHint), v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, tableHint)),
		"kubearmor",
	),
	nflogGroup: v.optional(whole(1, 65535), 9755),
	maxElements: v.optional(whole(1, 100_000_000), 1_000_000),
	rulesetForm: v.optional(
		v.picklist(["auto", "concatenated", "nested"], "write auto, concatenated or nested"),
		"auto",
	),
	status: v.optional(
		v.object(
			{
				address: v.optional(statusAddress, "127.0.0.1:9755"),
				detail: v.optional(
					v.picklist(["full", "metrics-only"], "write full or metrics-only"),
					"metrics-only",
				),
				tls: v.optional(
					v.nullable(
						v.object(
							{
								cert: absolutePath,
								key: absolutePath,
								clientCa: v.optional(v.nullable(absolutePath), null),
							},
							"write tls: {cert: FILE, key: FILE}",
						),
					),
					null,
				),
				tokenFile: v.optional(v.nullable(absolutePath), null),
			},
			"write status: {address: ADDRESS}",
		),
		{},
	),
	confinement: v.optional(v.picklist(["enforce", "off"], "write enforce or off"), "enforce"),
	bootPolicy: v.optional(
		v.picklist(["last-good", "block", "open"], "write last-good, block or open"),
		"last-good",
	),
	confirm: v.optional(v.picklist(["optional", "required"], "write optional or required"), "optional"),
	confirmWithin: v.optional(whole(10, 24 * 3600), 60),
	failsafe: v.optional(failsafeSchema, {}),
	guests: v.optional(guestsSchema, {}),
	policySignature: v.optional(v.picklist(["off", "required"], "write off or required"), "off"),
	policyTests: v.optional(v.picklist(["warn", "enforce"], "write warn or enforce"), "warn"),
	trustedKeys: v.optional(
		v.pipe(
			v.array(
				v.pipe(
					v.string(trustedKeyHint),
					v.regex(/^ed25519:[A-Za-z0-9+/]{43}=$/, trustedKeyHint),
					v.check(
						(key) => !isSmallOrder(Buffer.from(key.slice("ed25519:".length), "base64")),
						smallOrderMessage,
					),
				),
				"write a list of keys",
			),
			v.maxLength(32, "write at most 32 keys"),
		),
		[],
	),
	observe: v.optional(
		v.object(
			{
				enabled: v.optional(flag, true),
				maxFlows: v.optional(whole(1000, 1_000_000), 100_000),
			},
			"write observe: {enabled: true, maxFlows: NUMBER}",
		),
		{},
	),
	metrics: v.optional(
		v.object({ maxRuleSeries: v.optional(whole(0, 10_000), 2000) }, "write metrics: {maxRuleSeries: NUMBER}"),
		{},
	),
	kubearmorApi: v.optional(kubearmorApiSchema, {}),
	alertThrottling: v.optional(flag, false),
	maxAlertPerSec: v.optional(whole(1, 100_000), 10),
	throttleSec: v.optional(whole(1, 3600), 30),
	alerts: v.optional(
		v.object(
			{
				stdout: v.optional(flag, true),
				file: v.optional(v.nullable(absolutePath), null),
				/** 100 MiB. A tiny file would rotate with every alert. */
				fileMaxBytes: v.optional(whole(4096, 1024 ** 4), 100 * 1024 * 1024),
				fileKeep: v.optional(whole(0, 1000), 5),
				perSecond: v.optional(whole(10, 100_000), 1000),
				buffer: v.optional(whole(1, 1_000_000), 10_000),
				sinks: v.optional(sinksSchema, []),
			},
			"write alerts: with its settings below it",
		),
		{},
	),
});

type Schema = { readonly type: string };

/** What a schema says of one level: its fixed keys, the schema below a key or an index. */
function inner(schema: Schema): Schema {
	if ("wrapped" in schema) return inner(schema.wrapped as Schema);
	// The first of a pipe says what the value looks like; the rest checks it.
	if ("pipe" in schema) {
		const first = (schema.pipe as readonly Schema[])[0];
		return first === undefined || first === schema ? schema : inner(first);
	}
	return schema;
}

/** What may stand at a path: a mapping with these keys, a mapping with free keys, a list, or one value. */
export type Shape =
	| { readonly kind: "object"; readonly keys: readonly string[] }
	| { readonly kind: "record" | "array" | "value" };

/** The shape that the schema wants at a path of keys and indices; an unknown path takes any value. */
export function shapeAt(path: readonly (string | number)[]): Shape {
	let schema: Schema = configSchema;
	for (const key of path) {
		const here = inner(schema);
		if (here.type === "object" && "entries" in here) {
			const entries = here.entries as Readonly<Record<string, Schema>>;
			const next = Object.hasOwn(entries, key) ? entries[key] : undefined;
			if (next === undefined) return { kind: "value" };
			schema = next;
		} else if (here.type === "array" && "item" in here) schema = here.item as Schema;
		else return { kind: "value" };
	}
	const here = inner(schema);
	if (here.type === "object" && "entries" in here)
		return { kind: "object", keys: Object.keys(here.entries as object) };
	if (here.type === "record") return { kind: "record" };
	return { kind: here.type === "array" ? "array" : "value" };
}
