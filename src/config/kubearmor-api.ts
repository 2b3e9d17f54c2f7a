/** The settings of KubeArmor's log service over gRPC: where it listens, and who may read there. */

import * as v from "valibot";
import { absolutePath, isListenAddress, isLocalAddress } from "./values.ts";

export interface KubearmorApiSettings {
	/** Where the log service listens; null: not at all. */
	readonly address: string | null;
	/** Where health alone is told as well. */
	readonly healthAddress: string | null;
	/** Absolute paths of PEM files, for TCP; `clientCa` makes clients show a certificate. Null: no TLS. */
	readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | null } | null;
}

export type ApiAddressKey = "address" | "healthAddress";

export interface ApiRefusal {
	readonly key: ApiAddressKey;
	readonly message: string;
	readonly hint: string;
}

const addressHint =
	'write "127.0.0.1:32767", "[::1]:32767", "localhost:32767" or "unix:/run/portward/kubearmor.sock"';

/** The address with `localhost` as a number. */
export function numericAddress(address: string): string {
	return address.replace(/^localhost:/, "127.0.0.1:");
}

function address() {
	return v.optional(
		v.nullable(
			v.pipe(
				v.string(addressHint),
				v.check((text) => isListenAddress(numericAddress(text)), addressHint),
			),
		),
		null,
	);
}

const fields = v.object(
	{
		address: address(),
		healthAddress: address(),
		tls: v.optional(
			v.nullable(
				v.object(
					{
						cert: absolutePath,
						key: absolutePath,
						clientCa: v.optional(v.nullable(absolutePath), null),
					},
					"write tls: {cert: FILE, key: FILE, clientCa: FILE}",
				),
			),
			null,
		),
	},
	"write kubearmorApi: {address: ADDRESS}",
);

type Fields = v.InferOutput<typeof fields>;

/** A check of both addresses, whose complaint stands at the second. */
function agree(good: (api: Fields) => boolean, hint: string) {
	return v.forward(v.check<Fields, string>(good, hint), ["healthAddress"]);
}

export const kubearmorApiSchema = v.pipe(
	fields,
	agree(
		({ address, healthAddress }) => address !== null || healthAddress === null,
		"write kubearmorApi.address as well: health alone is not served",
	),
	agree(
		({ address, healthAddress }) => address === null || healthAddress !== address,
		"write another address, or leave healthAddress out: address tells health too",
	),
);

/** Why the log service must not be served as the settings say; null where it may. */
export function apiRefusal(settings: KubearmorApiSettings): ApiRefusal | null {
	for (const key of ["address", "healthAddress"] as const) {
		const address = settings[key];
		if (address === null || isLocalAddress(numericAddress(address))) continue;
		if (settings.tls !== null && settings.tls.clientCa !== null) continue;
		return {
			key,
			message: `everybody who can reach ${address} would read the alerts, so they are not served there`,
			hint: "set kubearmorApi.tls: {cert: FILE, key: FILE, clientCa: FILE}, or listen on 127.0.0.1, [::1] or unix:/path",
		};
	}
	return null;
}
