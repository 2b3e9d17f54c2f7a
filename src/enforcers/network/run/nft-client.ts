/** The main thread's end of the thread that changes our table. */

import { CarrySender } from "../../../threads/carry.ts";
import { WorkerClient, type WorkerLike } from "../../../threads/rpc.ts";
import { planObjects } from "../compile/plan.ts";
import type { NftCalls } from "./calls.ts";

export class NftClient extends WorkerClient<NftCalls> {
	readonly #carry = new CarrySender(planObjects);

	constructor(worker: WorkerLike, gone: (reason: string) => void) {
		super("nft", worker, gone);
	}

	override call<N extends keyof NftCalls & string>(
		name: N,
		argument: Parameters<NftCalls[N]>[0],
	): Promise<Awaited<ReturnType<NftCalls[N]>>> {
		return super.call(name, name === "apply" ? this.#carry.pack(argument) : argument);
	}
}
