/** Damage to the state directory, while the daemon runs and before it starts: what happens, and that nothing is lost. */

import { expect, test } from "bun:test";
import {
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statfsSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { publicText } from "../../../src/source/signing-key.ts";
import { readPanic } from "../../../src/state/panic.ts";
import { readSerial } from "../../../src/state/policy-serial.ts";
import { writeState } from "../../../src/state/state-file.ts";
import { newKey, signDirectory } from "../../state/support/signing.ts";
import { executable } from "../support/built.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();
const { blockedPorts, portward } = rig;

/** Whatever a crash, a bad disk or an unlucky hand may leave in a state file's place. */
const damages: Readonly<Record<string, (path: string) => void>> = {
	"an empty file": (path) => truncateSync(path, 0),
	"a file cut short": (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
	"one bit flipped": (path) => {
		const bytes = readFileSync(path);
		const at = bytes.length - 5;
		bytes[at] = (bytes[at] ?? 0) ^ 1;
		writeFileSync(path, bytes);
	},
	"zeros in place of all bytes": (path) => writeFileSync(path, Buffer.alloc(readFileSync(path).length)),
	"another program's file": (path) => writeFileSync(path, '{"documents":[]}'),
	"a whole record of another shape": (path) => {
		rmSync(path);
		writeState(path, { documents: "none", plan: 7, serial: "x", digest: [] });
	},
	"a directory": (path) => {
		rmSync(path);
		mkdirSync(path);
	},
	"a FIFO that nobody writes to": (path) => {
		rmSync(path);
		Bun.spawnSync(["mkfifo", path]);
	},
	"a link to a device that never ends": (path) => {
		rmSync(path);
		symlinkSync("/dev/zero", path);
	},
};
const kinds = Object.keys(damages).map((what) => [what]);

const states = () => readdirSync(rig.home.state).filter((name) => name.endsWith(".json"));

/** Damages every state file that `chosen` names. Returns their names. */
function damage(what: string, chosen: (name: string) => boolean = () => true): string[] {
	const names = states().filter(chosen);
	for (const name of names) damages[what]?.(join(rig.home.state, name));
	return names;
}

test.each(kinds)(
	"%s in place of every state file, while the daemon runs: what changes is enforced all the same",
	async (what) => {
		await using daemon = await Daemon.start(
			rig.lab.guarded,
			{ policies: { "a.yaml": blocks("a", 80) } },
			rig.home,
		);
		await eventually(
			"the state",
			() => states().includes("last-good.json") && states().includes("boot.json"),
		);
		expect(damage(what).length).toBeGreaterThanOrEqual(2);
		await daemon.after(() => rig.home.put("b.yaml", blocks("b", 81)));
		expect(await blockedPorts(80, 81, 82)).toEqual([80, 81]);
		// What was good stands in for what breaks: the running daemon knows it.
		await daemon.after(() => rig.home.put("b.yaml", "broken: ["));
		expect(await blockedPorts(80, 81, 82)).toEqual([80, 81]);
		expect((await daemon.get("/readyz")).status).toBe(200);
		expect((await daemon.metrics()).get("portward_drift_total")).toBe(0);
		expect(await daemon.stop()).toBe(0);
	},
);

test.each(kinds)(
	"%s in place of every state file, at the start: what is on disk is enforced, and the damage is told",
	async (what) => {
		const first = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
		await eventually(
			"the state",
			() => states().includes("last-good.json") && states().includes("boot.json"),
		);
		await first.stop();
		damage(what);
		rig.home.put("b.yaml", blocks("b", 81));
		rig.home.put("c.yaml", "broken: [");
		await using second = Daemon.spawn(rig.lab.guarded, {}, rig.home);
		await second.active();
		expect(await blockedPorts(80, 81, 82)).toEqual([80, 81]);
		expect(second.log).toContain("last good policies are not known");
		const ready = await second.get("/readyz");
		expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("c.yaml")]);
		await second.after(() => rig.home.put("c.yaml", blocks("c", 82)));
		expect(await blockedPorts(80, 81, 82)).toEqual([80, 81, 82]);
		expect(await second.stop()).toBe(0);
	},
);

test.each(kinds)(
	"%s in place of the newest last good policies: the ones before stand in for what is broken",
	async (what) => {
		const first = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
		await eventually("the state", () => states().includes("last-good.json"));
		await first.after(() => rig.home.put("b.yaml", blocks("b", 81)));
		await eventually("both versions", () => states().includes("last-good.previous.json"));
		await first.stop();
		damage(what, (name) => name === "last-good.json");
		rig.home.put("a.yaml", "broken: [");
		await using second = Daemon.spawn(rig.lab.guarded, {}, rig.home);
		await second.active();
		expect(await blockedPorts(80, 81, 82)).toEqual(
			// The checksum of this one is right: it is taken for the newest, and told to be useless.
			what === "a whole record of another shape" ? [81] : [80, 81],
		);
		expect(second.log).toContain("last-good.json");
	},
);

