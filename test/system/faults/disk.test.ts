/** Disks that take nothing: what is enforced, what is said, and that all goes on when there is room again. */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "../support/daemon.ts";
import { eventually } from "../support/netns.ts";
import { blocks, eachOnRig } from "../support/rig.ts";

const rig = eachOnRig();

/** How many of these ports are blocked now; each of them is an alert of its own. */
async function blocked(first: number, last: number): Promise<number> {
	const passed = await rig.prober.send(
		Array.from({ length: last - first + 1 }, (_, index) => ({
			direction: "ingress",
			protocol: "tcp",
			remote: "10.1.0.10",
			port: first + index,
		})),
	);
	return passed.filter((each) => !each).length;
}

/** Programs that run the daemon in a mount namespace of its own, set up by a shell script. */
const mounted = (script: string) => ["unshare", "--mount", "sh", "-ec", `${script}; exec "$@"`, "sh"];

/** A path as the daemon sees it. */
const seenBy = (daemon: Daemon, path: string) => `/proc/${daemon.pid}/root${path}`;

/** Takes every byte that is left, or gives them back. */
function fill(directory: string): void {
	const { bavail, bsize } = statfsSync(directory);
	writeFileSync(join(directory, "ballast"), Buffer.alloc(Number(bavail) * Number(bsize)));
}
const free = (directory: string) => rmSync(join(directory, "ballast"));

test("a full disk delays no rule and no alert; the file has every alert again from when there is room", async () => {
	const logs = join(rig.home.path, "logs");
	mkdirSync(logs);
	const file = join(logs, "alerts.jsonl");
	const tmpfs = (path: string) => `mount -t tmpfs -o size=512k,mode=700 tmpfs ${path}`;
	await using daemon = await Daemon.start(
		rig.lab.guarded,
		{
			under: mounted(`${tmpfs(rig.home.state)}; ${tmpfs(logs)}`),
			config: { alerts: { file } },
			policies: { "a.yaml": blocks("a", 1000, 1999) },
		},
		rig.home,
	);
	const [state, disk] = [seenBy(daemon, rig.home.state), seenBy(daemon, logs)];
	const written = () => readFileSync(seenBy(daemon, file), "utf8").split("\n").slice(0, -1);
	const lost = async () => (await daemon.metrics()).get('portward_alerts_dropped_total{reason="file"}') ?? 0;
	const raised = (name: string) => daemon.alerts.filter(({ PolicyName }) => PolicyName === name).length;
	expect(await blocked(1000, 1004)).toBe(5);
	await eventually("alerts in the file", () => written().length === 5);
	expect((await daemon.status()).warnings).toEqual([]);
	fill(state);
	fill(disk);
	// What changes is enforced, counted, and alerted on standard output.
	await daemon.after(() => rig.home.put("b.yaml", blocks("b", 2000, 2999)));
	for (let round = 1; round <= 3; round++) {
		// No more at a time than the daemon tells one by one.
		expect(await blocked(2000 + 100 * round, 2099 + 100 * round)).toBe(100);
		await eventually("every alert", () => raised("b") === 100 * round);
	}
	await eventually("the file's lost alerts, counted", async () => (await lost()) > 0);
	expect((await daemon.status()).warnings).toEqual([
		expect.stringContaining("state is full"),
		expect.stringContaining("alerts.jsonl: its directory is full"),
	]);
	expect(daemon.log).toContain("alerts cannot be written to the file");
	// What breaks now keeps its last good version.
	await daemon.after(() => rig.home.put("b.yaml", "broken: ["));
	expect(await blocked(2000, 2009)).toBe(10);
	await eventually("these alerts too", () => raised("b") === 310);
	free(disk);
	free(state);
	expect((await daemon.status()).warnings).toEqual([]);
	expect(await blocked(1500, 1509)).toBe(10);
	await eventually("the file's new alerts", () => {
		const ports = written().map((line) => JSON.parse(line).EventData.DestinationPort);
		return ports.filter((one) => Number(one) >= 1500 && Number(one) < 1510).length === 10;
	});
	await eventually("the log to say so", () => daemon.log.includes("alerts are written to the file again"));
	// Nothing is lost of which nobody was told.
	expect(written().length + (await lost())).toBe(daemon.alerts.length);
	await daemon.after(() => rig.home.put("c.yaml", blocks("c", 3000, 3999)));
	await daemon.stop("SIGKILL");
});

