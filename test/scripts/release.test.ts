/** The release of this machine's target: what is in it, and that it is the same wherever it is made. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { version } from "../../scripts/compile.ts";
import { packageVersion } from "../../scripts/release/entry.ts";
import { architectures } from "../../scripts/release/packages.ts";
import { readLock, sha512, shippedPackages } from "../../scripts/release-lock.ts";
import { nativeTarget, targets } from "../../scripts/release-targets.ts";
import { copySources } from "../support/checkout.ts";
import { packageOf } from "../support/source.ts";

const root = resolve(import.meta.dir, "../..");
const lock = await readLock(root);
const url = "http://mirror.example:8080/portward";

let directory: string;
/** Two releases of the same sources, made in different folders. */
let releases: string[];
let publicKey: string;
const { privateKey, publicKey: verifying } = generateKeyPairSync("ed25519");

function run(argv: string[], cwd: string, env: Record<string, string> = {}) {
	const { exitCode, stdout, stderr } = Bun.spawnSync(argv, {
		cwd,
		env: { PATH: process.env.PATH ?? "", ...env },
	});
	return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
}

const filesOf = (folder: string) =>
	readdirSync(folder, { recursive: true, encoding: "utf8" })
		.filter((path) => statSync(join(folder, path)).isFile())
		.sort();

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "portward-releases-"));
	const key = join(directory, "key.pem");
	publicKey = join(directory, "public.pem");
	writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
	writeFileSync(publicKey, verifying.export({ type: "spki", format: "pem" }));
	// Neither their names nor their depths are alike, and neither is the time.
	const folders = [join(directory, "a"), join(directory, "elsewhere/and/deeper")];
	releases = folders.map((folder) => join(folder, "made"));
	const made = folders.map((folder) => {
		copySources(folder, lock);
		const argv = [
			process.execPath,
			"scripts/release.ts",
			"--native",
			"--out",
			"made",
			"--key",
			key,
			"--url",
			`${url}/`,
		];
		return Bun.spawn(argv, { cwd: folder, stdout: "pipe", stderr: "pipe" });
	});
	for (const process of made) {
		expect(await process.stderr.text()).toBe("");
		expect(await process.exited).toBe(0);
	}
});
afterAll(() => rmSync(directory, { recursive: true }));

const release = () => releases[0] ?? "";
const read = (path: string) => readFileSync(join(release(), path), "utf8");
const archive = `portward-${nativeTarget()?.name}.gz`;

test("the same sources give the same bytes, in another folder and at another time", () => {
	const [first = "", second = ""] = releases;
	expect(filesOf(first)).toEqual(filesOf(second));
	for (const path of filesOf(first)) {
		expect([path, readFileSync(join(first, path)).equals(readFileSync(join(second, path)))]).toEqual([
			path,
			true,
		]);
	}
});

test("everything that a host needs is there, and nothing that is not meant to be", () => {
	const { deb = "", rpm = "" } = architectures[nativeTarget()?.name ?? ""] ?? {};
	const named = packageVersion(version);
	const expected = [
		archive,
		"apt/dists/stable/InRelease",
		"apt/dists/stable/Release",
		"apt/dists/stable/Release.gpg",
		`apt/dists/stable/main/binary-${deb}/Packages`,
		`apt/dists/stable/main/binary-${deb}/Packages.gz`,
		`apt/pool/portward_${named}_${deb}.deb`,
		"apt/portward.asc",
		`rpm/portward-${named}.${rpm}.rpm`,
		"rpm/portward.asc",
		"SHA256SUMS",
		"SHA256SUMS.sig",
		"config.yaml",
		`fapolicyd/portward-${nativeTarget()?.name}.trust`,
		"install.sh",
		"licenses/bun.md",
		"licenses/portward.txt",
		...shippedPackages(lock).map((name) => `licenses/${name.replaceAll("/", "-")}.txt`),
		"manifest.json",
		"sbom.cdx.json",
		"selinux/portward.fc",
		"selinux/portward.if",
		"selinux/portward.te",
		"systemd/nftables.service.d/portward.conf",
		"systemd/portward-restore.service",
		"systemd/portward.service",
		...(existsSync(join(root, "packaging/portward.8")) ? ["portward.8"] : []),
		...filesOf(join(root, "policies")).map((path) => `policies/${path}`),
	];
	expect(filesOf(release())).toEqual(expected.sort());
	const readable = filesOf(release()).map((path) => statSync(join(release(), path)).mode & 0o777);
	expect(new Set(readable)).toEqual(new Set([0o644]));
});

