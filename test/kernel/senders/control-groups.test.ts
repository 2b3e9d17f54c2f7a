import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findUnits, hierarchyRoot, unitsByGroup } from "../../../src/kernel/senders/control-groups.ts";

let root: string;
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "portward-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function group(path: string): bigint {
	mkdirSync(join(root, path), { recursive: true });
	return statSync(join(root, path), { bigint: true }).ino;
}

const wanted = new Set(["web.service", "_odd.service"]);
const levels = 3;

test("the hierarchy is where it is mounted, with what proc(5) escapes", () => {
	const line = (path: string, type: string) => `30 24 0:27 / ${path} rw,nosuid - ${type} none rw`;
	const old = line("/sys/fs/cgroup/memory", "cgroup");
	expect(hierarchyRoot([old, line("/sys/fs/cgroup/unified", "cgroup2"), ""].join("\n"))).toBe(
		"/sys/fs/cgroup/unified",
	);
	expect(hierarchyRoot(line("/a\\040b\\134c", "cgroup2"))).toBe("/a b\\c");
	expect(hierarchyRoot(`${old}\n${line("/x", "cgroup2x")}`)).toBeNull();
	expect(hierarchyRoot("")).toBeNull();
});

test("units are found in slices, as deep as they may lie, and with systemd's own escape", () => {
	const numbers = [
		group("web.service"),
		group("system.slice/web.service"),
		group("a.slice/b.slice/web.service"),
	];
	const odd = group("system.slice/__odd.service");
	group("a.slice/b.slice/c.slice/web.service");
	const { units, slices, names } = findUnits(wanted, levels, root);
	expect(units.get("web.service")?.toSorted()).toEqual(numbers.toSorted());
	expect(units.get("_odd.service")).toEqual([odd]);
	expect([...slices].sort()).toEqual(
		[root, ...["system.slice", "a.slice", "a.slice/b.slice"].map((path) => join(root, path))].sort(),
	);
	expect(names.toSorted()).toEqual(["_odd.service", "web.service", "web.service", "web.service"]);
});

test("a group of a unit's name is no unit where its owner could make it", () => {
	group("user.slice/user-1000.slice/user@1000.service/app.slice/web.service");
	group("user.slice/session-1.scope/web.service");
	group("system.slice/other.service/web.service");
	group("init.scope/web.service");
	writeFileSync(join(root, "web.service"), "");
	const elsewhere = group("system.slice/other.service/more.slice/web.service");
	symlinkSync(join(root, "system.slice/other.service/more.slice"), join(root, "linked.slice"));
	expect(findUnits(wanted, 6, root).units).toEqual(new Map());
	expect(unitsByGroup(wanted, 6, root).get(String(elsewhere))).toBeUndefined();
});

test("a control group below a unit's own is the unit's", () => {
	const own = group("system.slice/web.service");
	const below = group("system.slice/web.service/payload/inner");
	const other = group("system.slice/other.service/web.service");
	const found = unitsByGroup(wanted, levels, root);
	expect(found.get(String(own))).toBe("web.service");
	expect(found.get(String(below))).toBe("web.service");
	expect(found.has(String(other))).toBe(false);
	expect(unitsByGroup(new Set(), levels, root).size).toBe(0);
	expect(unitsByGroup(wanted, levels, null).size).toBe(0);
	expect(hierarchyRoot()).toBe(hierarchyRoot(readFileSync("/proc/self/mountinfo", "utf8")));
});

test("what has gone is passed over", () => {
	expect(findUnits(wanted, levels, join(root, "absent"))).toEqual({
		units: new Map(),
		slices: [join(root, "absent")],
		names: [],
	});
});