test("a restart on a full disk enforces what is on disk, and what was saved before for what is broken", async () => {
	rig.home.put("a.yaml", blocks("a", 1000, 1000));
	rig.home.put("b.yaml", blocks("b", 2000, 2000));
	const first = await Daemon.start(rig.lab.guarded, {}, rig.home);
	await eventually("the last good versions", () => existsSync(join(rig.home.state, "last-good.json")));
	await first.stop("SIGKILL");
	rig.home.put("b.yaml", "broken: [");
	rig.home.put("c.yaml", blocks("c", 3000, 3000));
	const copy = `cp -a ${rig.home.state} ${rig.home.path}/before; mount -t tmpfs -o size=256k,mode=700 tmpfs ${rig.home.state}`;
	const full = `cp -a ${rig.home.path}/before/*.json ${rig.home.state}; dd if=/dev/zero of=${rig.home.state}/ballast bs=4k status=none || :`;
	await using second = await Daemon.start(rig.lab.guarded, { under: mounted(`${copy}; ${full}`) }, rig.home);
	expect(await blocked(1000, 1000)).toBe(1);
	expect(await blocked(2000, 2000)).toBe(1);
	expect(await blocked(3000, 3000)).toBe(1);
	expect((await second.status()).warnings).toEqual([expect.stringContaining("is full")]);
	// A full disk never tears what was there.
	expect(readdirSync(seenBy(second, rig.home.state))).toContain("last-good.json");
	expect(second.log).not.toContain("damaged");
});

test("a disk that becomes read-only while the daemon runs: changes are enforced, and it ends in good order", async () => {
	rig.home.put("a.yaml", blocks("a", 1000, 1000));
	const under = mounted(`mount --bind ${rig.home.state} ${rig.home.state}`);
	await using daemon = await Daemon.start(rig.lab.guarded, { under }, rig.home);
	const remount = ["mount", "-o", "remount,ro,bind", rig.home.state];
	const inside = ["nsenter", `--mount=/proc/${daemon.pid}/ns/mnt`, ...remount];
	// While a file is being written the kernel refuses.
	await eventually("the disk to become read-only", () => rig.lab.guarded.try(inside).code === 0);
	await daemon.after(() => rig.home.put("b.yaml", blocks("b", 2000, 2000)));
	expect([await blocked(1000, 1000), await blocked(2000, 2000)]).toEqual([1, 1]);
	expect((await daemon.status()).warnings).toEqual([expect.stringContaining("is read-only")]);
	expect(await daemon.stop()).toBe(0);
	expect(daemon.log).toContain("stopping; the rules stay in force");
});

test("a read-only state directory without root's status socket: all is enforced, and TCP tells what it may", async () => {
	rig.home.put("a.yaml", blocks("a", 1000, 1000));
	const under = mounted(
		`mount --bind ${rig.home.state} ${rig.home.state}; mount -o remount,ro,bind ${rig.home.state}`,
	);
	const config = { status: { address: "127.0.0.1:9755", detail: "metrics-only" } };
	await using daemon = Daemon.spawn(rig.lab.guarded, { under, config }, rig.home);
	await eventually("enforcement", () => daemon.log.includes("info enforced"));
	expect(await blocked(1000, 1000)).toBe(1);
	expect(daemon.log).toMatch(/nobody can read the status; enforcement goes on.*status\.sock.*EROFS/u);
	const ready = rig.lab.guarded.run(["curl", "--silent", "http://127.0.0.1:9755/readyz"]);
	expect(ready).toBe("ready\n");
	expect(await daemon.stop()).toBe(0);
});

test("a read-only state directory: all is enforced and kept in memory, and said", async () => {
	rig.home.put("a.yaml", blocks("a", 1000, 1000));
	const readOnly = mounted(
		`mount --bind ${rig.home.state} ${rig.home.state}; mount -o remount,ro,bind ${rig.home.state}`,
	);
	await using daemon = await Daemon.start(rig.lab.guarded, { under: readOnly }, rig.home);
	expect(await blocked(1000, 1000)).toBe(1);
	await daemon.alert("the blocked packet", (alert) => alert.PolicyName === "a");
	await daemon.after(() => rig.home.put("b.yaml", blocks("b", 2000, 2000)));
	await daemon.after(() => rig.home.put("b.yaml", "broken: ["));
	expect(await blocked(2000, 2000)).toBe(1);
	expect((await daemon.status()).warnings).toEqual([expect.stringContaining("is read-only")]);
	expect(daemon.log).toContain("could not be saved");
	const ready = await daemon.get("/readyz");
	expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining("last good version")]);
	// Without its socket the daemon lives as well: what it does not do is said.
	expect(daemon.log).toContain("there is no control socket");
});
