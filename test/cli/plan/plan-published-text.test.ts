import { expect, test } from "bun:test";
import { publishedLines } from "../../../src/cli/plan/plan-published-text.ts";
import type { PublishedVerdict } from "../../../src/enforcers/network/compile/verdict/published-verdict.ts";

const port = {
	protocol: "tcp",
	family: 4,
	address: "0.0.0.0",
	port: 5432,
	guest: { address: "172.17.0.2", port: 5432 },
	bridge: "docker0",
	by: "Docker",
	hook: "forward",
} as const;
const reach = (...addresses: string[]) => [{ interface: null, addresses }];
const all: PublishedVerdict = { reachable: reach("0.0.0.0/0"), closedBy: [] };
const some: PublishedVerdict = { reachable: reach("10.0.1.0/24"), closedBy: ["db"] };
const none: PublishedVerdict = { reachable: reach(), closedBy: ["shut"] };
const unjudged: PublishedVerdict = { reachable: null, closedBy: [] };

function lines(
	before: PublishedVerdict,
	after: PublishedVerdict,
	ends = 0,
	forwarded: "audit" | "enforce" = "enforce",
) {
	const changes = [{ port, before, after, ends }];
	return publishedLines({ forwarded, checked: true, reason: "", more: 0, changes })[0];
}

test("a change says whom it shuts out or lets in, and how many connections end", () => {
	expect(lines(all, some, 3)).toEqual([
		"closes published 5432/tcp to all but 10.0.1.0/24; ends 3 open connections",
		"tcp 0.0.0.0:5432 -> 172.17.0.2:5432 (Docker)",
		"was open to all",
	]);
	expect(lines(unjudged, none, 1)?.[0]).toBe("closes published 5432/tcp to all; ends 1 open connection");
	expect(lines(none, all)?.[0]).toBe("opens published 5432/tcp to all");
	expect(lines(none, some)?.[0]).toBe("opens published 5432/tcp to 10.0.1.0/24 alone");
});

test("under audit it says that nothing of it holds yet", () => {
	expect(lines(all, none, 0, "audit")?.[0]).toBe(
		"closes published 5432/tcp to all once guests.forwarded is enforce",
	);
});