test("the executable is packed whole, and says what the manifest says of it", () => {
	const unpacked = join(directory, "portward");
	const { stdout } = Bun.spawnSync(["gzip", "-dc", join(release(), archive)]);
	writeFileSync(unpacked, stdout, { mode: 0o755 });
	const manifest = JSON.parse(read("manifest.json"));
	expect(run([unpacked, "version"], "/").out).toStartWith(
		`portward ${manifest.version} (${manifest.commit}) `,
	);
	expect(manifest.targets).toEqual([
		{
			target: nativeTarget()?.name,
			file: archive,
			sha256: new Bun.SHA256().update(stdout).digest("hex"),
			bytes: stdout.length,
			status: "executed",
		},
	]);
	const { sha256, bytes } = manifest.targets[0];
	expect(read(`fapolicyd/portward-${nativeTarget()?.name}.trust`)).toBe(
		`/usr/local/bin/portward ${bytes} ${sha256}\n/usr/bin/portward ${bytes} ${sha256}\n`,
	);
});

test("the packages hold the same executable, compressed as it is beside them", () => {
	const packed = readFileSync(join(release(), archive));
	const packages = filesOf(release()).filter((path) => /\.(deb|rpm)$/u.test(path));
	expect(packages.length).toBe(2);
	for (const path of packages) {
		expect([path, readFileSync(join(release(), path)).includes(packed)]).toEqual([path, true]);
	}
});

test("the sums cover every other file, and the signature the sums", () => {
	const checked = run(["sha256sum", "--check", "--strict", "SHA256SUMS"], release());
	expect([checked.code, checked.error]).toEqual([0, ""]);
	const covered = checked.out
		.trim()
		.split("\n")
		.map((line) => line.replace(/: OK$/u, ""));
	expect(covered.sort()).toEqual(filesOf(release()).filter((path) => !path.startsWith("SHA256SUMS")));
	const verify = (file: string) =>
		run(
			[
				"openssl",
				"pkeyutl",
				"-verify",
				"-pubin",
				"-inkey",
				publicKey,
				"-rawin",
				"-in",
				file,
				"-sigfile",
				"SHA256SUMS.sig",
			],
			release(),
		).code;
	expect(verify("SHA256SUMS")).toBe(0);
	expect(verify("manifest.json")).not.toBe(0);
});

test("install.sh knows where it will be served, and is else as it was", () => {
	const original = readFileSync(join(root, "install.sh"), "utf8");
	expect(read("install.sh")).toBe(original.replace("\nstamped_url=''\n", `\nstamped_url='${url}'\n`));
	expect(read("install.sh")).not.toBe(original);
});

describe("the bill of materials", () => {
	interface Component {
		"bom-ref": string;
		name: string;
		version: string;
		purl: string;
		hashes: { alg: string; content: string }[];
		licenses: { license: { id: string } }[];
	}
	const bom = () => JSON.parse(read("sbom.cdx.json"));

	test("names what package-lock.json has of it, and the runtime", () => {
		const components: Component[] = bom().components;
		const names = [...shippedPackages(lock), nativeTarget()?.package ?? ""];
		expect(components.map(({ name }) => name)).toEqual(names);
		for (const { name, version, purl, hashes, licenses } of components) {
			const entry = lock[`node_modules/${name}`];
			expect([version, purl]).toEqual([
				entry?.version ?? "",
				`pkg:npm/${name.replace("@", "%40")}@${version}`,
			]);
			expect(hashes).toEqual([{ alg: "SHA-512", content: sha512(entry?.integrity ?? "") }]);
			expect(licenses[0]?.license.id).toMatch(/^(Apache-2\.0|BSD-3-Clause|ISC|MIT)$/u);
		}
	});

	test("names each package that the executable imports", () => {
		const imported = new Set<string>();
		for (const path of new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })) {
			for (const [, name = ""] of readFileSync(join(root, path), "utf8").matchAll(
				/ from "([^".][^"]*)";/gu,
			)) {
				if (!/^(node:|bun(:|$))/u.test(name)) imported.add(packageOf(name));
			}
		}
		expect([...imported].sort()).toEqual(Object.keys(lock[""]?.dependencies ?? {}).sort());
	});

	test("is CycloneDX 1.5 whose references lead somewhere", () => {
		const { bomFormat, specVersion, serialNumber, version, metadata, components, dependencies } = bom();
		expect([bomFormat, specVersion, version]).toEqual(["CycloneDX", "1.5", 1]);
		expect(serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u);
		const references = [
			metadata.component["bom-ref"],
			...components.map((each: Component) => each["bom-ref"]),
		];
		expect(new Set(references).size).toBe(references.length);
		expect(dependencies.map(({ ref }: { ref: string }) => ref)).toEqual(references);
		expect(dependencies[0].dependsOn).toEqual(references.slice(1));
	});
});

