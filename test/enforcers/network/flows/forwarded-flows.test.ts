import { describe, expect, test } from "bun:test";
import { forwardedRoles, type GuestSide } from "../../../../src/enforcers/network/flows/forwarded-flows.ts";
import { guestInterfaces } from "../../../../src/enforcers/network/flows/guest-addresses.ts";
import type { TrackedFlow } from "../../../../src/enforcers/network/flows/open-connections.ts";

const host = "192.0.2.1";
const gateway = "172.17.0.1";
const guest = "172.17.0.2";
const other = "172.17.0.3";
const remote = "203.0.113.7";

const side: GuestSide = {
	isLocal: (address) => [host, gateway, "127.0.0.1"].includes(address),
	isGuest: (address) => address === guest || address === other,
	isEphemeral: (port) => port >= 32_768 && port <= 60_999,
};

type End = readonly [address: string, port: number];

/** An entry as connection tracking has it: who sent to whom, and who answers whom. */
function entry(from: End, to: End, answers = to, answered = from, protocol = 6): TrackedFlow {
	const tuple = (a: End, b: End) => ({
		source: a[0],
		sourcePort: a[1],
		destination: b[0],
		destinationPort: b[1],
	});
	return { family: 4, protocol, original: tuple(from, to), reply: tuple(answers, answered) };
}

/** Direction, remote end, port that policies speak of, the guest's own. */
function roles(flow: TrackedFlow): unknown[] {
	return forwardedRoles(flow, side).map(({ direction, remote, destinationPort, local, cut }) => {
		expect(cut).toMatchObject({ remote, family: 4, protocol: flow.protocol, forwarded: true });
		return [direction, remote, cut.remotePort, destinationPort, local, cut.localPort, cut.hostPort ?? null];
	});
}

describe("to a guest", () => {
	test("a published port is the host's, whoever asks", () => {
		const published = entry([remote, 40_000], [host, 15_432], [guest, 5433]);
		expect(roles(published)).toEqual([["ingress", remote, 40_000, 15_432, guest, 5433, 15_432]]);
		const fromGuest = entry([other, 40_000], [host, 15_432], [guest, 5433], [other, 40_000]);
		expect(roles(fromGuest)).toEqual([["ingress", other, 40_000, 15_432, guest, 5433, 15_432]]);
	});

	test("a port that is published under its own number is remembered as any other", () => {
		const flow = entry([remote, 40_000], [host, 5432], [guest, 5432]);
		expect(roles(flow)).toEqual([["ingress", remote, 40_000, 5432, guest, 5432, null]]);
	});

	test("where the sender's address is translated too, it is who it is", () => {
		const flow = entry([remote, 40_000], [host, 80], [guest, 8080], [gateway, 1024]);
		expect(roles(flow)).toEqual([["ingress", remote, 40_000, 80, guest, 8080, 80]]);
	});

	test("its own address is judged as ingress to its own port", () => {
		expect(roles(entry([remote, 40_000], [guest, 5432]))).toEqual([
			["ingress", remote, 40_000, 5432, guest, 5432, null],
		]);
	});

	test("from a server to a client's port it may be the guest's own, turned round", () => {
		expect(roles(entry([remote, 443], [guest, 40_000]))).toEqual([
			["ingress", remote, 443, 40_000, guest, 40_000, null],
			["egress", remote, 443, 443, guest, 40_000, null],
		]);
	});
});

describe("from a guest", () => {
	test("it is egress to where it goes after translation", () => {
		const masqueraded = entry([guest, 40_000], [remote, 443], [remote, 443], [host, 40_000]);
		expect(roles(masqueraded)).toEqual([["egress", remote, 443, 443, guest, 40_000, null]]);
		const redirected = entry([guest, 40_000], ["198.51.100.1", 80], [remote, 8080], [host, 40_000]);
		expect(roles(redirected)).toEqual([["egress", remote, 8080, 8080, guest, 40_000, null]]);
	});

	test("from a server's port it may be a published one, turned round: the outside sees the port of the host", () => {
		expect(roles(entry([guest, 5432], [remote, 40_000], [remote, 40_000], [host, 5432]))).toEqual([
			["egress", remote, 40_000, 40_000, guest, 5432, null],
			["ingress", remote, 40_000, 5432, guest, 5432, null],
		]);
		expect(roles(entry([guest, 9001], [remote, 40_000], [remote, 40_000], [host, 9000], 17))).toEqual([
			["egress", remote, 40_000, 40_000, guest, 9001, null],
			["ingress", remote, 40_000, 9000, guest, 9001, 9000],
		]);
	});

	test("the same port at both ends is neither's", () => {
		expect(roles(entry([guest, 123], [remote, 123], [remote, 123], [host, 123], 17))).toHaveLength(1);
	});

	test("what has no ports has the role of its entry", () => {
		expect(roles(entry([guest, 0], [remote, 0], undefined, undefined, 47))).toEqual([
			["egress", remote, 0, 0, guest, 0, null],
		]);
	});
});

test.each([
	["guests among themselves", entry([other, 40_000], [guest, 5432])],
	["the host to a guest", entry([gateway, 40_000], [guest, 5432])],
	["the host to its own published port", entry([host, 40_000], [host, 5432], [guest, 5432], [host, 40_000])],
	["a guest to the host", entry([guest, 40_000], [gateway, 53])],
	["what the host routes for others", entry([remote, 40_000], ["198.51.100.1", 80])],
	[
		"what the host translates for others",
		entry([remote, 40_000], [host, 80], ["198.51.100.1", 80], [host, 40_000]),
	],
])("%s is not judged as forwarded", (_, flow) => {
	expect(roles(flow)).toEqual([]);
});

test("guests are behind bridges but uplinks, and behind what the settings name", () => {
	const links = [
		{ name: "docker0", kind: "bridge" },
		{ name: "vmbr0", kind: "bridge" },
		{ name: "ve-web", kind: "veth" },
		{ name: "tap0", kind: "tun" },
		{ name: "eth0", kind: "" },
	];
	const interfaces = [
		{ name: "ve-", prefix: true },
		{ name: "tap0", prefix: false },
	];
	const names = guestInterfaces(links, { interfaces, uplinks: ["vmbr0"] }).map(({ name }) => name);
	expect(names).toEqual(["docker0", "ve-web", "tap0"]);
});
