/** Releases as `npm run release` makes them, for this kind of machine alone and signed, built when stale. */

import { generateKeyPairSync } from "node:crypto";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../../..");
const cache = join(root, "node_modules/.cache/appliance");

/** What a release is made of. */
const parts = [
	"src",
	"ffi",
	"scripts",
	"packaging",
	"policies",
	"install.sh",
	"build.ts",
	"tsconfig.json",
	"LICENSE",
	"CHANGELOG.md",
	"package.json",
	"package-lock.json",
];

/** When one of them was changed last, in milliseconds since 1970. */
export function newestSource(): number {
	const files = parts.flatMap((part) =>
		statSync(join(root, part)).isDirectory()
			? [...new Bun.Glob(`${part}/**/*`).scanSync({ cwd: root, dot: true })]
			: [part],
	);
	return Math.max(...files.map((file) => statSync(join(root, file)).mtimeMs));
}

function sign(): { key: string; publicKey: string } {
	const key = join(cache, "key.pem");
	const publicKey = join(cache, "public.pem");
	if (!existsSync(publicKey)) {
		const pair = generateKeyPairSync("ed25519");
		writeFileSync(key, pair.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
		writeFileSync(publicKey, pair.publicKey.export({ type: "spki", format: "pem" }));
	}
	return { key, publicKey };
}

/** `flags` as `npm run release` takes them. */
async function make(tree: string, out: string, key: string, flags: readonly string[] = []): Promise<void> {
	const argv = [process.execPath, "scripts/release.ts", "--native", "--key", key, "--out", out, ...flags];
	const child = Bun.spawn(argv, {
		cwd: tree,
		stdout: "pipe",
		stderr: "pipe",
	});
	const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	if ((await child.exited) !== 0) throw new Error(`the release failed:\n${stdout}${stderr}`);
}

/** The same sources under another version. */
async function makeLater(version: string, out: string, key: string): Promise<void> {
	const tree = mkdtempSync(join(cache, "tree-"));
	try {
		for (const part of parts) cpSync(join(root, part), join(tree, part), { recursive: true });
		symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
		const text = readFileSync(join(tree, "package.json"), "utf8");
		writeFileSync(join(tree, "package.json"), text.replace(/"version": "[^"]*"/, `"version": "${version}"`));
		await make(tree, out, key);
	} finally {
		rmSync(tree, { recursive: true });
	}
}

/** The version that the later release has. */
export const laterVersion = "99.0.0";

export interface Releases {
	/** Folder of the release of these sources, which says that http://MIRROR serves it. */
	readonly release: string;
	/** Folder of one whose version is `laterVersion`. */
	readonly later: string;
	/** The key that verifies both, in PEM. */
	readonly publicKey: string;
}

/** Holds the lock of a file until it is disposed of, or until this process ends, however it ends. */
async function locked(file: string): Promise<AsyncDisposable> {
	const child = Bun.spawn(["flock", file, "sh", "-c", "echo; exec cat"], { stdin: "pipe", stdout: "pipe" });
	await child.stdout.getReader().read();
	return {
		[Symbol.asyncDispose]: async () => {
			child.stdin.end();
			await child.exited;
		},
	};
}

/** Both releases as the sources are now. */
export async function releases(): Promise<Releases> {
	mkdirSync(cache, { recursive: true });
	// Files of guests that run side by side want the same ones.
	await using _lock = await locked(join(cache, "lock"));
	const { key, publicKey } = sign();
	const release = join(cache, "release");
	const later = join(cache, "later");
	const stale = (folder: string) => {
		const sums = join(folder, "SHA256SUMS.sig");
		return !existsSync(sums) || statSync(sums).mtimeMs < newestSource();
	};
	// One core each.
	await Promise.all([
		stale(release) ? make(root, release, key, ["--url", "http://MIRROR"]) : undefined,
		stale(later) ? makeLater(laterVersion, later, key) : undefined,
	]);
	return { release, later, publicKey };
}
