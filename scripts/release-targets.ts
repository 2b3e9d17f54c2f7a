/** The kinds of machine that a release is for, and the runtime for each, from the npm registry. */

import { closeSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Lock, locked, sha512 } from "./release-lock.ts";

export interface Target {
	/** As install.sh asks for it. */
	readonly name: string;
	/** As Bun names it. */
	readonly bun: string;
	/** The npm package with the runtime. */
	readonly package: string;
}

export const targets: readonly Target[] = [
	{ name: "linux-x64-glibc", bun: "bun-linux-x64", package: "@oven/bun-linux-x64" },
	{ name: "linux-x64-musl", bun: "bun-linux-x64-musl", package: "@oven/bun-linux-x64-musl" },
	{ name: "linux-arm64-glibc", bun: "bun-linux-arm64", package: "@oven/bun-linux-aarch64" },
	{ name: "linux-arm64-musl", bun: "bun-linux-arm64-musl", package: "@oven/bun-linux-aarch64-musl" },
];

/** The target that this machine is, by the dynamic loader that the Bun asks for that runs this. */
export function nativeTarget(): Target | undefined {
	const head = Buffer.alloc(4096);
	const file = openSync(process.execPath, "r");
	readSync(file, head, 0, head.length, 0);
	closeSync(file);
	const name = `linux-${process.arch}-${head.includes("/ld-musl-") ? "musl" : "glibc"}`;
	return targets.find((target) => target.name === name);
}

type Result = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly error: string };

/**
 * The runtime of `target` as a file under `cache`: the one in the npm package that package-lock.json has the
 * digest of. npm downloads it when it is not there; without a network that is an error that says so.
 */
export function runtimeOf(target: Target, lock: Lock, cache: string): Result {
	const { version, integrity } = locked(lock, target.package);
	const folder = join(cache, `${target.name}-${version}`);
	const archive = join(folder, "package.tgz");
	const fits = () => {
		try {
			return new Bun.SHA512().update(readFileSync(archive)).digest("hex") === sha512(integrity);
		} catch {
			return false;
		}
	};
	if (!fits()) {
		const staging = `${folder}.${process.pid}`;
		mkdirSync(staging, { recursive: true });
		try {
			const wanted = `${target.package}@${version}`;
			const packed = Bun.spawnSync(["npm", "pack", "--silent", "--pack-destination", staging, wanted], {
				cwd: staging,
			});
			const file = packed.stdout.toString().trim().split("\n").at(-1) ?? "";
			if (!packed.success || file === "") {
				const reason = packed.stderr.toString().trim().split("\n")[0];
				return {
					ok: false,
					error: `npm could not fetch ${wanted}: ${reason || `exit code ${packed.exitCode}`}`,
				};
			}
			mkdirSync(folder, { recursive: true });
			renameSync(join(staging, file), archive);
		} finally {
			rmSync(staging, { recursive: true, force: true });
		}
		if (!fits())
			return {
				ok: false,
				error: `${target.package} ${version} is not what package-lock.json has the digest of`,
			};
	}
	const unpacked = Bun.spawnSync(["tar", "-xzf", archive, "-C", folder, "package/bin/bun"]);
	if (!unpacked.success) return { ok: false, error: `${archive}: ${unpacked.stderr.toString().trim()}` };
	return { ok: true, path: join(folder, "package/bin/bun") };
}
