/** What the daemon gave up for good, as status shows it. Pure. */

/** One half of the confinement: whether it holds, and why not or what is odd about it ("" for nothing). */
export interface Confined {
	readonly active: boolean;
	readonly detail: string;
}

export interface Confinement {
	/** seccomp: no other programs, modules, mounts, and no other kinds of sockets. */
	readonly systemCalls: Confined;
	/** Landlock: files change below `writable` and, for USB, in sysfs. */
	readonly files: Confined;
	/** Absolute paths of directories. */
	readonly writable: readonly string[];
}

/** One line for `status` and the page. */
export function describeConfinement({ systemCalls, files, writable }: Confinement): string {
	const calls = systemCalls.active
		? "runs no other program, loads no module, mounts nothing"
		: `system calls are not confined: ${systemCalls.detail}`;
	const note = files.detail === "" ? "" : ` (${files.detail})`;
	const places = files.active
		? `writes only below ${writable.join(", ")}${note}`
		: `files are not confined: ${files.detail}`;
	return `${calls}; ${places}`;
}
