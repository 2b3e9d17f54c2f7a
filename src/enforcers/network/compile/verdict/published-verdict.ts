/** Who reaches the ports that are published for guests. Pure. */

import type { Family, Transport } from "../../../../base/model.ts";
import type { NetworkModel } from "../program.ts";
import { Exposure } from "./exposure.ts";
import { closedBy, exposedPorts, placesText, type Reach, reachOf } from "./reach.ts";

export interface AskedPort {
	readonly protocol: Transport;
	readonly family: Family;
	readonly port: number;
	/** Where its packets are judged. */
	readonly hook: "forward" | "input";
}

export interface PublishedVerdict {
	/** See Reach; null where no policy is asked. */
	readonly reachable: readonly Reach[] | null;
	/** Policies that close it to others; see closedBy. */
	readonly closedBy: readonly string[];
}

/** Keeps what it found out of one model, for ports that are asked about together. */
export class PublishedJudge {
	readonly #models: Readonly<Record<AskedPort["hook"], NetworkModel | null>>;
	readonly #asked: Readonly<Record<AskedPort["hook"], Exposure | null>>;
	readonly #interfaces: readonly string[];

	/**
	 * @param guests the model of what is forwarded; null where nothing of that is judged
	 * @param ports all that will be asked about
	 * @param interfaces those by which others come
	 */
	constructor(
		model: NetworkModel,
		guests: NetworkModel | null,
		ports: readonly AskedPort[],
		interfaces: readonly string[],
	) {
		this.#models = { input: model, forward: guests };
		const exposure = (hook: AskedPort["hook"], own: NetworkModel | null) =>
			own === null
				? null
				: new Exposure(
						own,
						ports.filter((port) => port.hook === hook).flatMap((port) => exposedPorts(waited(port))),
					);
		this.#asked = { input: exposure("input", model), forward: exposure("forward", guests) };
		this.#interfaces = interfaces;
	}

	verdict(port: AskedPort): PublishedVerdict {
		const [model, asked] = [this.#models[port.hook], this.#asked[port.hook]];
		if (model === null || asked === null) return { reachable: null, closedBy: [] };
		return {
			reachable: reachOf(asked, waited(port), this.#interfaces),
			closedBy: closedBy(model, asked, waited(port), this.#interfaces),
		};
	}
}

function waited({ protocol, port, family }: AskedPort) {
	return { protocol, port, families: [family] };
}

/** `all`, `nobody`, `10.0.1.0/24, all on eth1`. Where no policy is asked it is all. */
export function openTo({ reachable }: Pick<PublishedVerdict, "reachable">): string {
	const open = (reachable ?? [{ interface: null, addresses: [""] }]).filter(
		({ addresses }) => addresses.length > 0,
	);
	const [first] = open;
	if (first === undefined) return "nobody";
	if (reachable === null || (first.interface === null && isEverybody(first.addresses))) return "all";
	const places = open.map(({ interface: name, addresses }) => {
		const where = isEverybody(addresses) ? "all" : placesText(addresses);
		return name === null ? where : `${where} on ${name}`;
	});
	return places.join(", ");
}

/** `open to all`, `open to 10.0.1.0/24 on eth0; closed to the rest by base`, `closed by base`, `not judged`. */
export function describeVerdict({ reachable, closedBy: policies }: PublishedVerdict): string {
	if (reachable === null) return "not judged";
	const by = policies.length === 0 ? "" : ` by ${policies.join(", ")}`;
	const whom = openTo({ reachable });
	if (whom === "nobody") return `closed${by}`;
	return whom === "all" ? "open to all" : `open to ${whom}; closed to the rest${by}`;
}

/** Of a port of one family. */
function isEverybody(addresses: readonly string[]): boolean {
	return addresses.length === 1 && (addresses[0] === "0.0.0.0/0" || addresses[0] === "::/0");
}
