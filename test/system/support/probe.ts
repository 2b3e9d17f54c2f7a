/** Single packets through the guarded namespace, thousands a second, and which of them passed. */

import { trafficProgram } from "./built.ts";
import type { GuestLab } from "./guest-lab.ts";
import { type Lab, spawnBound } from "./netns.ts";

export interface Probe {
	readonly direction: "ingress" | "egress";
	/** A name, or an IP protocol number. */
	readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "icmpv6" | number;
	/** Address at the peer's end: any, whether the peer has it or not. */
	readonly remote: string;
	/** Destination port; 0 where the protocol has none. */
	readonly port?: number;
	/** A guarded interface; the lab's first when absent. */
	readonly interface?: string;
	/** Address at the guarded end; the interface's own of the remote's family when absent. */
	readonly local?: string;
	readonly sourcePort?: number;
	readonly hopLimit?: number;
	/** ICMP type and code; an echo request when absent. The type of IGMP, too. */
	readonly icmp?: { readonly type: number; readonly code?: number };
	/** ICMP errors: the UDP packet that they are about, which their receiver sent. */
	readonly quote?: { readonly from: number; readonly to: string; readonly port: number };
	/** TCP: an ACK out of nowhere in place of a SYN. */
	readonly ack?: boolean;
	/** Sent as two fragments, the ports in the first. */
	readonly fragments?: boolean;
	/** IPv6 extension headers between the IP header and the protocol's. */
	readonly extensions?: readonly ("hop-by-hop" | "routing" | "destination-options" | "atomic-fragment")[];
}

const extensionOption = {
	"hop-by-hop": "hbh",
	routing: "rt",
	"destination-options": "dst",
	"atomic-fragment": "afrag",
} as const;

function line(lab: Lab, probe: Probe): string {
	const link = probe.interface === undefined ? lab.links[0] : lab.link(probe.interface);
	if (link === undefined) throw new Error("this lab has no links");
	const local = probe.local ?? (probe.remote.includes(":") ? link.local6 : link.local4);
	const options = [
		...(probe.sourcePort === undefined ? [] : [`sport=${probe.sourcePort}`]),
		...(probe.hopLimit === undefined ? [] : [`hl=${probe.hopLimit}`]),
		...(probe.icmp === undefined ? [] : [`type=${probe.icmp.type}`, `code=${probe.icmp.code ?? 0}`]),
		...(probe.quote === undefined ? [] : [`quote=${probe.quote.from},${probe.quote.to},${probe.quote.port}`]),
		...(probe.ack ? ["ack"] : []),
		...(probe.fragments ? ["fragments"] : []),
		...(probe.extensions ?? []).map((name) => extensionOption[name]),
	];
	const direction = probe.direction === "ingress" ? "in" : "out";
	return [direction, probe.protocol, probe.remote, local, probe.port ?? 0, link.name, ...options].join(" ");
}

/** At most this many packets in one batch; test/tools/probe.c has the same number. */
const batchSize = 65_536;

export class Prober implements Disposable {
	readonly #lab: Lab;
	readonly #process: ReturnType<typeof spawnBound>;
	readonly #answers: AsyncIterator<string>;

	/** @param via the guest to and from whom the guarded host forwards; it is the host's own packets where it is left out. */
	constructor(lab: Lab, via?: GuestLab["via"]) {
		this.#lab = lab;
		const links = lab.links.map((link) => `${link.name}=${link.peerName}`);
		const receiver = via === undefined ? [lab.guarded.path] : [via.argument, via.guest.path];
		this.#process = spawnBound([trafficProgram(), "probe", ...receiver, lab.peer.path, ...links]);
		this.#answers = lines(this.#process.stdout);
	}

	/** For each probe, in their order, whether it passed. Calls must not overlap. */
	async send(probes: readonly Probe[]): Promise<boolean[]> {
		const passed: boolean[] = [];
		for (let start = 0; start < probes.length; start += batchSize) {
			const batch = probes.slice(start, start + batchSize);
			this.#process.stdin.write(`${batch.map((probe) => line(this.#lab, probe)).join("\n")}\n\n`);
			this.#process.stdin.flush();
			const answer = await this.#answers.next();
			if (answer.done || answer.value.length !== batch.length) {
				throw new Error(`the prober stopped: ${await new Response(this.#process.stderr).text()}`);
			}
			for (const character of answer.value) passed.push(character === "1");
		}
		return passed;
	}

	/** The probes' lines with what became of each, as a table that can be compared at once. */
	async table(probes: readonly Probe[]): Promise<string[]> {
		const passed = await this.send(probes);
		return probes.map((probe, index) => `${line(this.#lab, probe)}: ${passed[index] ? "passed" : "dropped"}`);
	}

	[Symbol.dispose](): void {
		this.#process.kill("SIGKILL");
	}
}

/** A stream's lines, without their newlines. */
export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
	const decoder = new TextDecoder();
	let rest = "";
	for await (const chunk of stream) {
		const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
		rest = parts.pop() ?? "";
		yield* parts;
	}
	if (rest !== "") yield rest;
}
