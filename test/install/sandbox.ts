/**
 * A host for install.sh that is a directory: real files, the real shell, gzip, sha256sum and openssl, the real
 * executable; systemctl is a stub that writes down what it is asked, and where a test says so uname and openssl
 * are others as well. It runs in namespaces of its own, so that no rule and no device of this machine is touched.
 */

import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export const checkout = resolve(import.meta.dir, "../..");

export interface Run {
	readonly code: number | null;
	readonly out: string;
	readonly error: string;
}

export interface Options {
	readonly shell?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	/** What the shell runs instead of install.sh, on its standard input. */
	readonly stdin?: string;
	/** Whether it can reach servers of this machine; then nothing in it may touch nftables. */
	readonly network?: boolean;
	/** Shell text that runs in the same namespaces before and after. */
	readonly before?: string;
	readonly after?: string;
	/** Directories with commands, instead of all that this machine has. */
	readonly path?: string;
}

/** Logs each call; a file named failing in its directory makes restart fail once. */
const systemctl = `#!/bin/sh
here=$(dirname "$0")
echo "systemctl $*" >>"$here/log"
if [ -e "$here/failing-$1" ]; then rm "$here/failing-$1"; exit 1; fi
case $1 in
restart)
	if [ -e "$here/failing" ]; then rm "$here/failing"; exit 1; fi
	touch "$here/active" ;;
enable) touch "$here/enabled" ;;
disable) rm -f "$here/active" "$here/enabled" ;;
is-active) [ -e "$here/active" ] ;;
is-enabled) [ -e "$here/enabled" ] ;;
esac
`;

export class Sandbox implements Disposable {
	readonly directory = mkdtempSync(join(tmpdir(), "portward-install-"));
	readonly root = join(this.directory, "root");
	readonly stubs = join(this.directory, "stubs");

	/** A Debian with everything that portward needs. */
	constructor() {
		this.write("etc/os-release", 'ID=debian\nVERSION_ID="12"\n');
		for (const folder of [
			"run/systemd/system",
			"sys/module/nf_tables",
			"usr/local/bin",
			"usr/local/share/man",
		]) {
			mkdirSync(join(this.root, folder), { recursive: true });
		}
		for (const folder of ["etc/systemd/system", "var/lib"])
			mkdirSync(join(this.root, folder), { recursive: true });
		for (const loader of ["lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"]) this.write(loader, "");
		for (const triplet of ["x86_64-linux-gnu", "aarch64-linux-gnu"])
			this.write(`usr/lib/${triplet}/libnftables.so.1`, "");
		this.stub("systemctl", systemctl);
	}

	write(path: string, content: string): void {
		mkdirSync(dirname(join(this.root, path)), { recursive: true });
		writeFileSync(join(this.root, path), content);
	}

	remove(path: string): void {
		rmSync(join(this.root, path), { recursive: true });
	}

	read(path: string): string {
		return readFileSync(join(this.root, path), "utf8");
	}

	has(path: string): boolean {
		return existsSync(join(this.root, path));
	}

	/** Permission bits in octal. */
	mode(path: string): string {
		return (lstatSync(join(this.root, path)).mode & 0o7777).toString(8);
	}

	/** A command that is found before this machine's. */
	stub(name: string, script: string): void {
		mkdirSync(this.stubs, { recursive: true });
		writeFileSync(join(this.stubs, name), script);
		chmodSync(join(this.stubs, name), 0o755);
	}

	/** What systemctl was asked since the last time. */
	calls(): string[] {
		const log = join(this.stubs, "log");
		if (!existsSync(log)) return [];
		const calls = readFileSync(log, "utf8").trim().split("\n");
		rmSync(log);
		return calls;
	}

	/** Every path with its kind, mode, size, inode and time of change. */
	snapshot(): string[] {
		return readdirSync(this.root, { recursive: true, encoding: "utf8" })
			.sort()
			.map((path) => {
				const { mode, size, ino, mtimeMs } = lstatSync(join(this.root, path));
				return `${path} ${mode.toString(8)} ${size} ${ino} ${mtimeMs}`;
			});
	}

	/** Every path. */
	paths(): string[] {
		return readdirSync(this.root, { recursive: true, encoding: "utf8" }).sort();
	}

	/** Runs `script`, an install.sh, on the root of this sandbox. */
	run(script: string, argv: readonly string[], options: Options = {}): Run {
		const { shell = ["dash"], env = {}, stdin, network = false, before = ":", after = ":", path } = options;
		const command = [
			...shell,
			...(stdin === undefined ? [script] : ["-s", "--"]),
			...argv,
			"--root",
			this.root,
		];
		const inside = `/usr/bin/mount -t tmpfs none /sys && { ${before}\n} && { "$@"; code=$?; ${after}\nexit $code; }`;
		const isolation = ["--mount", "--pid", "--fork", "--mount-proc", ...(network ? [] : ["--net"])];
		const { exitCode, stdout, stderr } = Bun.spawnSync(
			[
				"/usr/bin/setsid",
				"--wait",
				"/usr/bin/unshare",
				...isolation,
				"/bin/sh",
				"-c",
				inside,
				"sh",
				...command,
			],
			{
				cwd: this.directory,
				env: { PATH: `${this.stubs}:${path ?? process.env.PATH}`, TMPDIR: this.directory, ...env },
				stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
			},
		);
		return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
	}

	[Symbol.dispose](): void {
		rmSync(this.directory, { recursive: true });
	}
}

/** Makes a release of this machine's target in `out`. */
export function makeRelease(out: string, ...options: string[]): void {
	const argv = [process.execPath, "scripts/release.ts", "--native", "--unpackaged", "--out", out, ...options];
	const made = Bun.spawnSync(argv, { cwd: checkout });
	if (!made.success) throw new Error(made.stderr.toString());
}
