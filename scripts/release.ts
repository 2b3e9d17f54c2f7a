/**
 * Makes release/VERSION/: everything that a host needs which cannot reach anything else.
 *
 *   bun scripts/release.ts [--out DIR] [--native] [--unpackaged] [--days N] [--key FILE] [--url URL]
 *
 *   --out DIR    where to, instead of release/VERSION; what was there is replaced
 *   --native     the executable for this kind of machine alone
 *   --unpackaged no .deb and no .rpm
 *   --days N     the release expires so many days after its commit (400); install.sh then asks for --allow-expired
 *   --key FILE   an Ed25519 private key in PEM, which signs SHA256SUMS, the repository for apt and the .rpm
 *   --url URL    where the folder will be served; install.sh downloads from there unless told otherwise
 *
 * Exit code 0: done, perhaps without targets whose runtime could not be had, which manifest.json and
 * stderr name. 1: there is no release, or without a target whose executable is not fit to be shipped.
 * The same commit gives the same bytes. ARCHITECTURE.md has the layout.
 */

import { createPrivateKey, type KeyObject, sign } from "node:crypto";
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
import { parseArgs } from "node:util";
import { commit, compile, git, root, version } from "./compile.ts";
import { type Answers, ask, askedWith, difference, emulator, notOurs } from "./release/emulate.ts";
import { compress } from "./release/gzip.ts";
import { keyDate, pgpKey } from "./release/openpgp.ts";
import { Packages } from "./release/packages.ts";
import { locked, readLock, shippedPackages } from "./release-lock.ts";
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
	/**
	 * "executed": it said its version here. "executed under emulation": it answered as this machine's does, with
	 * QEMU's processor. Nobody has run the others.
	 */
	readonly status:
		| "executed"
		| "executed under emulation"
		| "built, not executed"
		| "runtime not available"
		| "refused";
	readonly reason?: string;
}

const { values } = parseArgs({
	options: {
		out: { type: "string", default: join("release", version) },
		native: { type: "boolean", default: false },
		unpackaged: { type: "boolean", default: false },
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
function signingKey(file: string): KeyObject {
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

const dated = git("log", "-1", "--format=%ct");
/** When the commit was made, in seconds since 1970, or null outside a checkout. */
const committed = dated === null ? null : Number(dated);

/** Licences of what is inside: the file's name in the release and the path in the checkout. */
function licences(): Map<string, string> {
	const found = new Map([
		["portward.txt", "LICENSE"],
		["bun.md", "packaging/licenses/bun.md"],
	]);
	for (const name of shippedPackages(lock)) {
		const from = join("node_modules", name);
		const license = readdirSync(join(root, from)).find((file) => /^licen[cs]e(?:-\w+)?(?:\.|$)/iu.test(file));
		if (license === undefined) fail(`${name} has no licence file`);
		found.set(`${name.replaceAll("/", "-")}.txt`, join(from, license));
	}
	return found;
}

/** SPDX expression of all that is in an executable: the product, the runtime, libraries. */
const license = [
	...new Set(["Apache-2.0", "MIT", ...shippedPackages(lock).map((name) => locked(lock, name).license)]),
]
	.sort()
	.join(" AND ");

// Times in packages are the commit's; outside a checkout they are all the same.
const packages = new Packages(
	folder,
	{ root, version, date: Math.max(committed ?? keyDate, keyDate), licences: licences(), license },
	key === null ? null : pgpKey(key),
);

/** Compresses an executable into the folder, and puts it into packages. */
async function pack(target: string, bytes: Buffer, file: string): Promise<void> {
	const packed = await compress(bytes);
	writeFileSync(join(folder, file), packed);
	if (!values.unpackaged) await packages.add(target, { bytes, packed });
}

/** What this machine's own executable answers, once it is built. */
let answers: Answers | null = null;

/** Runs an executable where that can be done here. */
function execute({ name }: Target, path: string): { status: Outcome["status"]; reason: string } {
	const words = name === native?.name ? [] : emulator(name);
	if (words === null) return { status: "built, not executed", reason: "" };
	const settings = join(work, "config.yaml");
	writeFileSync(settings, askedWith);
	const said = ask([...words, path], name.split("-")[1] ?? "", settings);
	const problem = notOurs(said) ?? (answers === null ? null : difference(answers, said));
	if (problem !== null) return { status: "refused", reason: problem };
	if (words.length > 0) return { status: "executed under emulation", reason: "" };
	answers = said;
	return { status: "executed", reason: "" };
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
	const { status, reason } = execute(target, path);
	if (status === "refused") return { target: target.name, file: null, status, reason };
	const bytes = readFileSync(path);
	rmSync(dirname(path), { recursive: true });
	const file = `portward-${target.name}.gz`;
	running.push(pack(target.name, bytes, file));
	return {
		target: target.name,
		file,
		sha256: new Bun.SHA256().update(bytes).digest("hex"),
		bytes: bytes.length,
		status,
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
	copy("packaging/selinux", "selinux");
	for (const [name, from] of licences()) copy(from, `licenses/${name}`);
	writeFileSync(join(folder, "install.sh"), installer());
}

/** The executables as fapolicyd's trust database has files: path, size, SHA-256; by install.sh and by a package. */
function trust({ target, bytes, sha256 }: Outcome): void {
	const lines = ["/usr/local/bin", "/usr/bin"].map((at) => `${at}/portward ${bytes} ${sha256}\n`);
	mkdirSync(join(folder, "fapolicyd"), { recursive: true });
	writeFileSync(join(folder, `fapolicyd/portward-${target}.trust`), lines.join(""));
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
	for (const outcome of outcomes) if (outcome.file !== null) trust(outcome);
	await Promise.all(compressing);

	const built = targets.filter(({ name }) =>
		outcomes.some((each) => each.target === name && each.file !== null),
	);
	if (built.length === 0) fail(outcomes.map(({ target, reason }) => `${target}: ${reason}`).join("\n"));
	const date = committed === null ? null : new Date(1000 * committed).toISOString();
	const release = { version, commit: commit(), date, targets: built };
	const json = (name: string, value: object) =>
		writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
	json("sbom.cdx.json", sbom(lock, release));
	const { commit: builtCommit } = release;
	if (builtCommit.endsWith("-modified")) console.error("release: note: the sources differ from the commit");
	// Who serves an old release for ever keeps its faults in use. Without a commit, from today on.
	const expires = new Date((committed === null ? Date.now() : 1000 * committed) + days * 86_400_000)
		.toISOString()
		.slice(0, 10);
	await packages.finish(expires);
	json("manifest.json", {
		name: "portward",
		version,
		commit: builtCommit,
		expires,
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
