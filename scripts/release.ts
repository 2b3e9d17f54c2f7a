/**
 * Makes release/VERSION/: everything that a host needs which cannot reach anything else.
 *
 *   bun scripts/release.ts [--out DIR] [--native] [--days N] [--key FILE] [--url URL]
 *
 *   --out DIR    where to, instead of release/VERSION; what was there is replaced
 *   --native     the executable for this kind of machine alone
 *   --days N     the release expires so many days after its commit (400); install.sh then asks for --allow-expired
 *   --key FILE   an Ed25519 private key in PEM, which signs SHA256SUMS
 *   --url URL    where the folder will be served; install.sh downloads from there unless told otherwise
 *
 * Exit code 0: done, perhaps without targets whose runtime could not be had, which manifest.json and
 * stderr name. 1: there is no release, or without a target whose executable is not fit to be shipped.
 * The same commit gives the same bytes. ARCHITECTURE.md has the layout.
 */

import { createPrivateKey, sign } from "node:crypto";
import {
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { gzip } from "node:zlib";
import { commit, compile, root, version } from "./compile.ts";
import { readLock, shippedPackages } from "./release-lock.ts";
import { sbom } from "./release-sbom.ts";
import { nativeTarget, runtimeOf, type Target, targets } from "./release-targets.ts";

function fail(message: string): never {
	throw new Error(message);
}

/** What became of a target. */
interface Outcome {
	readonly target: string;
	/** The compressed executable, or null when there is none. */
	readonly file: string | null;
	/** SHA-256 and size of the executable, unpacked. */
	readonly sha256?: string;
	readonly bytes?: number;
	/** "executed": it said its version here. Nobody has run the others. */
	readonly status: "executed" | "built, not executed" | "runtime not available" | "refused";
	readonly reason?: string;
}

const { values } = parseArgs({
	options: {
		out: { type: "string", default: join("release", version) },
		native: { type: "boolean", default: false },
		days: { type: "string", default: "400" },
		key: { type: "string" },
		url: { type: "string" },
	},
});
const out = resolve(root, values.out);
const lock = await readLock(root);
const native = nativeTarget();
if (values.native && native === undefined)
	fail(`there is no target for ${process.platform} on ${process.arch}`);
const days = Number(values.days);
if (!Number.isInteger(days) || days < 1 || days > 36_500) fail(`--days ${values.days}: write 1 to 36500`);
const { url } = values;
// It goes into a shell script between single quotes.
if (url !== undefined && !/^https?:\/\/[A-Za-z0-9._~:/@%+[\]-]+$/u.test(url))
	fail(`--url ${url}: write http://HOST/PATH`);

/** The key that signs, read before the long work. */
function signingKey(file: string) {
	try {
		const key = createPrivateKey(readFileSync(file));
		return key.asymmetricKeyType === "ed25519" ? key : fail(`--key ${file}: not an Ed25519 key`);
	} catch (error) {
		return fail(`--key ${file}: ${error instanceof Error ? error.message : error}`);
	}
}
const key = values.key === undefined ? null : signingKey(values.key);

const work = `${out}.${process.pid}`;
const folder = join(work, "release");
mkdirSync(folder, { recursive: true });

/** Compresses an executable to `file`; without a name or a time in it, so that the same bytes give the same bytes. */
async function compress(bytes: Buffer, file: string): Promise<void> {
	const packed = await promisify(gzip)(bytes, { level: 9 });
	// The byte that names the operating system differs between versions of zlib: RFC 1952, 2.3.1.
	packed[9] = 255;
	writeFileSync(file, packed);
}

/** Builds one target. Compression goes on in the background, as it takes longest. */
async function make(target: Target, running: Promise<void>[]): Promise<Outcome> {
	const isNative = target.name === native?.name;
	const runtime = isNative ? null : runtimeOf(target, lock, join(root, "node_modules/.cache/runtimes"));
	if (runtime !== null && !runtime.ok) {
		return { target: target.name, file: null, status: "runtime not available", reason: runtime.error };
	}
	const path = join(work, target.name, "portward");
	const problem = await compile(
		path,
		runtime === null ? undefined : { target: target.bun, runtime: runtime.path },
	);
	if (problem !== null) return { target: target.name, file: null, status: "refused", reason: problem };
	if (isNative) {
		const said = Bun.spawnSync([path, "version"], { cwd: "/" }).stdout.toString();
		if (!said.startsWith(`portward ${version} `)) {
			return {
				target: target.name,
				file: null,
				status: "refused",
				reason: `it says ${JSON.stringify(said)}`,
			};
		}
	}
	const bytes = readFileSync(path);
	rmSync(dirname(path), { recursive: true });
	const file = `portward-${target.name}.gz`;
	running.push(compress(bytes, join(folder, file)));
	return {
		target: target.name,
		file,
		sha256: new Bun.SHA256().update(bytes).digest("hex"),
		bytes: bytes.length,
		status: isNative ? "executed" : "built, not executed",
	};
}

function copy(from: string, to: string): void {
	mkdirSync(dirname(join(folder, to)), { recursive: true });
	cpSync(join(root, from), join(folder, to), { recursive: true });
}

/** install.sh as the release carries it. */
function installer(): string {
	const text = readFileSync(join(root, "install.sh"), "utf8");
	if (url === undefined) return text;
	const stamped = text.replace(/^stamped_url=''$/mu, () => `stamped_url='${url.replace(/\/+$/u, "")}'`);
	return stamped === text ? fail("install.sh has no line stamped_url=''") : stamped;
}

function copyFiles(): void {
	for (const unit of ["portward.service", "portward-restore.service", "nftables.service.d/portward.conf"]) {
		copy(`packaging/systemd/${unit}`, `systemd/${unit}`);
	}
	if (existsSync(join(root, "packaging/portward.8"))) copy("packaging/portward.8", "portward.8");
	copy("packaging/config.yaml", "config.yaml");
	copy("policies", "policies");
	copy("LICENSE", "licenses/portward.txt");
	copy("packaging/licenses/bun.md", "licenses/bun.md");
	for (const name of shippedPackages(lock)) {
		const from = join("node_modules", name);
		const license = readdirSync(join(root, from)).find((file) => /^licen[cs]e(\.|$)/iu.test(file));
		if (license === undefined) fail(`${name} has no licence file`);
		copy(join(from, license), `licenses/${name.replaceAll("/", "-")}.txt`);
	}
	writeFileSync(join(folder, "install.sh"), installer());
}

/** Files of the folder, relative to it, sorted by their bytes. */
function files(): string[] {
	return [...new Bun.Glob("**/*").scanSync({ cwd: folder, dot: true })].sort();
}

try {
	const compressing: Promise<void>[] = [];
	const outcomes: Outcome[] = [];
	for (const target of targets) {
		if (values.native && target !== native) continue;
		outcomes.push(await make(target, compressing));
		// Two at a time: each holds an executable in memory.
		if (compressing.length > 1) await compressing.shift();
	}
	copyFiles();
	await Promise.all(compressing);

	const built = targets.filter(({ name }) =>
		outcomes.some((each) => each.target === name && each.file !== null),
	);
	if (built.length === 0) fail(outcomes.map(({ target, reason }) => `${target}: ${reason}`).join("\n"));
	const dated = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: root, stderr: "ignore" });
	const date = dated.success ? new Date(1000 * Number(dated.stdout.toString())).toISOString() : null;
	const release = { version, commit: commit(), date, targets: built };
	const json = (name: string, value: object) =>
		writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
	json("sbom.cdx.json", sbom(lock, release));
	const { commit: builtCommit } = release;
	if (builtCommit.endsWith("-modified")) console.error("release: note: the sources differ from the commit");
	json("manifest.json", {
		name: "portward",
		version,
		commit: builtCommit,
		// Who serves an old release for ever keeps its faults in use. Without a commit, from today on.
		expires: new Date((date === null ? Date.now() : Date.parse(date)) + days * 86_400_000)
			.toISOString()
			.slice(0, 10),
		bun: Bun.version,
		targets: outcomes,
	});

	const sums = files().map((file) => {
		const digest = new Bun.SHA256().update(readFileSync(join(folder, file))).digest("hex");
		return `${digest}  ${file}\n`;
	});
	const text = Buffer.from(sums.join(""));
	writeFileSync(join(folder, "SHA256SUMS"), text);
	if (key !== null) writeFileSync(join(folder, "SHA256SUMS.sig"), sign(null, text, key));

	for (const file of files()) chmodSync(join(folder, file), 0o644);
	rmSync(out, { recursive: true, force: true });
	mkdirSync(dirname(out), { recursive: true });
	renameSync(folder, out);
	for (const { target, status, reason, file } of outcomes) {
		const size = file === null ? "" : ` ${(statSync(join(out, file)).size / 1e6).toFixed(1)} MB`;
		console.log(`${target}: ${status}${size}${reason === undefined ? "" : `: ${reason}`}`);
	}
	console.log(
		`${basename(dirname(out))}/${basename(out)}: portward ${version}, ${key === null ? "not signed" : "signed"}`,
	);
	if (outcomes.some(({ status }) => status === "refused")) process.exitCode = 1;
} finally {
	rmSync(work, { recursive: true, force: true });
}
