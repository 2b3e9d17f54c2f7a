/**
 * A lab whose guarded host forwards to a guest behind a bridge of its own, as containers' engines make it: a veth pair with
 * one end in the bridge. The guest's source address says by which link what it sends leaves the host.
 */

import { Lab, type Link, Namespace } from "./netns.ts";

export const bridge = "br0";
const guestInterface = "eth0";

const guestNet4 = "172.30.0";
const guestNet6 = "fd30:0:0:1";
const gateway = 1;

/** What a destination is before the host translates it. */
export interface Published {
	/** Addresses that the host publishes, of no link. */
	readonly address4: string;
	readonly address6: string;
}

export class GuestLab implements Disposable {
	readonly lab: Lab;
	readonly guest: Namespace;
	readonly published: Published = { address4: "198.19.0.1", address6: "fd99:19::1" };

	private constructor(lab: Lab, guest: Namespace) {
		this.lab = lab;
		this.guest = guest;
	}

	static async create(interfaces: readonly string[] = ["eth0"]): Promise<GuestLab> {
		const lab = await Lab.create(interfaces);
		const guest = await Namespace.create();
		const made = new GuestLab(lab, guest);
		try {
			made.#connect();
		} catch (error) {
			made[Symbol.dispose]();
			throw error;
		}
		return made;
	}

	/** How the probing program is told of the guest. */
	get via(): { readonly guest: Namespace; readonly argument: string } {
		const { guarded } = this.lab;
		return { guest: this.guest, argument: `via=${guarded.path},${bridge},${guestInterface}` };
	}

	/** The host's side of the bridge and the guest as a lab of their own: what guests and the host send each other. */
	get bridgeSide(): Lab {
		return Lab.between(this.lab.guarded, this.guest, {
			name: bridge,
			peerName: guestInterface,
			local4: `${guestNet4}.${gateway}`,
			local6: `${guestNet6}::${gateway}`,
			remote4: this.address(4),
			remote6: this.address(6),
		});
	}

	/** The guest's address that direct routes lead to. */
	address(family: 4 | 6): string {
		return family === 4 ? `${guestNet4}.2` : `${guestNet6}::2`;
	}

	/** The one that published ports lead to: without ports, a flow to the other would be the same. */
	behind(family: 4 | 6): string {
		return family === 4 ? `${guestNet4}.3` : `${guestNet6}::3`;
	}

	/** The guest's address from which packets leave by a link. */
	source(family: 4 | 6, link: Link): string {
		const index = 10 + this.lab.links.indexOf(link);
		return family === 4 ? `${guestNet4}.${index}` : `${guestNet6}::${index}`;
	}

	#connect(): void {
		const { guarded, links } = this.lab;
		guarded.run(["ip", "link", "add", bridge, "type", "bridge"]);
		const pair = ["veth0", "type", "veth", "peer", "name", guestInterface, "netns", `${this.guest.pid}`];
		guarded.run(["ip", "link", "add", ...pair]);
		guarded.sysctl({
			[`ipv4/conf/${bridge}/rp_filter`]: "0",
			"ipv4/ip_forward": "1",
			"ipv6/conf/all/forwarding": "1",
			"ipv4/conf/all/send_redirects": "0",
		});
		this.guest.sysctl({ "ipv4/conf/all/rp_filter": "0", [`ipv4/conf/${guestInterface}/rp_filter`]: "0" });
		const sources = links.flatMap((link, i) => {
			const table = 100 + i;
			return [
				`rule add from ${this.source(4, link)} lookup ${table}`,
				`route add default via ${link.remote4} dev ${link.name} table ${table}`,
				`route add ::/0 via ${link.remote6} dev ${link.name} table ${table}`,
			];
		});
		const rules6 = links.map((link, i) => `rule add from ${this.source(6, link)} lookup ${100 + i}\n`);
		guarded.run(
			["ip", "-batch", "-"],
			[
				`link set veth0 master ${bridge}`,
				`address add ${guestNet4}.${gateway}/24 dev ${bridge}`,
				`address add ${guestNet6}::${gateway}/64 dev ${bridge} nodad`,
				"link set veth0 up",
				`link set ${bridge} up`,
				...sources,
				"",
			].join("\n"),
		);
		guarded.run(["ip", "-6", "-batch", "-"], rules6.join(""));
		const own = ([4, 6] as const).flatMap((family) => [
			this.address(family),
			this.behind(family),
			...links.map((link) => this.source(family, link)),
		]);
		this.guest.run(
			["ip", "-batch", "-"],
			[
				...own.map((address) =>
					address.includes(":")
						? `address add ${address}/64 dev ${guestInterface} nodad`
						: `address add ${address}/24 dev ${guestInterface}`,
				),
				`link set ${guestInterface} up`,
				`route add default via ${guestNet4}.${gateway}`,
				`route add ::/0 via ${guestNet6}::${gateway}`,
				"",
			].join("\n"),
		);
		this.#fixNeighbours(own);
	}

	/** Both ends know each other for good, so that probes never wait. */
	#fixNeighbours(own: readonly string[]): void {
		const inner = macOf(this.guest, guestInterface);
		const outer = macOf(this.lab.guarded, bridge);
		const enter = (addresses: readonly string[], to: string, name: string) =>
			addresses
				.map((address) => `neighbour replace ${address} lladdr ${to} nud permanent dev ${name}\n`)
				.join("");
		this.lab.guarded.run(["ip", "-batch", "-"], enter(own, inner, bridge));
		const gateways = [`${guestNet4}.${gateway}`, `${guestNet6}::${gateway}`];
		this.guest.run(["ip", "-batch", "-"], enter(gateways, outer, guestInterface));
	}

	[Symbol.dispose](): void {
		this.guest[Symbol.dispose]();
		this.lab[Symbol.dispose]();
	}
}

function macOf(namespace: Namespace, name: string): string {
	const found: { address: string }[] = JSON.parse(
		namespace.run(["ip", "-json", "link", "show", "dev", name]),
	);
	const [first] = found;
	if (first === undefined) throw new Error(`no interface ${name}`);
	return first.address;
}
