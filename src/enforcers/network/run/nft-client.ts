/** The main thread's end of the thread that changes our table. */

import { CarrySender } from "../../../threads/carry.ts";
import { WorkerClient, type WorkerLike } from "../../../threads/rpc.ts";
import type { UsedQuotas } from "../apply/used-quotas.ts";
import { type NetworkPlan, planObjects } from "../compile/plan.ts";
import type { NftCalls } from "./calls.ts";

export interface NftClientOptions {
	/** What the quotas of a plan begin with; asked only where it has some. */
	readonly used: (plan: NetworkPlan) => Promise<UsedQuotas>;
	/** Somebody else may have changed the table while a large change was made. */
	readonly unseen: () => void;
}

export class NftClient extends WorkerClient<NftCalls> {
	readonly #carry = new CarrySender(planObjects);
	readonly #options: Partial<NftClientOptions>;

	constructor(worker: WorkerLike, gone: (reason: string) => void, options: Partial<NftClientOptions> = {}) {
		super("nft", worker, gone);
		this.#options = options;
	}

	override async call<N extends keyof NftCalls & string>(
		name: N,
		argument: Parameters<NftCalls[N]>[0],
	): Promise<Awaited<ReturnType<NftCalls[N]>>> {
		const result = await this.#send(name, argument);
		if (isUnwatched(result)) this.#options.unseen?.();
		return result;
	}

	#send<N extends keyof NftCalls & string>(
		name: N,
		argument: Parameters<NftCalls[N]>[0],
	): Promise<Awaited<ReturnType<NftCalls[N]>>> {
		if (name !== "apply") return super.call(name, argument);
		const applied = argument as Parameters<NftCalls["apply"]>[0];
		const send = (more: Pick<typeof applied, "used"> = {}) =>
			super.call(name, this.#carry.pack({ ...applied, ...more }) as Parameters<NftCalls[N]>[0]);
		const { used } = this.#options;
		return applied.plan.quotas === undefined || used === undefined
			? send()
			: used(applied.plan).then((begun) => send({ used: begun }));
	}
}

function isUnwatched(result: unknown): boolean {
	return typeof result === "object" && result !== null && "unseen" in result && result.unseen === true;
}