test.each(kinds)(
	"%s in place of the saved ruleset and its previous version: restore compiles the last good policies",
	async (what) => {
		const first = await Daemon.start(rig.lab.guarded, { policies: { "a.yaml": blocks("a", 80) } }, rig.home);
		await first.after(() => rig.home.put("b.yaml", blocks("b", 81)));
		await eventually(
			"both versions",
			() => states().includes("boot.json") && states().includes("boot.previous.json"),
		);
		await first.stop();
		rig.lab.guarded.nft("delete table inet kubearmor\n");
		damage(what, (name) => name.startsWith("boot."));
		const restored = portward("restore");
		expect(restored.code).toBe(0);
		expect(restored.out).toContain("from the last good policies");
		expect(await blockedPorts(80, 81, 82)).toEqual([80, 81]);
	},
);

test("a state directory that vanishes while the daemon runs is made anew with the next change", async () => {
	await using daemon = await Daemon.start(
		rig.lab.guarded,
		{ policies: { "a.yaml": blocks("a", 80) } },
		rig.home,
	);
	await eventually("the state", () => states().includes("last-good.json"));
	rmSync(rig.home.state, { recursive: true });
	await daemon.after(() => rig.home.put("b.yaml", blocks("b", 81)));
	expect(await blockedPorts(80, 81)).toEqual([80, 81]);
	await eventually("the state", () => existsSync(join(rig.home.state, "last-good.json")));
	await daemon.stop("SIGKILL");
	rig.home.put("a.yaml", "broken: [");
	await using second = await Daemon.start(rig.lab.guarded, {}, rig.home);
	expect(await blockedPorts(80, 81)).toEqual([80, 81]);
	expect(second.log).not.toContain("damaged");
});

/** Runs the daemon with a small disk of its own as its state directory. */
const small = (): readonly string[] => [
	"unshare",
	"--mount",
	"sh",
	"-ec",
	`mount -t tmpfs -o size=256k,mode=700 tmpfs ${rig.home.state}; exec "$@"`,
	"sh",
];

function fill(directory: string): void {
	const { bavail, bsize } = statfsSync(directory);
	const file = openSync(join(directory, "ballast"), "w");
	try {
		// The daemon may take a block meanwhile.
		for (let left = Number(bavail); left > 0; left--) writeSync(file, new Uint8Array(Number(bsize)));
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
	} finally {
		closeSync(file);
	}
}

test("panic-open on a full disk opens the table all the same, says that it is not recorded, and resume ends it", async () => {
	await using daemon = await Daemon.start(
		rig.lab.guarded,
		{ under: small(), policies: { "a.yaml": blocks("a", 80) } },
		rig.home,
	);
	const seen = `/proc/${daemon.pid}/root${rig.home.state}`;
	fill(seen);
	const inside = (...argv: readonly string[]) =>
		rig.lab.guarded.try([
			"nsenter",
			`--mount=/proc/${daemon.pid}/ns/mnt`,
			executable(),
			...argv,
			"--config",
			rig.home.config,
		]);
	const opening = inside("panic-open", "--reason", "a full disk");
	expect(opening.code).toBe(1);
	expect(opening.error).toContain("ENOSPC");
	expect(opening.error).toContain("until the daemon ends");
	expect(await blockedPorts(80)).toEqual([]);
	expect(readPanic(seen).open).toBe(false);
	expect((await daemon.get("/readyz")).status).toBe(503);
	// No later look at the disk closes it.
	await Bun.sleep(2500);
	rig.home.put("b.yaml", blocks("b", 81));
	await eventually("the new policy", async () => (await daemon.status()).policies.length === 2);
	expect(await blockedPorts(80, 81)).toEqual([]);
	expect(inside("resume")).toMatchObject({ code: 0, out: "the network policies are enforced again\n" });
	expect(await blockedPorts(80, 81)).toEqual([80, 81]);
});

test("a serial that a full disk cannot record leaves the signed policies in force, and is recorded with the next set", async () => {
	const key = newKey();
	const config = { policySignature: "required", trustedKeys: [publicText(key)] };
	rig.home.put("a.yaml", blocks("a", 80));
	signDirectory(rig.home.policies, key, 1);
	await using daemon = await Daemon.start(rig.lab.guarded, { under: small(), config }, rig.home);
	const seen = `/proc/${daemon.pid}/root${rig.home.state}`;
	const serial = () => {
		const read = readSerial(seen);
		return read.ok && read.problem === null ? (read.set?.serial ?? null) : null;
	};
	await eventually("the serial", () => serial() === 1);
	fill(seen);
	rig.home.put("a.yaml", blocks("a", 81));
	signDirectory(rig.home.policies, key, 2);
	await eventually("the second set", async () => (await blockedPorts(80, 81)).join() === "81");
	await eventually("the word of it", () => daemon.log.includes("could not be saved"));
	expect(serial()).toBe(1);
	rmSync(join(seen, "ballast"));
	rig.home.put("a.yaml", blocks("a", 80));
	signDirectory(rig.home.policies, key, 3);
	await eventually("the third set", async () => (await blockedPorts(80, 81)).join() === "80");
	await eventually("its serial", () => serial() === 3);
});
