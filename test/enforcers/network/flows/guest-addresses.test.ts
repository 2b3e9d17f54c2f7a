import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import {
	guestInterfaces,
	readGuestAddresses,
} from "../../../../src/enforcers/network/flows/guest-addresses.ts";

const link = (name: string, kind = "") => ({ name, kind });

test("guests are behind bridges that are no uplinks, and behind interfaces that are named", () => {
	const links = [
		link("docker0", "bridge"),
		link("vmbr0", "bridge"),
		link("ve-web"),
		link("tap1"),
		link("eth0"),
	];
	const places = {
		interfaces: [
			{ name: "ve-", prefix: true },
			{ name: "tap1", prefix: false },
		],
		uplinks: ["vmbr0"],
	};
	expect(guestInterfaces(links, places).map(({ name }) => name)).toEqual(["docker0", "ve-web", "tap1"]);
});

test("what the kernel leads to an interface is behind it, and to no other", () => {
	const [own] = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
		addresses
			.filter(({ family, internal }) => family === "IPv4" && !internal)
			.map(({ address }) => ({ name, address })),
	);
	if (own === undefined) throw new Error("this machine has no interface with an address");
	const read = (name: string) => readGuestAddresses({ interfaces: [{ name, prefix: false }], uplinks: [] });
	const behind = read(own.name);
	const nowhere = read("not-there");
	if (!behind.ok || !nowhere.ok) throw new Error("the kernel tells no routes");
	expect(behind.addresses.has(own.address)).toBe(true);
	expect(nowhere.addresses.has(own.address)).toBe(false);
});
