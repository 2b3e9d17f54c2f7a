/** Alerts about what is forwarded to and from a guest, from the kernel's log to the line. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { perform } from "../../../src/kernel/netlink-request.ts";
import { bindRequest, settingsRequest } from "../../../src/kernel/nflog-message.ts";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { Guest } from "../support/guests.ts";
import { enterIsolatedNetwork } from "../support/isolated.ts";
import { Lab, type Link, spawnBound } from "../support/netns.ts";
import { lines } from "../support/probe.ts";
import { Conversation } from "../support/traffic.ts";

const id = "0123456789abcdef".repeat(4);

/** Whether this kernel tells with a logged packet what connection tracking knows (CONFIG_NETFILTER_NETLINK_GLUE_CT). */
const tellsOriginal = (() => {
	const network = enterIsolatedNetwork();
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
	if (!opened.ok) throw new Error(opened.error);
	const { socket } = opened;
	const settings = { group: 1, copyBytes: 64, batchBytes: 4096, threshold: 1, timeout: 1, conntrack: true };
	const bound = perform(socket, bindRequest(1, 1), 1);
	const answer = bound.ok ? perform(socket, settingsRequest(settings, 2), 2) : bound;
	socket.close();
	network.leave();
	return answer.ok;
})();

let lab: Lab;
let link: Link;
let guest: Guest;
let leave: () => Promise<void>;

beforeEach(async () => {
	lab = await Lab.create();
	const [first] = lab.links;
	if (first === undefined) throw new Error("a lab without links");
	link = first;
	guest = await Guest.create(lab, { published: ["tcp dport 15432 dnat ip to 172.17.0.2:5433"] });
	leave = await inCgroup(guest.namespace.pid, `docker-${id}.scope`);
});
afterEach(async () => {
	guest[Symbol.dispose]();
	await leave();
	lab[Symbol.dispose]();
});

/** Puts a process into a cgroup as an engine does; the cgroup goes with what this returns, once the process has ended. */
async function inCgroup(pid: number, name: string): Promise<() => Promise<void>> {
	const script = `
		mount -t tmpfs none /mnt; mkdir /mnt/cg
		mount -t cgroup2 none /mnt/cg 2>/dev/null || mount -t cgroup -o pids none /mnt/cg
		mkdir -p /mnt/cg/$0; echo $1 > /mnt/cg/$0/cgroup.procs; echo ready; read line
		while ! rmdir /mnt/cg/$0 2>/dev/null; do sleep 0.05; done`;
	const keeper = spawnBound(["unshare", "-m", "sh", "-c", script, name, `${pid}`]);
	const first = await lines(keeper.stdout).next();
	expect(first.value).toBe("ready");
	return async () => {
		keeper.stdin.write("\n");
		keeper.stdin.flush();
		await keeper.exited;
	};
}

const blocking = policy("db", {
	action: "Block",
	ingress: [{ ports: [port("TCP", 15_432)] }],
	egress: [{ ports: [port("TCP", 8053)] }],
});

/** A connection from the peer to the published port; whether it came about. */
async function toPublished(): Promise<boolean> {
	const listened = { address: guest.address4, port: 5433 };
	using asked = await Conversation.open(
		lab.peer,
		guest.namespace,
		"tcp",
		link.local4,
		15_432,
		undefined,
		listened,
	);
	return asked.opened;
}

test("an alert of a published port names the guest behind it and its container, and the host's port where the kernel tells it", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		config: { guests: { forwarded: "enforce" } },
		policies: { "db.yaml": blocking },
	});
	expect(await toPublished()).toBe(false);
	const { Action, Result, Resource, EventData } = await daemon.alert(
		"the port",
		({ PolicyName }) => PolicyName === "db",
	);
	expect([Action, Result, Resource]).toEqual(["Block", "Permission denied", "INGRESS"]);
	expect(EventData).toEqual({
		SourceIP: link.remote4,
		SourcePort: expect.any(String),
		DestinationIP: tellsOriginal ? link.local4 : guest.address4,
		DestinationPort: tellsOriginal ? "15432" : "5433",
		Protocol: "TCP",
		Interface: "eth0",
		Hook: "forward",
		GuestIP: guest.address4,
		GuestPort: "5433",
		Container: id,
		GuestInterface: guest.bridge,
		RuleIndex: "0",
	});
	using asked = await Conversation.open(guest.namespace, lab.peer, "tcp", link.remote4, 8053);
	expect(asked.opened).toBe(false);
	const sent = await daemon.alert("what the guest sends", (alert) => alert.Resource === "EGRESS");
	expect(sent.EventData).toMatchObject({
		SourceIP: guest.address4,
		DestinationIP: link.remote4,
		DestinationPort: "8053",
		Interface: "eth0",
		Hook: "forward",
		GuestIP: guest.address4,
		Container: id,
		GuestInterface: guest.bridge,
	});
	const metrics = await daemon.metrics();
	const series = (hook: string) =>
		metrics.get(
			`portward_policy_packets_total{policy="db",rule="0",direction="ingress",action="Block",hook="${hook}"}`,
		);
	expect(series("input")).toBe(0);
	expect(series("forward")).toBeGreaterThan(0);
});

test("with guests audited a blocked port passes, and the alert says what enforcing would do", async () => {
	await using daemon = await Daemon.start(lab.guarded, { policies: { "db.yaml": blocking } });
	expect(await toPublished()).toBe(true);
	const alert = await daemon.alert("the port", ({ PolicyName }) => PolicyName === "db");
	expect([alert.Action, alert.Result]).toEqual(["Audit (Block)", "Passed"]);
	expect(alert.EventData).toMatchObject({ WouldBe: "Block", GuestPort: "5433" });
	// The host's own port is refused all the same.
	using own = await Conversation.open(lab.guarded, lab.peer, "tcp", link.remote4, 8053);
	expect(own.opened).toBe(false);
	const refused = await daemon.alert("the host's own", ({ Resource }) => Resource === "EGRESS");
	expect([refused.Action, refused.EventData.Hook]).toEqual(["Block", undefined]);
});
