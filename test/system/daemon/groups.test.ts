/** Groups of addresses with a real daemon and real packets: files that change, break and vanish. */

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const senders = ["10.1.0.10", "10.1.0.11", "2001:db8:1::10"];

const group = (name: string, spec: object) =>
	JSON.stringify({ apiVersion: "portward.io/v1", kind: "PortwardAddressGroup", metadata: { name }, spec });
const blocking = policy("no-bad", { action: "Block", ingress: [{ from: [{ group: "bad" }] }] });

/** Which of the senders are blocked. */
async function blocked(): Promise<string[]> {
	const probes = senders.map(
		(remote) => ({ direction: "ingress", protocol: "tcp", remote, port: 80 }) as const,
	);
	const passed = await rig.prober.send(probes);
	return senders.filter((_, index) => !passed[index]);
}

const becomes = (what: string, wanted: readonly string[]) =>
	eventually(what, async () => Bun.deepEquals(await blocked(), wanted), 60_000);

test("a file that no policy lies beside is watched, and its last good list outlives what breaks it", async () => {
	const feeds = join(rig.home.path, "feeds");
	mkdirSync(feeds);
	const file = join(feeds, "bad.txt");
	// So many that what changes is changed in place.
	const others = Array.from({ length: 1500 }, (_, i) => `172.${16 + (i >> 8)}.${i & 255}.0/25`);
	const list = (...lines: readonly string[]) => {
		writeFileSync(`${file}.new`, [...lines, ...others].map((line) => `${line}\n`).join(""));
		renameSync(`${file}.new`, file);
	};
	list("10.1.0.10 # one", "2001:db8:1::10");
	rig.home.put("group.yaml", group("bad", { file }));
	rig.home.put("policy.yaml", blocking);
	{
		await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
		expect(await blocked()).toEqual(["10.1.0.10", "2001:db8:1::10"]);
		list("10.1.0.11", "2001:db8:1::10");
		await becomes("the new list", ["10.1.0.11", "2001:db8:1::10"]);
		expect((await daemon.metrics()).get("portward_drift_total")).toBe(0);

		list("10.1.0.11", "", "nonsense");
		const alert = await daemon.alert("the broken file", ({ Tags }) => Tags === "ADDRESS-GROUP");
		expect(alert).toMatchObject({
			Resource: file,
			Action: "Block",
			EventData: { Group: "bad", Blocks: "1502" },
		});
		expect(alert.EventData.Reason).toContain(`${file}:3:1: "nonsense" is a name`);
		expect(await blocked()).toEqual(["10.1.0.11", "2001:db8:1::10"]);
		expect((await daemon.metrics()).get('portward_group_file_current{group="bad"}')).toBe(0);
		expect((await daemon.metrics()).get('portward_group_file_blocks{group="bad"}')).toBe(1502);
		const said = rig.portward("status").out;
		expect(said).toContain("group bad: its last good list, 1502 blocks");
		expect(said).toContain(`${file}:3:1`);
		rmSync(file);
		await daemon.alert(
			"that it is gone",
			({ EventData }) => EventData.Reason?.includes("does not exist") === true,
		);
	}
	// The next start has nothing but what it kept.
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await blocked()).toEqual(["10.1.0.11", "2001:db8:1::10"]);
	expect((await daemon.get("/readyz")).status).toBe(200);
	list("10.1.0.10", "10.1.0.11");
	await becomes("the file that is whole again", ["10.1.0.10", "10.1.0.11"]);
	expect((await daemon.metrics()).get('portward_group_file_current{group="bad"}')).toBe(1);
});

