/** What package-lock.json says of the packages that go into a release. */

import { join } from "node:path";

export interface Locked {
	readonly version: string;
	/** As npm writes it: "sha512-" and base64. */
	readonly integrity: string;
	/** SPDX expression. */
	readonly license: string;
	readonly dependencies?: Readonly<Record<string, string>>;
}

export type Lock = Readonly<Record<string, Locked>>;

export async function readLock(root: string): Promise<Lock> {
	return (await Bun.file(join(root, "package-lock.json")).json()).packages;
}

export function locked(lock: Lock, name: string): Locked {
	const found = lock[`node_modules/${name}`];
	if (found === undefined) throw new Error(`package-lock.json does not have ${name}`);
	return found;
}

/** What packages name as their own, and the build leaves out with all that it needs: nothing of it ever runs. */
export const leftOut: readonly string[] = ["@grpc/proto-loader"];

/** The packages whose code is in the executable, sorted. */
export function shippedPackages(lock: Lock): readonly string[] {
	const found = new Set<string>();
	const visit = (names: readonly string[]): void => {
		for (const name of names) {
			if (found.has(name) || leftOut.includes(name)) continue;
			found.add(name);
			visit(Object.keys(locked(lock, name).dependencies ?? {}));
		}
	};
	visit(Object.keys(lock[""]?.dependencies ?? {}));
	return [...found].sort();
}

/** The SHA-512 in an integrity, as hexadecimal. */
export function sha512(integrity: string): string {
	if (!integrity.startsWith("sha512-")) throw new Error(`not a SHA-512 integrity: ${integrity}`);
	return Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
}
