/** The real release, signed, for tests that install it on a host that is a directory. */

import { afterAll, beforeAll, expect } from "bun:test";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executable } from "../system/support/built.ts";
import { checkout, type Options, type Sandbox } from "./sandbox.ts";
import { sharedRelease } from "./shared-release.ts";

export const script = join(checkout, "install.sh");
export const text = readFileSync(script, "utf8");
export const example = join(checkout, "policies/as-meant/2-block-external-dns.yaml");
export const shells = ["dash", "busybox ash"];

/** Shell text: the daemon of the sandbox starts, loads its rules, and ends. */
export function makeRules(sandbox: Sandbox): string {
	const { root } = sandbox;
	return `
		${root}/usr/local/bin/portward run --config ${root}/etc/portward/config.yaml --state-dir ${root}/var/lib/portward \\
			--policy-dir ${root}/etc/portward/policies --status-address unix:${sandbox.directory}/status.sock >/dev/null 2>&1 &
		daemon=$!
		tries=0
		until nft list table inet kubearmor >/dev/null 2>&1 || [ $tries = 200 ]; do sleep 0.1; tries=$((tries + 1)); done
		kill $daemon
		wait $daemon 2>/dev/null || true`;
}

export const units = ["portward.service", "portward-restore.service", "nftables.service.d/portward.conf"];
export const starts = [
	"systemctl daemon-reload",
	"systemctl enable --quiet portward.service portward-restore.service",
	"systemctl restart portward.service",
];

/** Gives a release to the tests of the calling file, and takes away after them what is theirs alone. */
export function signedRelease() {
	/** The signed release, which all files share. */
	let real: string;
	/** Temporary: the same with a short script in the executable's place, which starts the one that is built. */
	let directory: string;
	let release: string;
	let publicKey: string;

	const archive = () => readdirSync(real).find((name) => name.endsWith(".gz")) ?? "";

	beforeAll(() => {
		directory = mkdtempSync(join(tmpdir(), "portward-release-"));
		const shared = sharedRelease();
		({ real, publicKey } = shared);
		release = join(directory, "release");
		cpSync(real, release, { recursive: true, filter: (path) => !path.endsWith(".gz") });
		const starter = Bun.gzipSync(Buffer.from(`#!/bin/sh\nexec ${executable()} "$@"\n`));
		writeFileSync(join(release, archive()), starter);
		const sums = join(release, "SHA256SUMS");
		const digest = new Bun.SHA256().update(starter).digest("hex");
		const text = readFileSync(sums, "utf8").replace(/^[0-9a-f]{64}(?= {2}\S+\.gz$)/mu, digest);
		writeFileSync(sums, text);
		const argv = ["-sign", "-inkey", shared.key, "-rawin", "-in", sums, "-out", `${sums}.sig`];
		expect(Bun.spawnSync(["openssl", "pkeyutl", ...argv]).exitCode).toBe(0);
		// As long as somebody else may take to make it on a busy machine.
	}, 300_000);
	afterAll(() => rmSync(directory, { recursive: true }));

	/** A copy of the release that a test may change. */
	function altered(name: string): string {
		const copy = join(directory, name);
		cpSync(release, copy, { recursive: true });
		return copy;
	}

	/** Directories with every command of this machine but those named. */
	function pathWithout(...names: string[]): string {
		const bin = join(directory, `without-${names.join("-")}`);
		if (existsSync(bin)) return bin;
		mkdirSync(bin);
		for (const folder of ["/usr/local/sbin", "/usr/sbin", "/usr/bin"]) {
			for (const name of readdirSync(folder)) {
				if (names.includes(name)) continue;
				try {
					symlinkSync(join(folder, name), join(bin, name));
				} catch (error) {
					if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
				}
			}
		}
		return bin;
	}

	const install = (sandbox: Sandbox, argv: readonly string[] = [], options: Options = {}) =>
		sandbox.run(script, ["--from", release, ...argv], options);

	return {
		get directory() {
			return directory;
		},
		get real() {
			return real;
		},
		get release() {
			return release;
		},
		get publicKey() {
			return publicKey;
		},
		archive,
		altered,
		pathWithout,
		install,
	};
}