test("a group belongs to all files: whoever names it goes with it, and the commands know its members", async () => {
	rig.home.put("group.yaml", group("bad", { cidrs: ["10.1.0.0/24"], except: ["10.1.0.11"] }));
	rig.home.put("policy.yaml", blocking);
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await blocked()).toEqual(["10.1.0.10"]);
	const explained = rig.portward("explain", "ingress", "tcp", "10.1.0.10", "80");
	expect(explained.out).toContain("no-bad");
	expect(rig.portward("validate", rig.home.policies).out).toContain("2 valid, 0 errors");
	const other = join(rig.home.path, "other");
	mkdirSync(other);
	writeFileSync(join(other, "group.yaml"), group("bad", { cidrs: ["10.1.0.0/24"] }));
	writeFileSync(join(other, "policy.yaml"), blocking);
	const diff = rig.portward("diff", rig.home.policies, other);
	expect([diff.code, diff.out]).toEqual([2, expect.stringContaining("10.1.0.11")]);
	const plan = rig.portward("plan", "--policy-dir", other);
	expect(plan.out).toMatch(/group bad \(1 block, [0-9a-f]{8}\)/);
	// The policy keeps the members that it had, though the group is gone.
	await daemon.after(() => rig.home.put("group.yaml", null));
	expect(await blocked()).toEqual(["10.1.0.10"]);
	const { policies } = await daemon.status();
	expect(
		policies.map(({ name, enforced, diagnostics }) => [name, enforced, diagnostics.map(({ code }) => code)]),
	).toEqual([["no-bad", true, ["unknown-group"]]]);
	await daemon.after(() => rig.home.put("group.yaml", group("bad", { cidrs: ["2001:db8:1::/64"] })));
	expect(await blocked()).toEqual(["2001:db8:1::10"]);
});

test("a list goes along with the policies that are applied, and comes and goes with them", async () => {
	const put = (name: string, text: string) => writeFileSync(join(rig.home.path, name), text);
	mkdirSync(join(rig.home.path, "new/lists"), { recursive: true });
	mkdirSync(join(rig.home.policies, "lists"));
	for (const directory of [rig.home.policies, join(rig.home.path, "new")]) {
		writeFileSync(join(directory, "group.yaml"), group("bad", { file: "lists/bad.txt" }));
		writeFileSync(join(directory, "policy.yaml"), blocking);
	}
	const [old, fresh] = ["10.1.0.10\n", "10.1.0.11\n2001:db8:1::10\n"];
	const inPlace = () => readFileSync(join(rig.home.policies, "lists/bad.txt"), "utf8");
	writeFileSync(join(rig.home.policies, "lists/bad.txt"), old);
	put("new/lists/bad.txt", fresh);
	await using daemon = await Daemon.start(rig.lab.guarded, {}, rig.home);
	const apply = () => rig.portward("apply", "--policy-dir", join(rig.home.path, "new"));
	const pending = async () => (await daemon.metrics()).get("portward_change_pending");

	expect(apply().code).toBe(0);
	expect(await blocked()).toEqual(["10.1.0.11", "2001:db8:1::10"]);
	expect([await pending(), inPlace()]).toEqual([1, old]);
	expect(rig.portward("rollback").code).toBe(0);
	expect([await blocked(), await pending(), inPlace()]).toEqual([["10.1.0.10"], 0, old]);

	expect(apply().code).toBe(0);
	expect(rig.portward("confirm").code).toBe(0);
	expect([await blocked(), inPlace()]).toEqual([["10.1.0.11", "2001:db8:1::10"], fresh]);
	expect(apply().out).toContain("nothing changes");

	// What is not there is read where it will be.
	rmSync(join(rig.home.path, "new/lists"), { recursive: true });
	put(
		"new/other.yaml",
		policy("other", { action: "Block", ingress: [{ from: [{ group: "bad" }], ports: [port("TCP", 7)] }] }),
	);
	const applied = apply();
	expect([applied.code, applied.out]).toEqual([0, expect.stringContaining("other")]);
	expect(await blocked()).toEqual(["10.1.0.11", "2001:db8:1::10"]);
	expect(rig.portward("confirm").code).toBe(0);
	expect([await blocked(), inPlace()]).toEqual([["10.1.0.11", "2001:db8:1::10"], fresh]);
});
