/**
 * What `npm run release` has made, as Debian's and RPM's checkers see it, with the executable of arm64 run under
 * emulation, and the SELinux module compiled.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { version } from "../../scripts/compile.ts";
import { askedWith, emulator } from "../../scripts/release/emulate.ts";
import { packageVersion } from "../../scripts/release/entry.ts";
import { nativeTarget } from "../../scripts/release-targets.ts";
import { type Manifest, madeRelease, release, root } from "./support/release.ts";

setDefaultTimeout(600_000);

const named = packageVersion(version);

let directory: string;
let manifest: Manifest;

async function run(argv: string[], cwd = release) {
	const child = Bun.spawn(argv, {
		cwd,
		stdout: "pipe",
		stderr: "pipe",
		env: { ...process.env, LC_ALL: "C.UTF-8" },
	});
	const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	return { code: await child.exited, out, error };
}

const debs = () => readdirSync(join(release, "apt/pool")).sort();
const rpms = () =>
	readdirSync(join(release, "rpm"))
		.filter((name) => name.endsWith(".rpm"))
		.sort();

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "portward-packages-"));
	manifest = await madeRelease();
});
afterAll(() => rmSync(directory, { recursive: true }));

const status = (target: string) => manifest.targets.find((each) => each.target === target)?.status;

test("both kinds of machine have packages, unless there was no runtime to build for", () => {
	const built = (target: string) => status(target)?.includes("execut") === true;
	const x64 = built("linux-x64-glibc");
	const arm64 = built("linux-arm64-glibc");
	expect(x64 || arm64).toBe(true);
	expect(debs()).toEqual([
		...(x64 ? [`portward_${named}_amd64.deb`] : []),
		...(arm64 ? [`portward_${named}_arm64.deb`] : []),
	]);
	expect(rpms()).toEqual([
		...(arm64 ? [`portward-${named}.aarch64.rpm`] : []),
		...(x64 ? [`portward-${named}.x86_64.rpm`] : []),
	]);
});

test("lintian finds nothing in the .deb that has no reason, and no reason that is not needed", async () => {
	const files = debs().map((name) => `apt/pool/${name}`);
	const { code, out } = await run(["lintian", "--display-info", "--fail-on", "error,warning", ...files]);
	const faults = out.split("\n").filter((line) => !/^(I: .*)?$/u.test(line) || line.includes("override"));
	expect([code, faults]).toEqual([0, []]);
});

test("rpmlint finds nothing in the .rpm that has no reason", async () => {
	const files = rpms().map((name) => `rpm/${name}`);
	const { code, out } = await run(["rpmlint", "-c", join(root, "packaging/rpm/rpmlint.toml"), ...files]);
	expect([code, out]).toEqual([0, expect.stringContaining("0 errors, 0 warnings")]);
});

test("each package says itself which kind of machine it is for", async () => {
	for (const name of rpms()) {
		const { out } = await run(["rpm", "-qp", "--qf", "%{ARCH}", `rpm/${name}`]);
		expect(name).toEndWith(`.${out}.rpm`);
	}
	for (const name of debs()) {
		const { out } = await run(["dpkg-deb", "--field", `apt/pool/${name}`, "Architecture"]);
		expect(name).toEndWith(`_${out.trim()}.deb`);
	}
});

test.each(["dash", "bash"])("the scripts are clean under shellcheck for %s", async (dialect) => {
	const scripts = [
		...["preinst", "postinst", "prerm", "postrm"].map((name) => `packaging/deb/${name}`),
		...["pre", "post", "preun", "postun"].map((name) => `packaging/rpm/${name}`),
		"packaging/package.sh",
	];
	for (const script of scripts) {
		expect([script, await run(["shellcheck", "-x", "-s", dialect, script], root)]).toEqual([
			script,
			{ code: 0, out: "", error: "" },
		]);
	}
});

test("the SELinux module compiles", async () => {
	const copy = join(directory, "selinux");
	cpSync(join(release, "selinux"), copy, { recursive: true });
	const made = await run(["make", "-f", "/usr/share/selinux/devel/Makefile", "portward.pp"], copy);
	expect([made.code, made.error]).toEqual([0, ""]);
	expect(statSync(join(copy, "portward.pp")).size).toBeGreaterThan(10_000);
});

describe("the executable of arm64", () => {
	const words = emulator("linux-arm64-glibc");
	const here = nativeTarget()?.name;

	test.skipIf(here !== "linux-x64-glibc" || words === null)(
		"runs under emulation and renders as this machine's does",
		async () => {
			expect(status("linux-arm64-glibc")).toBe("executed under emulation");
			const executable = (target: string) => {
				const path = join(directory, target);
				writeFileSync(path, gunzipSync(readFileSync(join(release, `portward-${target}.gz`))), {
					mode: 0o755,
				});
				return path;
			};
			const settings = join(directory, "config.yaml");
			writeFileSync(settings, askedWith);
			const render = ["render", "--config", settings, "--policy-dir", join(release, "policies/as-meant")];
			const [native, emulated] = await Promise.all([
				run([executable("linux-x64-glibc"), ...render], "/"),
				run([...(words ?? []), executable("linux-arm64-glibc"), ...render], "/"),
			]);
			expect(emulated).toEqual(native);
			// A rule of each policy, and not an empty table.
			expect([...new Set(native.out.match(/pw:[^" ]+/gu))].length).toBeGreaterThan(3);
		},
	);
});

test("what nobody executed says so", () => {
	for (const target of ["linux-x64-musl", "linux-arm64-musl"]) {
		if (target !== nativeTarget()?.name)
			expect(status(target)).toMatch(/^(built, not executed|runtime not available)$/u);
	}
});
