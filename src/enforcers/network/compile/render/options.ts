/** What a model is rendered with. */

import type { GuestOptions } from "../guests.ts";
import type { RulesetForm } from "../plan.ts";
import type { Vrf } from "../program.ts";

export interface RenderOptions {
	/** [a-z0-9]{1,16}; part of every name but those of counters. */
	readonly epoch: string;
	readonly form: RulesetForm;
	/** Cells from which on blocks of one length go into a hash table, 1 or more. */
	readonly hashFrom: number;
	readonly essentials: boolean;
	/** What becomes of packets that belong to another flow; `policy` where it is left out. */
	readonly related?: "policy" | "accept";
	/** What becomes of packets that belong to no flow where a direction has rules; `drop` where it is left out. */
	readonly invalidPackets?: "drop" | "accept";
	/** The VRFs of this host: packets within one are loopback. None where it is left out. */
	readonly vrfs?: readonly Vrf[];
	/** What of forwarded packets is judged; nothing where it is left out. */
	readonly guests?: GuestOptions;
	/** Whether new flows are counted for those who watch; not where it is left out. */
	readonly observe?: boolean;
	/** 1..65535. */
	readonly nflogGroup: number;
	/** Packets per second that one rule hands to NFLOG, and the burst before the limit holds. */
	readonly logLimit: { readonly rate: number; readonly burst: number };
}
