import { expect, test } from "bun:test";
import { knownUplinks } from "../../../../src/enforcers/network/compile/guests.ts";
import { readUplinks } from "../../../../src/enforcers/network/observe/uplinks.ts";
import { command, enterIsolatedNetwork } from "../../../system/support/isolated.ts";

function found(): readonly string[] {
	const read = readUplinks();
	if (!read.ok) throw new Error(read.error);
	return read.names.filter((name) => !knownUplinks.includes(name));
}

const ip = (text: string) => command("ip", ...text.split(" "));

test("bridges of this namespace, by their ports and routes, as these change", () => {
	const network = enterIsolatedNetwork();
	try {
		for (const name of ["guests", "cards", "ways", "ways6", "many"]) {
			ip(`link add ${name} type bridge`);
			ip(`link set ${name} up`);
		}
		ip("link add v0 type veth peer name v1");
		ip("link set v0 master guests");
		ip("tuntap add mode tap name t0");
		ip("link set t0 master guests");
		expect(found()).toEqual([]);
		ip("link add d0 type vxlan id 5 dstport 4789");
		ip("link set d0 master cards");
		expect(found()).toEqual(["cards"]);
		ip("address add 192.0.2.1/24 dev ways");
		ip("address add 2001:db8:6::1/64 dev ways6 nodad");
		ip("address add 198.51.100.1/24 dev many");
		ip("route add 203.0.113.0/24 via 192.0.2.2 dev ways");
		ip("route add 0.0.0.0/0 via 192.0.2.2 dev ways table 100");
		expect(found()).toEqual(["cards"]);
		ip("route add default via 192.0.2.2 dev ways");
		ip("route add default via 2001:db8:6::2 dev ways6");
		expect(found()).toEqual(["cards", "ways", "ways6"]);
		ip("route del default");
		ip("route add default nexthop via 192.0.2.2 dev ways nexthop via 198.51.100.2 dev many");
		expect(found()).toEqual(["cards", "many", "ways", "ways6"]);
		ip("link set d0 nomaster");
		ip("link del many");
		expect(found()).toEqual(["ways6"]);
	} finally {
		network.leave();
	}
});
