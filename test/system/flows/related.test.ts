/**
 * What belongs to another flow is judged like any new one: a helper of connection tracking that somebody assigned opens
 * no port, and nobody who is blocked sends errors or redirects about the flows of others.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { block, policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { sendDatagram } from "../support/datagram.ts";
import { Lab } from "../support/netns.ts";
import { type Probe, Prober } from "../support/probe.ts";

const tftp = 69;
const helpers = `
	table inet helpers {
		ct helper tftp {
			type "tftp" protocol udp
		}
		chain in {
			type filter hook prerouting priority filter;
			udp dport ${tftp} ct helper set "tftp"
		}
		chain out {
			type filter hook output priority filter;
			udp dport ${tftp} ct helper set "tftp"
		}
	}`;

/** A host that may speak to a TFTP server, and serve one. */
const policies = {
	"tftp.yaml": policy("tftp", {
		action: "Allow",
		ingress: [{ ports: [port("UDP", tftp)] }, { action: "Block", from: [block("203.0.113.66/32")] }],
		egress: [{ ports: [port("UDP", tftp), port("UDP", 7)] }],
	}),
};

const readRequest = "\0\x01file\0octet\0";
/** Ports of clients, from which the helper expects answers to come in and to go out. */
const answered = { ingress: 22_222, egress: 33_333 } as const;

let lab: Lab;
let prober: Prober;
let daemon: Daemon;

async function guard(config: Readonly<Record<string, unknown>>): Promise<void> {
	lab = await Lab.create();
	prober = new Prober(lab);
	lab.guarded.nft(helpers);
	daemon = await Daemon.start(lab.guarded, { policies, config });
	// One flow of this host's to a remote that errors can be about.
	const flow: Probe = {
		direction: "egress",
		protocol: "udp",
		remote: "198.18.0.2",
		port: 7,
		sourcePort: 40_000,
	};
	expect(await prober.send([flow])).toEqual([true]);
}

async function leave(): Promise<void> {
	await daemon[Symbol.asyncDispose]();
	prober[Symbol.dispose]();
	lab[Symbol.dispose]();
}

/** Asks for a file from each side, and sends what the helper then expects: a datagram from any port to the client's. */
async function transfers(): Promise<{ ingress: boolean | undefined; egress: boolean | undefined }> {
	const { local4: local, remote4: remote } = lab.link("eth0");
	sendDatagram(
		lab.guarded,
		{ address: remote, port: tftp },
		{ text: readRequest, localPort: answered.ingress },
	);
	sendDatagram(lab.peer, { address: local, port: tftp }, { text: readRequest, localPort: answered.egress });
	// Connection tracking shows both expectations, or nothing would be tested here.
	expect(lab.guarded.run(["cat", "/proc/net/nf_conntrack_expect"]).trim().split("\n")).toHaveLength(2);
	const [ingress, egress] = await prober.send([
		{ direction: "ingress", protocol: "udp", remote, port: answered.ingress, sourcePort: 50_001 },
		{ direction: "egress", protocol: "udp", remote, port: answered.egress, sourcePort: 50_002 },
	]);
	return { ingress, egress };
}

/** ICMP about this host's flow to 198.18.0.2, from somebody else. */
const about = (remote: string, type: number, code = 0): Probe => ({
	direction: "ingress",
	protocol: "icmp",
	remote,
	icmp: { type, code },
	quote: { from: 40_000, to: "198.18.0.2", port: 7 },
});
const stranger = "198.51.100.9";
const blocked = "203.0.113.66";
const errors = [about(stranger, 3, 4), about(blocked, 3, 3), about(blocked, 11), about(blocked, 12)];
const redirects = [about(stranger, 5, 1), about(blocked, 5, 1), about(blocked, 5, 0)];

describe.each(["concatenated", "nested"])("judged by policy, %s", (rulesetForm) => {
	beforeAll(() => guard({ rulesetForm }));
	afterAll(leave);

	test("a helper opens no port, neither way", async () => {
		expect(await transfers()).toEqual({ ingress: false, egress: false });
	});

	test("errors about a flow that is allowed pass as essentials, redirects never", async () => {
		expect(await prober.send(errors)).toEqual([true, true, true, true]);
		expect(await prober.send(redirects)).toEqual([false, false, false]);
	});
});

describe("without essentials", () => {
	beforeAll(() => guard({ essentials: false }));
	afterAll(leave);

	test("errors and redirects are judged by policy", async () => {
		expect(await prober.send([...errors, ...redirects])).toEqual(Array(7).fill(false));
	});
});

describe("related: accept", () => {
	beforeAll(() => guard({ related: "accept", essentials: false }));
	afterAll(leave);

	test("what a helper expects passes, both ways", async () => {
		expect(await transfers()).toEqual({ ingress: true, egress: true });
	});

	test("so do errors, but never redirects", async () => {
		expect(await prober.send(errors)).toEqual([true, true, true, true]);
		expect(await prober.send(redirects)).toEqual([false, false, false]);
	});
});
