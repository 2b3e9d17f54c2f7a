import { expect, test } from "bun:test";
import { guestFindings } from "../../../src/cli/doctor/guests.ts";
import type { ForeignChain } from "../../../src/enforcers/network/observe/foreign-chains.ts";
import type { GuestFacts } from "../../../src/enforcers/network/observe/guests/guests.ts";

const still = { ipv4: false, ipv6: false };
const moving = { ipv4: true, ipv6: false };
const facts: GuestFacts = {
	bridges: [{ name: "docker0", subnets: [], ports: 2 }],
	uplinks: [],
	outside: [],
	published: [],
	more: 3,
	unjudged: [],
};
const docker: ForeignChain = {
	family: "ip",
	table: "filter",
	chain: "FORWARD",
	type: "filter",
	hook: "forward",
	priority: 0,
	policy: "drop",
	tools: ["Docker"],
	legacy: false,
};

test("a host without guests that forwards nothing is well, whatever the mode", () => {
	expect(guestFindings("off", new Set(["sshd"]), [], null, still)).toMatchObject([{ state: "ok" }]);
});

test("each mode, with the engines, networks and ports that are seen", () => {
	const of = (mode: "off" | "audit" | "enforce") =>
		guestFindings(mode, new Set(["dockerd", "conmon", "constructor"]), [], facts, moving);
	expect(of("enforce")).toMatchObject([
		{
			check: "guests",
			state: "ok",
			message: expect.stringContaining(
				"(seen: Docker, Podman; 1 network of guests; 3 published ports; IPv4 is forwarded)",
			),
		},
	]);
	expect(of("audit")).toMatchObject([{ state: "warning", remedy: expect.stringContaining("enforce") }]);
	expect(of("off")).toMatchObject([{ state: "warning", remedy: expect.stringContaining("audit") }]);
});

test("a host that only forwards is asked about as well, and engines are known by their tables", () => {
	expect(guestFindings("off", new Set(), [], null, moving)).toMatchObject([
		{ state: "warning", message: expect.stringContaining("no engine is seen") },
	]);
	const [mode, dropping] = guestFindings("enforce", new Set(), [docker], facts, moving);
	expect(mode?.message).toContain("seen: Docker;");
	expect(dropping).toMatchObject({
		state: "ok",
		message: expect.stringContaining("ip filter FORWARD (Docker; forward, priority 0, policy drop) drops"),
	});
});

test("what no rule judges is a warning each", () => {
	const unjudged = ["IPVS has services here"];
	const [, warned] = guestFindings("enforce", new Set(), [], { ...facts, unjudged }, still);
	expect(warned).toMatchObject({ state: "warning", message: "IPVS has services here" });
});
