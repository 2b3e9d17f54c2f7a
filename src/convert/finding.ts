/** What a converter has to say about its source. */

import type { Place } from "../base/diagnostic.ts";

export interface Finding extends Place {
	/** `lost`: it has no counterpart here, and is left out. `changed`: it means something else here, or is assumed. */
	readonly kind: "lost" | "changed";
	readonly message: string;
}

/** A policy as plain data, with what its comments say; line breaks are not in them. */
export interface ConvertedPolicy {
	/** What comes before the document. */
	readonly comments: readonly string[];
	readonly document: PolicyData;
}

export type PolicyData = NetworkPolicyData | DevicePolicyData;

/** A KubeArmorHostPolicy that has devices alone. */
export interface DevicePolicyData {
	readonly apiVersion: "security.kubearmor.com/v1";
	readonly kind: "KubeArmorHostPolicy";
	readonly metadata: { readonly name: string };
	readonly spec: {
		readonly nodeSelector: { readonly matchLabels: Readonly<Record<string, string>> };
		readonly severity: number;
		readonly action: "Allow" | "Block";
		readonly device: { readonly matchDevice: readonly DeviceData[] };
	};
}

/** One entry; what is absent is not asked. */
export interface DeviceData {
	readonly class: string;
	readonly subClass?: number;
	readonly protocol?: number;
	/** Four hexadecimal digits. */
	readonly vendorId?: string;
	readonly productId?: string;
	readonly serial?: string;
	readonly product?: string;
	readonly port?: string;
	readonly connectType?: string;
	readonly unlessAlso?: readonly string[];
	readonly action: "Allow" | "Block";
}

/** A KubeArmorNetworkPolicy, in the order in which people write its fields. */
export interface NetworkPolicyData {
	readonly apiVersion: "security.kubearmor.com/v1";
	readonly kind: "KubeArmorNetworkPolicy";
	readonly metadata: { readonly name: string };
	readonly spec: {
		readonly nodeSelector: { readonly matchLabels: Readonly<Record<string, string>> };
		readonly severity: number;
		readonly action: "Allow" | "Block";
		readonly ingress?: readonly RuleData[];
		readonly egress?: readonly RuleData[];
	};
}

export interface RuleData {
	readonly from?: readonly PeerData[];
	readonly to?: readonly PeerData[];
	readonly iface?: readonly string[];
	readonly ports?: readonly PortData[];
	readonly action?: "Allow" | "Block";
}

export interface PeerData {
	readonly ipBlock: { readonly cidr: string; readonly except?: readonly string[] };
}

export interface PortData {
	readonly protocol: string;
	readonly port?: number;
	readonly endPort?: number;
	readonly sourcePort?: number;
	readonly sourceEndPort?: number;
	readonly icmpType?: number;
}

export interface Conversion {
	readonly policies: readonly ConvertedPolicy[];
	readonly findings: readonly Finding[];
}
