/**
 * A network of guests as an engine makes it on the guarded host: a bridge, a
 * namespace behind a veth, ports published by DNAT, what it sends masqueraded.
 */

import { hardwareAddress, type Lab, Namespace } from "./netns.ts";

export interface GuestOptions {
	readonly bridge?: string;
	/** Second last byte of the addresses, 0..255. */
	readonly subnet?: number;
	/** Statements for the engine's own chain of destinations, such as `tcp dport 15432 dnat ip to 172.17.0.2:5433`. */
	readonly published?: readonly string[];
}

export class Guest implements Disposable {
	private constructor(
		readonly namespace: Namespace,
		readonly bridge: string,
		readonly address4: string,
		readonly address6: string,
		readonly gateway4: string,
	) {}

	static async create(lab: Lab, options: GuestOptions = {}): Promise<Guest> {
		const { bridge = "docker0", subnet = 0, published = [] } = options;
		const { guarded } = lab;
		const [four, six] = [`172.17.${subnet}`, `fd17:${subnet}:`];
		const guest = new Guest(await Namespace.create(), bridge, `${four}.2`, `${six}:2`, `${four}.1`);
		const { pid } = guest.namespace;
		guarded.run(
			["ip", "-batch", "-"],
			`
			link add ${bridge} type bridge
			link add ${bridge}v type veth peer name eth0 netns ${pid}
			link set ${bridge}v master ${bridge}
			link set ${bridge}v up
			link set ${bridge} up
			address add ${guest.gateway4}/24 dev ${bridge}
			address add ${six}:1/64 dev ${bridge} nodad
		`,
		);
		guest.namespace.run(
			["ip", "-batch", "-"],
			`
			link set eth0 up
			address add ${guest.address4}/24 dev eth0
			address add ${guest.address6}/64 dev eth0 nodad
			route add default via ${guest.gateway4}
			route add ::/0 via ${six}:1
		`,
		);
		// As in the lab: nothing waits for the discovery of neighbours.
		const enter = (at: Namespace, name: string, to: string, addresses: readonly string[]) => {
			const neighbour = (address: string) =>
				`neighbour replace ${address} lladdr ${to} nud permanent dev ${name}\n`;
			at.run(["ip", "-batch", "-"], addresses.map(neighbour).join(""));
		};
		enter(guarded, bridge, hardwareAddress(guest.namespace, "eth0"), [guest.address4, guest.address6]);
		enter(guest.namespace, "eth0", hardwareAddress(guarded, bridge), [guest.gateway4, `${six}:1`]);
		guarded.sysctl({ "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1" });
		guarded.nft(`
			table inet engine_${bridge} {
				chain destinations {
					type nat hook prerouting priority -100
					iifname "${bridge}" accept
					${published.map((rule) => `fib daddr type local ${rule}`).join("\n")}
				}
				chain sources {
					type nat hook postrouting priority 100
					ip saddr ${four}.0/24 oifname != "${bridge}" masquerade
				}
			}
		`);
		return guest;
	}

	[Symbol.dispose](): void {
		this.namespace[Symbol.dispose]();
	}
}
