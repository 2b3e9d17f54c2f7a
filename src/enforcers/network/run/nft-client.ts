/** The main thread's end of the thread that changes our table. */

import { CarrySender } from "../../../threads/carry.ts";
import { WorkerClient, type WorkerLike } from "../../../threads/rpc.ts";
import type { UsedQuotas } from "../apply/used-quotas.ts";
import { type NetworkPlan, planObjects } from "../compile/plan.ts";
import type { NftCalls } from "./calls.ts";

export class NftClient extends WorkerClient<NftCalls> {
	readonly #carry = new CarrySender(planObjects);

	readonly #used: (plan: NetworkPlan) => Promise<UsedQuotas>;

	/** @param used what the quotas of a plan begin with; asked only where it has some */
	constructor(
		worker: WorkerLike,
		gone: (reason: string) => void,
		used: (plan: NetworkPlan) => Promise<UsedQuotas> = async () => ({}),
	) {
		super("nft", worker, gone);
		this.#used = used;
	}

	override call<N extends keyof NftCalls & string>(
		name: N,
		argument: Parameters<NftCalls[N]>[0],
	): Promise<Awaited<ReturnType<NftCalls[N]>>> {
		if (name !== "apply") return super.call(name, argument);
		const applied = argument as Parameters<NftCalls["apply"]>[0];
		const send = (more: Pick<typeof applied, "used"> = {}) =>
			super.call(name, this.#carry.pack({ ...applied, ...more }) as Parameters<NftCalls[N]>[0]);
		return applied.plan.quotas === undefined
			? send()
			: this.#used(applied.plan).then((used) => send({ used }));
	}
}
