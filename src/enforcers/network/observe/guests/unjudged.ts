/** What reaches guests of this host, or others through it, without any rule being asked. Pure. */

/** What a host shows of it. */
export interface UnjudgedFacts {
	/** Interfaces that take packets for hardware addresses of others. */
	readonly parents: readonly string[];
	/** Interfaces of kind macvtap: of virtual machines. */
	readonly macvtaps: readonly string[];
	/** Whether IPVS has a service in this namespace. */
	readonly ipvs: boolean;
	/** Whether a table is Kubernetes'. */
	readonly kubernetes: boolean;
	/** See PublishedPorts. */
	readonly elsewhere: number;
}

/** One sentence for each kind. */
export function unjudgedTexts({ parents, macvtaps, ipvs, kubernetes, elsewhere }: UnjudgedFacts): string[] {
	const told: string[] = [];
	if (parents.length > 0)
		told.push(
			`guests with a macvlan of their own hang on ${parents.join(", ")}: what they send and receive passes every rule`,
		);
	if (macvtaps.length > 0)
		told.push(
			`virtual machines use ${macvtaps.join(", ")} (macvtap): what they send and receive passes every rule`,
		);
	if (ipvs) told.push("IPVS has services here: what it forwards to other machines is not judged");
	if (kubernetes)
		told.push("Kubernetes forwards here: what a NodePort leads to a pod of another machine is not judged");
	else if (elsewhere > 0)
		told.push(
			`${elsewhere === 1 ? "a rule leads a port" : `${elsewhere} rules lead ports`} of this host to other machines: what is forwarded there is not judged`,
		);
	return told;
}
