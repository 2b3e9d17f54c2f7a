/** What the network enforcer needs, and what it says of itself. */

import type { Config } from "../../../config/model.ts";
import type { WorkerClient } from "../../../threads/rpc.ts";
import type { BootFacts } from "../../contract/enforcer.ts";
import type { NetworkSent, NetworkWish } from "../enforcer.ts";
import type { ConnectionsReport } from "../flows/connection-keeper.ts";
import type { CounterValue } from "../observe/counters.ts";
import type { DriftEvent } from "../observe/event.ts";
import type { UplinksRead } from "../observe/uplinks.ts";
import type { JudgeCalls, NftCalls } from "./calls.ts";
import type { DriftProbe } from "./drift-probe.ts";

export interface EnforcerState {
	/** `open`: panic-open stands, and every packet passes. */
	readonly state: "active" | "disabled" | "unavailable" | "open";
	readonly reason: string;
	/** Counts what was put in force since the daemon started. */
	readonly generation: number;
	readonly elements: number;
	/** False where the kernel cannot count flows in sets. */
	readonly counts?: boolean;
	/** False where the kernel does not tell the control groups of sockets. */
	readonly units?: boolean;
}

export interface EnforcerEvents {
	/** After every attempt; `seconds` from the compiled model to enforced, null when nothing was applied. */
	reloaded(result: "applied" | "refused" | "failed", seconds: number | null, detail: string): void;
	/** The policies are about to be read: what came until now met the rules in force. Resolves soon, never rejects. */
	replacing(): Promise<void>;
	/** The kernel's counters before the first ruleset of this daemon. */
	found(counters: Readonly<Record<string, CounterValue>>): void;
	/** Somebody else's change was repaired, or could not be. `anew`: the table had gone, so every counter began anew. */
	repaired(event: DriftEvent, error: string, anew: boolean): void;
	/** The open connections were held against what is in force. */
	ended(report: ConnectionsReport): void;
	warn(message: string): void;
}

/** Who reads the policies for this enforcer and all others. */
export interface PolicySource {
	/** Reads and compiles them anew. Rejects where that brings out a bug, or the thread ended. */
	read(wish: NetworkWish): Promise<NetworkSent>;
	/** The plan that was read last has got to the thread of nftables, whatever became of it there. */
	delivered(): void;
	/** What was read last is in force. Returns why it could not be kept, or null. */
	keep(): Promise<string | null>;
	/** What was read last is kept, and there is nothing to do. */
	rest(): void;
	/** The thread reads the policies for itself, where it has none since it rested; nothing comes into force by it. */
	recall(): Promise<void>;
	/** The thread was asked so much that it left megabytes behind wherever the questions passed: all may rest soon. */
	askedMuch(): void;
	/** What is to be kept for the next boot beside the ruleset. */
	bootFacts(): BootFacts;
}

export interface EnforcerOptions {
	readonly config: () => Config;
	readonly policies: PolicySource;
	/** The thread that compiled what was read last. */
	readonly judge: Pick<WorkerClient<JudgeCalls>, "call">;
	readonly nft: WorkerClient<NftCalls>;
	/** Told which transactions are ours. */
	readonly drift: Pick<DriftProbe, "opened">;
	/** The bridges that lead to other hosts, as they are now. */
	readonly uplinks: () => UplinksRead;
	/** Why the table is to let everything pass, or null. Asked before and after every step that could close it. */
	readonly panic: () => string | null;
	/** Whether what is in force may be saved for the next boot; absent where nothing waits for a confirmation. */
	readonly confirmed?: () => boolean;
	readonly events: EnforcerEvents;
}
