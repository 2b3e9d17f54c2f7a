/**
 * The control groups of systemd's units, in the one hierarchy of cgroups(7). Only those count that the system's own
 * manager made: they lie in slices alone. Below a unit or a scope its owner makes groups of any name, so that a user
 * could pass for another unit there.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Slices that are looked into at most, and levels of them below the root. */
const mostSlices = 4096;

export interface UnitGroups {
	/** The numbers by which the kernel tells its control groups apart, for each unit that was asked for and is there. */
	readonly units: ReadonlyMap<string, readonly bigint[]>;
	/** Directories whose changes are those of units. */
	readonly slices: readonly string[];
	/** Some of the units, by name. */
	readonly names: readonly string[];
}

const service = ".service";
const slice = ".slice";

/** Names that are kept for saying which one was meant. */
const mostNames = 4096;

/** Where the hierarchy is mounted; null where it is not. @param mounts the text of /proc/self/mountinfo (proc(5)) */
export function hierarchyRoot(mounts = readMounts()): string | null {
	for (const line of mounts.split("\n")) {
		const [before = "", after = ""] = line.split(" - ", 2);
		if (!after.startsWith("cgroup2 ")) continue;
		const [, , , , path = ""] = before.split(" ");
		// Spaces and the like are in octal there.
		return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
			String.fromCharCode(Number.parseInt(octal, 8)),
		);
	}
	return null;
}

function readMounts(): string {
	try {
		return readFileSync("/proc/self/mountinfo", "utf8");
	} catch {
		return "";
	}
}

/**
 * Looks for units.
 * @param wanted their whole names.
 * @param levels below the root at which a unit may lie, 1 or more.
 * @param root see hierarchyRoot
 */
export function findUnits(wanted: ReadonlySet<string>, levels: number, root: string): UnitGroups {
	const names: string[] = [];
	const slices: string[] = [];
	const units = new Map<string, bigint[]>();
	for (const { unit, path } of unitsIn(wanted, levels, root, names, slices)) {
		const number = numberOf(path);
		if (number !== null) units.set(unit, [...(units.get(unit) ?? []), number]);
	}
	return { units, slices, names };
}

/** @param names, slices what is seen on the way is added to these */
function* unitsIn(
	wanted: ReadonlySet<string>,
	levels: number,
	root: string,
	names: string[] = [],
	slices: string[] = [],
): Generator<{ readonly unit: string; readonly path: string }> {
	slices.push(root);
	let level = 1;
	let next = slices.length;
	for (let i = 0; i < slices.length; i++) {
		if (i === next) {
			level += 1;
			next = slices.length;
		}
		const path = slices[i] ?? root;
		for (const name of directoriesIn(path)) {
			if (name.endsWith(slice)) {
				if (level < levels && slices.length < mostSlices) slices.push(join(path, name));
				continue;
			}
			if (!name.endsWith(service)) continue;
			// systemd puts this before what could be taken for an attribute of the control group.
			const unit = name.startsWith("_") ? name.slice(1) : name;
			if (names.length < mostNames) names.push(unit);
			if (wanted.has(unit)) yield { unit, path: join(path, name) };
		}
	}
}

/** Control groups of one unit that are looked into at most. */
const mostBelow = 4096;

/**
 * The unit of each control group of some units, those below a unit's own included, by its number in digits.
 * @param wanted, levels, root see findUnits
 */
export function unitsByGroup(
	wanted: ReadonlySet<string>,
	levels: number,
	root: string | null = hierarchyRoot(),
): ReadonlyMap<string, string> {
	const found = new Map<string, string>();
	if (root === null || wanted.size === 0) return found;
	for (const { unit, path } of unitsIn(wanted, levels, root)) {
		const below = [path];
		for (let i = 0; i < below.length; i++) {
			const at = below[i] ?? path;
			const number = numberOf(at);
			if (number !== null) found.set(String(number), unit);
			for (const name of directoriesIn(at)) if (below.length < mostBelow) below.push(join(at, name));
		}
	}
	return found;
}

function directoriesIn(path: string): string[] {
	try {
		return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
			entry.isDirectory() ? entry.name : [],
		);
	} catch {
		// It has gone since.
		return [];
	}
}

/** The kernel's number is that of the directory. Null where it has gone. */
function numberOf(path: string): bigint | null {
	try {
		return statSync(path, { bigint: true }).ino;
	} catch {
		return null;
	}
}
