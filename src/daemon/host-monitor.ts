/** What this host is, as it changes: its name, what it forwards, its interfaces. Told once for each change, and shown. */

import type { Config } from "../config/model.ts";
import {
	type InterfaceFinding,
	type InterfaceUse,
	interfaceFindings,
} from "../enforcers/network/interfaces.ts";
import type { ForeignChain } from "../enforcers/network/observe/foreign-chains.ts";
import { forwardingWarnings } from "../enforcers/network/run/network-state.ts";
import { OtherChains } from "../enforcers/network/run/other-chains.ts";
import { type Forwarding, forwarding, hostFacts } from "../kernel/host.ts";
import { HostWatch } from "../kernel/host-watch.ts";
import { type Link, type LinksResult, readLinks, vrfsOf } from "../kernel/links.ts";
import type { HostIdentity } from "../report/alert.ts";
import type { Logger } from "../report/log.ts";
import type { AlertSink } from "../report/sinks/alert-sink.ts";
import { hostNameAlert } from "../report/system-alert.ts";

/** Who reports, in alerts: the name follows the kernel's. */
export interface LiveIdentity extends HostIdentity {
	hostName: string;
}

export interface HostMonitorOptions {
	/** Its `hostName` is kept up to date here. */
	readonly identity: LiveIdentity;
	readonly sink: Pick<AlertSink, "publish">;
	readonly log: Logger;
	/** The interfaces that the policies in force and the settings name. */
	readonly uses: () => readonly InterfaceUse[];
	/** Whether policies hold for what is forwarded to and from guests. */
	readonly forwarded: () => Config["guests"]["forwarded"];
	/** The policies are to be selected anew. */
	readonly reselect: () => void;
	/** Links, or default routes, may be others than before. */
	readonly linksChanged: () => void;
	/** Whether something could not be had that a kernel module may bring. */
	readonly waiting: () => boolean;
	/** What could not be had may be there now. */
	readonly retry: () => void;
}

export class HostMonitor {
	readonly #options: HostMonitorOptions;
	readonly #watch: HostWatch;
	readonly #others = new OtherChains();
	#forwards: Forwarding = { ipv4: false, ipv6: false };
	#forwarding: readonly string[] = [];
	#links: readonly Link[] | null = null;
	#findings: readonly InterfaceFinding[] = [];

	constructor(options: HostMonitorOptions) {
		this.#options = options;
		this.#watch = new HostWatch({
			renamed: (hostname) => this.#renamed(hostname),
			network: () => this.#network(),
			modules: () => this.#options.retry(),
			waiting: () => this.#options.waiting(),
			warn: (message) => this.#options.log.warn(message),
		});
	}

	get hostname(): string {
		return this.#options.identity.hostName;
	}

	/** What keeps interface names in policies from matching, by the links of now. */
	get interfaces(): readonly InterfaceFinding[] {
		return this.#findings;
	}

	/** What the kernel forwards, as it was last seen. */
	get forwards(): Forwarding {
		return this.#forwards;
	}

	/** Base chains of others beside the table. */
	otherChains(table: string): readonly ForeignChain[] {
		return this.#others.beside(table);
	}

	/** What the operator should know though nothing is broken. */
	get warnings(): readonly string[] {
		return [...this.#forwarding, ...this.#findings.map(interfaceWarning)];
	}

	start(): void {
		this.#network();
		this.#watch.start();
	}

	stop(): void {
		this.#watch.stop();
	}

	/** Somebody says that the name may be another. */
	look(): void {
		this.#watch.look();
	}

	/** The policies or the settings may name other interfaces now. */
	policiesRead(): void {
		this.#judge();
	}

	#renamed(hostname: string): void {
		const { identity, log, reselect, sink } = this.#options;
		const before = identity.hostName;
		identity.hostName = hostname;
		log.warn("the host name changed; the policies are selected anew", { from: before, to: hostname });
		sink.publish([hostNameAlert(before, hostname, Date.now(), identity)]);
		reselect();
	}

	#network(): void {
		const before = this.#forwarding;
		this.#forwards = forwarding();
		this.#forwarding = forwardingWarnings(this.#forwards, this.#options.forwarded());
		for (const warning of this.#forwarding) if (!before.includes(warning)) this.#options.log.warn(warning);
		if (before.length > 0 && this.#forwarding.length === 0)
			this.#options.log.info("this host no longer forwards packets");
		const read = readLinks();
		// Nothing is said about names while nobody knows the links.
		if (read.ok) {
			const vrfs = (links: LinksResult) => JSON.stringify(vrfsOf(links));
			// The rules know by name what is loopback in a VRF, and what goes by its name. The first ruleset has those of before.
			const changed = this.#links !== null && vrfs({ ok: true, links: this.#links }) !== vrfs(read);
			this.#links = read.links;
			if (changed) this.#options.reselect();
			this.#options.linksChanged();
		} else this.#options.log.warn("the interfaces cannot be read", { reason: read.error });
		this.#judge();
	}

	#judge(): void {
		const { log, uses } = this.#options;
		const before = new Set(this.#findings.map(({ message }) => message));
		this.#findings = this.#links === null ? [] : interfaceFindings(uses(), this.#links);
		const now = new Set(this.#findings.map(({ message }) => message));
		for (const { message, users, hint } of this.#findings) {
			if (!before.has(message)) log.warn(message, { used: users.join(", "), hint });
		}
		for (const message of before) if (!now.has(message)) log.info(`no longer so: ${message}`);
	}
}

/** Names of before the first look at them. */
export function currentIdentity(clusterName: string): LiveIdentity {
	const { hostname, machineId } = hostFacts();
	return { clusterName, hostName: hostname, nodeId: machineId };
}

function interfaceWarning({ message, users, hint }: InterfaceFinding): string {
	return `${message} (${users.join(", ")}): ${hint}`;
}
