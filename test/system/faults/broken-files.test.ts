/** What becomes of policies whose files break, vanish and come back, while the daemon runs and across its restarts. */

import { expect, test } from "bun:test";
import { mkdirSync, renameSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { documents } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const { blockedPorts } = rig;

const start = () => Daemon.start(rig.lab.guarded, {}, rig.home);

test("a file that breaks keeps its last good version, also across a restart, and says so", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	rig.home.put("b.yaml", blocks("b", 82));
	{
		await using daemon = await start();
		expect(await blockedPorts(81, 82)).toEqual([81, 82]);
		await daemon.after(() => rig.home.put("a.yaml", blocks("a", 81).replace("Block", "Blok")));
		await daemon.after(() => rig.home.put("b.yaml", blocks("b", 83)));
		expect(await blockedPorts(81, 82, 83)).toEqual([81, 83]);
		const broken = (await daemon.status()).policies.find((found) => found.name === "a");
		expect(broken?.enforced).toBe(true);
		expect(broken?.diagnostics.some((diagnostic) => diagnostic.severity === "error")).toBe(true);
		expect(daemon.log).toContain("a.yaml");
		expect(await daemon.stop()).toBe(0);
	}
	await using again = await start();
	expect(await blockedPorts(81, 82, 83)).toEqual([81, 83]);
	await again.after(() => rig.home.put("a.yaml", blocks("a", 84)));
	expect(await blockedPorts(81, 83, 84)).toEqual([83, 84]);
});

test("one bad document takes neither its neighbours in the file nor other files down", async () => {
	rig.home.put(
		"many.yaml",
		documents(blocks("a", 81), "kind: KubeArmorNetworkPolicy\nspec: [", blocks("c", 83)),
	);
	rig.home.put("other.yaml", blocks("d", 84));
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	const blocked = await blockedPorts(81, 83, 84);
	expect(blocked).toContain(84);
	expect(blocked).toContain(81);
});

test("a wrong document in the middle leaves the others in force", async () => {
	rig.home.put("many.yaml", documents(blocks("a", 81), blocks("b", 70_000), blocks("c", 83)));
	await using daemon = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await daemon.active();
	expect(await blockedPorts(81, 83)).toEqual([81, 83]);
});

test("a file that is cut to nothing is broken, a file that is removed is deleted", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	rig.home.put("b.yaml", blocks("b", 82));
	await using daemon = await start();
	await daemon.after(() => truncateSync(join(rig.home.policies, "a.yaml")));
	expect(await blockedPorts(81, 82)).toEqual([81, 82]);
	await daemon.after(() => unlinkSync(join(rig.home.policies, "b.yaml")));
	expect(await blockedPorts(81, 82)).toEqual([81]);
});

test("a half-written file keeps what was, until it is whole", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	await using daemon = await start();
	const next = documents(blocks("a", 85), blocks("b", 86));
	await daemon.after(() => writeFileSync(join(rig.home.policies, "a.yaml"), next.slice(0, 40)));
	expect(await blockedPorts(81, 85, 86)).toEqual([81]);
	await daemon.after(() => writeFileSync(join(rig.home.policies, "a.yaml"), next));
	expect(await blockedPorts(81, 85, 86)).toEqual([85, 86]);
});

test("a directory that vanishes is broken, also across a restart, and counts again when it is back", async () => {
	rig.home.put("a.yaml", blocks("a", 81));
	const hidden = `${rig.home.policies}.hidden`;
	{
		await using daemon = await start();
		await daemon.after(() => renameSync(rig.home.policies, hidden));
		expect(await blockedPorts(81)).toEqual([81]);
		await daemon.stop();
	}
	const again = Daemon.spawn(rig.lab.guarded, {}, rig.home);
	await using _ = again;
	await again.active();
	expect(await blockedPorts(81)).toEqual([81]);
	await again.after(() => {
		writeFileSync(join(hidden, "b.yaml"), blocks("b", 82));
		renameSync(hidden, rig.home.policies);
	});
	await eventually("both policies", async () => (await blockedPorts(81, 82)).length === 2);
});

test("of two policies with one name none is newly enforced, and the last good stays", async () => {
	rig.home.put("a.yaml", blocks("twin", 81));
	await using daemon = await start();
	await daemon.after(() => rig.home.put("b.yaml", blocks("twin", 82)));
	expect(await blockedPorts(81, 82)).toEqual([81]);
	await daemon.after(() => rig.home.put("b.yaml", null));
	expect(await blockedPorts(81, 82)).toEqual([81]);
});

test("files appear, change and go in ways that editors and orchestrators have", async () => {
	await using daemon = await start();
	await daemon.after(() => {
		mkdirSync(join(rig.home.policies, "deep/er"), { recursive: true });
		rig.home.put("deep/er/a.yaml", blocks("a", 81));
	});
	await eventually("a nested file", async () => (await blockedPorts(81)).length === 1);
	// The swap of a directory behind a link, as Kubernetes mounts its config maps. What goes before may be a reload of its own.
	mkdirSync(join(rig.home.policies, "..v1"));
	writeFileSync(join(rig.home.policies, "..v1/b.yaml"), blocks("b", 82));
	symlinkSync("..v1", join(rig.home.policies, "..data"));
	symlinkSync("..data/b.yaml", join(rig.home.policies, "b.yaml"));
	await eventually("the policy behind the link", async () => (await blockedPorts(82)).length === 1);
	expect(await blockedPorts(81, 82)).toEqual([81, 82]);
	mkdirSync(join(rig.home.policies, "..v2"));
	writeFileSync(join(rig.home.policies, "..v2/b.yaml"), blocks("b", 83));
	symlinkSync("..v2", join(rig.home.policies, "..next"));
	renameSync(join(rig.home.policies, "..next"), join(rig.home.policies, "..data"));
	await eventually("the other directory's policy", async () => (await blockedPorts(83)).length === 1);
	expect(await blockedPorts(81, 82, 83)).toEqual([81, 83]);
	// Backup files and others that editors leave are no policies.
	rig.home.put(".a.yaml.swp", "rubbish");
	rig.home.put("c.yaml", blocks("c", 84));
	// The first of the two files alone may be a reload.
	await eventually("the new policy", async () => (await blockedPorts(84)).length === 1);
	expect(await blockedPorts(81, 83, 84)).toEqual([81, 83, 84]);
});

test("the policy directory may itself be a link, and be swapped", async () => {
	const versions = ["one", "two"].map((name) => join(rig.home.path, name));
	for (const [index, path] of versions.entries()) {
		mkdirSync(path);
		writeFileSync(join(path, "a.yaml"), blocks("a", 81 + index));
	}
	const link = join(rig.home.path, "current");
	symlinkSync("one", link);
	await using daemon = await Daemon.start(rig.lab.guarded, { config: { policyDir: link } }, rig.home);
	expect(await blockedPorts(81, 82)).toEqual([81]);
	await daemon.after(() => {
		symlinkSync("two", `${link}.next`);
		renameSync(`${link}.next`, link);
	});
	expect(await blockedPorts(81, 82)).toEqual([82]);
});