describe("wrong options are refused before anything is made", () => {
	test.each([
		["a URL that a shell would read", ["--url", "http://x/'; touch pwned; '"], "--url"],
		["a key that is none", ["--key", "package.json"], "--key"],
		["a key that is missing", ["--key", "none.pem"], "--key"],
	])("%s", (_, options, message) => {
		const out = join(directory, "refused");
		const result = run([process.execPath, "scripts/release.ts", "--native", "--out", out, ...options], root);
		expect(result.code).toBe(1);
		expect(result.error).toContain(message);
		expect(existsSync(out)).toBe(false);
	});

	test("a key of another kind", () => {
		const key = join(directory, "rsa.pem");
		writeFileSync(
			key,
			generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }),
		);
		const result = run(
			[process.execPath, "scripts/release.ts", "--native", "--out", join(directory, "refused"), "--key", key],
			root,
		);
		expect(result.error).toContain("not an Ed25519 key");
	});
});

/** npm is a stub here, so that nothing depends on a registry: it gives a package that the test made, or nothing. */
describe("the runtime of another target (stubbed npm)", () => {
	const foreign = targets.find((target) => target !== nativeTarget()) ?? targets[0];

	function ask(npm: string, integrity?: string) {
		const home = mkdtempSync(join(directory, "npm-"));
		writeFileSync(join(home, "npm"), `#!/bin/sh\n${npm}\n`);
		chmodSync(join(home, "npm"), 0o755);
		mkdirSync(join(home, "package/bin"), { recursive: true });
		writeFileSync(join(home, "package/bin/bun"), "a runtime");
		run(["tar", "-czf", "made.tgz", "package"], home);
		const packed = new Bun.SHA512().update(readFileSync(join(home, "made.tgz"))).digest("base64");
		const entry = { version: "1.0.0", license: "MIT", integrity: integrity ?? `sha512-${packed}` };
		const script = `
			import { runtimeOf } from ${JSON.stringify(join(root, "scripts/release-targets.ts"))};
			const lock = ${JSON.stringify({ [`node_modules/${foreign?.package}`]: entry })};
			console.log(JSON.stringify(runtimeOf(${JSON.stringify(foreign)}, lock, ${JSON.stringify(join(home, "cache"))})));
		`;
		writeFileSync(join(home, "ask.ts"), script);
		const asked = () =>
			run([process.execPath, "ask.ts"], home, { PATH: `${home}:${process.env.PATH}`, HOME: home });
		const first = asked();
		expect(first.error).toBe("");
		return { first: JSON.parse(first.out), again: () => JSON.parse(asked().out), home };
	}
	const give =
		'while [ "$1" != --pack-destination ]; do shift; done; cp made.tgz "$2/a.tgz" 2>/dev/null || cp ../../made.tgz "$2/a.tgz"; echo a.tgz';

	test("comes from npm once, and is what package-lock.json says", () => {
		const { first, again, home } = ask(give);
		expect(first.ok).toBe(true);
		expect(readFileSync(first.path, "utf8")).toBe("a runtime");
		writeFileSync(join(home, "npm"), "#!/bin/sh\nexit 1\n");
		expect(again()).toEqual(first);
	});

	test("is refused when it is not", () => {
		const { first } = ask(give, `sha512-${Buffer.alloc(64).toString("base64")}`);
		expect(first).toEqual({ ok: false, error: expect.stringContaining("package-lock.json") });
	});

	test("is absent with npm's reason where npm cannot fetch it", () => {
		const { first } = ask("echo 'npm error network down' >&2; exit 1");
		expect(first).toEqual({ ok: false, error: expect.stringContaining("npm error network down") });
	});
});
