import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NamedSender, SenderKind } from "../../../../../src/enforcers/network/compile/sender.ts";
import type { NftCalls } from "../../../../../src/enforcers/network/run/calls.ts";
import {
	SenderMonitor,
	type SenderMonitorOptions,
} from "../../../../../src/enforcers/network/run/senders/sender-monitor.ts";
import { WorkerGone } from "../../../../../src/threads/rpc.ts";
import { eventually } from "../../../../system/support/netns.ts";

type Plan = NonNullable<ReturnType<SenderMonitorOptions["plan"]>>;
type Seen = ReturnType<NftCalls["refreshUnits"]>;

let home: string;
let monitor: SenderMonitor | null;
beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "portward-"));
	monitor = null;
	put("alice:x:1000:100");
	writeFileSync(join(home, "group"), "users:x:100:\n");
	mkdirSync(join(home, "system.slice"));
});
afterEach(() => {
	monitor?.stop();
	rmSync(home, { recursive: true });
});

const put = (line: string) => writeFileSync(join(home, "passwd"), `${line}\n`);

const named = (kind: SenderKind, name: string, number: number | null): NamedSender => ({
	kind,
	name,
	number,
	action: "Block",
	users: ["HERE"],
});

const web = named("service", "web.service", 0);
const services = { sets: [{ set: "units_1", units: ["web.service"] }] };

function rig(first: Plan | null, more: Partial<SenderMonitorOptions> = {}) {
	const state = { plan: first, groups: 0, error: "", looks: 0, reloads: 0, warned: [] as string[] };
	const call = async (): Promise<Seen> => {
		state.looks += 1;
		return {
			units: { "web.service": state.groups },
			slices: [join(home, "system.slice"), join(home, "absent.slice")],
			names: ["wbe.service"],
			hierarchy: true,
			error: state.error,
		};
	};
	const made = new SenderMonitor({
		nft: { call } as unknown as SenderMonitorOptions["nft"],
		plan: () => state.plan,
		reload: async () => {
			state.reloads += 1;
		},
		warn: (message) => void state.warned.push(message),
		accounts: { user: join(home, "passwd"), group: join(home, "group") },
		...more,
	});
	monitor = made;
	return { state, monitor: made };
}

/** A look that waits for nobody is over then. */
const idle = () => Bun.sleep(0);

test("nothing is looked at where no rule names a sender, nor units where none names one", async () => {
	const { state, monitor } = rig(null);
	monitor.applied();
	await monitor.look();
	expect([state.looks, monitor.senders, monitor.warnings]).toEqual([0, [], []]);
	state.plan = { named: [named("user", "alice", 1000)] };
	monitor.applied();
	await monitor.look();
	expect([state.looks, state.reloads, state.warned]).toEqual([0, 0, []]);
	expect(monitor.senders).toEqual([
		{ kind: "user", name: "alice", number: 1000, controlGroups: null, users: ["HERE"] },
	]);
});

test("policies are compiled anew when a name has another number, and only then", async () => {
	const { state, monitor } = rig({ named: [named("user", "alice", 1000)] });
	monitor.applied();
	await idle();
	put("alice:x:1000:100\nbob:x:1001:100");
	await monitor.look();
	expect([state.reloads, state.warned]).toEqual([0, []]);
	put("alice:x:1001:100");
	await monitor.look();
	expect([state.reloads, state.warned]).toEqual([
		1,
		["users or groups that rules name have other numbers now"],
	]);
	// Not again while the same file cannot be compiled.
	await monitor.look();
	expect(state.reloads).toBe(1);
});

test("a name that nobody has is told once, stays in the warnings, and is found when somebody gets it", async () => {
	const { state, monitor } = rig({ named: [named("user", "alcie", null), named("group", "users", 100)] });
	const said =
		'this host knows no user "alcie", so nothing matches it: it blocks nobody (HERE); did you mean alice?';
	monitor.applied();
	await idle();
	monitor.applied();
	await idle();
	put("alice:x:1000:100\nbob:x:1001:100");
	await monitor.look();
	expect([state.warned, monitor.warnings, state.reloads]).toEqual([[said], [said], 0]);
	put("alcie:x:5:5");
	await monitor.look();
	expect(state.reloads).toBe(1);
});

test("a unit's control groups are told, a mistyped one is warned of, and a failure is told once", async () => {
	const { state, monitor } = rig({ named: [web], services });
	state.error = "no room";
	monitor.applied();
	await eventually("a look", () => state.looks > 0);
	await monitor.look();
	await eventually("what was seen", () => monitor.warnings.length > 0);
	expect(monitor.warnings).toEqual([expect.stringContaining("did you mean wbe.service?")]);
	expect(state.warned).toEqual(["which units send is not up to date: no room"]);
	state.groups = 2;
	state.error = "";
	await eventually("the control groups", async () => {
		await monitor.look();
		return monitor.senders[0]?.controlGroups === 2;
	});
	expect(monitor.senders).toMatchObject([{ name: "web.service", number: null }]);
	expect(monitor.warnings).toEqual([]);
});

test("a unit that starts is looked for at once", async () => {
	const { state, monitor } = rig({ named: [web], services });
	monitor.applied();
	await eventually("a look", () => state.looks > 1);
	await monitor.look();
	const before = state.looks;
	mkdirSync(join(home, "system.slice/web.service"));
	await eventually("a look at the new unit", () => state.looks > before);
	rmdirSync(join(home, "system.slice/web.service"));
});

test("what happens while policies are compiled anew is looked at before the look ends", async () => {
	const users = named("user", "alice", 7);
	let during = () => {};
	const { state, monitor } = rig({ named: [users, web], services }, { reload: async () => during() });
	let looks = -1;
	during = () => {
		looks = state.looks;
		void monitor.look();
	};
	await monitor.look();
	expect(looks).toBe(-1);
	monitor.applied();
	await eventually("policies that are compiled anew", () => looks >= 0);
	await idle();
	expect(state.looks).toBeGreaterThan(looks);
});

test("a thread that ended, or policies that fail, end no look of others", async () => {
	let failure: Error = new WorkerGone("stopped");
	const { state, monitor } = rig(
		{ named: [named("user", "alice", 7)] },
		{ reload: () => Promise.reject(failure) },
	);
	monitor.applied();
	await Bun.sleep(0);
	expect(state.warned).toEqual([]);
	failure = new Error("a bug");
	monitor.applied();
	await eventually("the warning", () => state.warned.length > 0);
	expect(state.warned).toEqual(["who sends is not up to date: a bug"]);
});

test("what is applied after the end begins nothing", async () => {
	const { state, monitor } = rig({ named: [web], services });
	monitor.stop();
	monitor.applied();
	await Bun.sleep(0);
	expect(state.looks).toBe(0);
	monitor.applied();
	state.plan = { named: [] };
	monitor.applied();
	expect(monitor.senders).toEqual([]);
});
