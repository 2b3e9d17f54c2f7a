/** Where install.sh gets a release from, and what it says to hosts that lack something or are reached by SSH. */

import { describe, expect, test } from "bun:test";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../src/config/parse.ts";
import { Sandbox } from "./sandbox.ts";

import { script, signedRelease, text } from "./signed-release.ts";

const made = signedRelease();
const { altered, pathWithout, install } = made;

describe("the release comes", () => {
	/** Serves the release, and says what was asked for. */
	function serve() {
		const asked: string[] = [];
		const server = Bun.serve({
			port: 0,
			hostname: "127.0.0.1",
			fetch: async (request) => {
				const { pathname } = new URL(request.url);
				asked.push(pathname);
				const file = Bun.file(join(made.real, pathname.replace("/mirror/", "")));
				return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
			},
		});
		return {
			url: `http://127.0.0.1:${server.port}/mirror`,
			asked,
			[Symbol.dispose]: () => void server.stop(true),
		};
	}

	/** As run(), but lets the server of this process answer meanwhile. */
	async function piped(
		sandbox: Sandbox,
		argv: string[],
		env: Record<string, string>,
		path?: string,
		stdin = text,
	) {
		const child = Bun.spawn(
			[
				"unshare",
				"--mount",
				"--pid",
				"--fork",
				"--mount-proc",
				"dash",
				"-s",
				"--",
				...argv,
				"--root",
				sandbox.root,
			],
			{
				cwd: sandbox.directory,
				env: { PATH: `${sandbox.stubs}:${path ?? process.env.PATH}`, TMPDIR: sandbox.directory, ...env },
				stdin: Buffer.from(stdin),
				stdout: "pipe",
				stderr: "pipe",
			},
		);
		const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
		return { out, error, code };
	}

	test.each(["curl", "wget"])("by HTTP with only %s, the script from a pipe", async (client) => {
		using sandbox = new Sandbox();
		using server = serve();
		const path = pathWithout(client === "curl" ? "wget" : "curl");
		const result = await piped(
			sandbox,
			["--url", `${server.url}/`, "--public-key", made.publicKey],
			{},
			path,
		);
		expect([result.code, result.error]).toEqual([0, ""]);
		const installed = Bun.spawnSync([join(sandbox.root, "usr/local/bin/portward"), "version"]);
		expect(installed.stdout.toString()).toStartWith("portward ");
		expect(sandbox.read("etc/systemd/system/portward.service")).toContain(
			"ExecStart=/usr/local/bin/portward run",
		);
		expect(server.asked).toContain("/mirror/SHA256SUMS.sig");
	});

	test("from PORTWARD_URL, and from where the release was made to be served", async () => {
		using server = serve();
		using first = new Sandbox();
		expect((await piped(first, [], { PORTWARD_URL: server.url })).error).toBe("");
		expect(first.has("usr/local/bin/portward")).toBe(true);
		using second = new Sandbox();
		const stamped = text.replace("stamped_url=''", `stamped_url='${server.url}'`);
		expect((await piped(second, [], {}, undefined, stamped)).error).toBe("");
		expect(second.has("usr/local/bin/portward")).toBe(true);
	});

	test("from where install.sh lies, but not from where somebody runs it", async () => {
		using sandbox = new Sandbox();
		const result = sandbox.run(join(made.release, "install.sh"), []);
		expect([result.code, result.error]).toEqual([0, ""]);
		using other = new Sandbox();
		cpSync(join(made.release, "SHA256SUMS"), join(other.directory, "SHA256SUMS"));
		for (const name of ["sh", "dash"]) writeFileSync(join(other.directory, name), "");
		expect((await piped(other, [], {})).code).toBe(64);
	});

	test("not without curl, wget or a directory", () => {
		using sandbox = new Sandbox();
		const result = sandbox.run(script, ["--url", "http://127.0.0.1:1"], {
			path: pathWithout("curl", "wget"),
		});
		expect(result.code).toBe(1);
		expect(result.error).toContain("--from DIR");
	});
});

/** Of these hosts only the files that say what they are, and uname, are played. */

describe("a host that lacks something is told what to install (stubbed)", () => {
	const distributions: [string, string, Record<string, string>][] = [
		[
			"Debian",
			"ID=debian",
			{ nftables: "apt-get install libnftables1", kernel: "apt-get install linux-image-" },
		],
		[
			"Ubuntu",
			"ID=ubuntu\nID_LIKE=debian",
			{ nftables: "apt-get install libnftables1", kernel: "apt-get install linux-image-" },
		],
		[
			"RHEL",
			'ID="rhel"\nID_LIKE="fedora"',
			{ nftables: "dnf install nftables", kernel: "dnf install kernel-modules-core" },
		],
		[
			"Rocky",
			'ID="rocky"\nID_LIKE="rhel centos fedora"',
			{ nftables: "dnf install nftables", kernel: "dnf install kernel-modules-core" },
		],
		["Fedora", "ID=fedora", { nftables: "dnf install nftables", kernel: "dnf install kernel-modules-core" }],
		[
			"SUSE",
			'ID="opensuse-leap"\nID_LIKE="suse opensuse"',
			{ nftables: "zypper install libnftables1", kernel: "zypper install kernel-default" },
		],
		["Alpine", "ID=alpine", { nftables: "apk add nftables", kernel: "apk add linux-lts" }],
		["another", "ID=guix", { nftables: "the package that has libnftables.so.1", kernel: "CONFIG_NF_TABLES" }],
	];
	test.each(distributions)("%s", (_, release_, { nftables = "", kernel = "" }) => {
		using sandbox = new Sandbox();
		sandbox.write("etc/os-release", `${release_}\n`);
		sandbox.remove("usr/lib");
		sandbox.remove("sys");
		const version = Bun.spawnSync(["uname", "-r"]).stdout.toString().trim();
		sandbox.write(`lib/modules/${version}/modules.builtin`, "kernel/net/ipv4/ip_tunnel.ko\n");
		const before = sandbox.snapshot();
		const result = install(sandbox, [], { path: pathWithout("nft") });
		expect(result.code).toBe(1);
		expect(result.error).toContain(nftables);
		expect(result.error).toContain(kernel);
		expect(sandbox.snapshot()).toEqual(before);
	});

	test("systemd", () => {
		using sandbox = new Sandbox();
		sandbox.remove("run/systemd");
		expect(install(sandbox).error).toContain("systemd");
	});

	test("root, for both tasks", () => {
		using sandbox = new Sandbox();
		sandbox.stub("id", "#!/bin/sh\necho 1000\n");
		const before = sandbox.snapshot();
		for (const result of [install(sandbox), sandbox.run(script, ["--uninstall"])]) {
			expect([result.code, result.error]).toEqual([1, "install.sh: run this as root\n"]);
		}
		expect(sandbox.snapshot()).toEqual(before);
	});

	test.each([
		["x86_64", false, "linux-x64-glibc"],
		["x86_64", true, "linux-x64-musl"],
		["aarch64", false, "linux-arm64-glibc"],
		["aarch64", true, "linux-arm64-musl"],
	])("the executable for %s, musl %p, is asked for", (machine, musl, target) => {
		using sandbox = new Sandbox();
		sandbox.stub("uname", `#!/bin/sh\ncase $1 in -m) echo ${machine};; *) exec /usr/bin/uname "$@";; esac\n`);
		if (musl) {
			sandbox.remove("lib64");
			sandbox.remove("lib");
			sandbox.write(`lib/ld-musl-${machine}.so.1`, "");
			sandbox.write("usr/lib/libstdc++.so.6", "");
		}
		const folder = altered(`target-${target}`);
		writeFileSync(join(folder, "SHA256SUMS"), "");
		expect(sandbox.run(script, ["--from", folder]).error).toContain(`no portward for ${target}`);
	});

	test("a machine that there is no portward for, and musl without libstdc++", () => {
		using sandbox = new Sandbox();
		sandbox.stub("uname", "#!/bin/sh\necho riscv64\n");
		expect(install(sandbox).error).toContain("no portward for riscv64");
		using alpine = new Sandbox();
		alpine.write("etc/os-release", "ID=alpine\n");
		alpine.remove("lib64");
		alpine.remove("lib");
		alpine.write("lib/ld-musl-x86_64.so.1", "");
		expect(install(alpine).error).toContain("apk add libstdc++");
	});
});

describe("the failsafe for this SSH session", () => {
	const session = "198.51.100.7 51234 192.0.2.1 2222";
	const written = (sandbox: Sandbox) => parseConfig("config.yaml", sandbox.read("etc/portward/config.yaml"));

	test("the sample that is written without it changes no default", () => {
		const sample = parseConfig("config.yaml", readFileSync(join(made.release, "config.yaml"), "utf8"));
		const defaults = parseConfig("config.yaml", "");
		expect(sample).toEqual(defaults);
		expect(sample.ok).toBe(true);
	});

	test.each([
		[session, "198.51.100.7", 4],
		["2001:db8::7 51234 2001:db8::1 22", "2001:db8::7", 6],
		["::ffff:198.51.100.7 51234 ::ffff:192.0.2.1 22", "198.51.100.7", 4],
		["fe80::7%eth0 51234 fe80::1%eth0 22", "fe80::7", 6],
	] as const)("%s is written when asked for", (connection, address, family) => {
		using sandbox = new Sandbox();
		const result = install(sandbox, ["--failsafe-ssh"], { env: { SSH_CONNECTION: connection } });
		expect([result.code, result.error]).toEqual([0, ""]);
		const parsed = written(sandbox);
		expect(parsed.diagnostics).toEqual([]);
		const config = parsed.ok ? parsed.config : undefined;
		expect(config?.failsafe.ingress).toHaveLength(1);
		expect(config?.failsafe.ingress[0]?.cidr?.family).toBe(family);
		expect(sandbox.read("etc/portward/config.yaml")).toContain(
			`cidr: ${address}/${family === 4 ? 32 : 128}\n`,
		);
		expect(sandbox.read("etc/portward/config.yaml")).toContain(`port: ${connection.split(" ").at(-1)}\n`);
	});

	test("is found above sudo, which hides the variable", () => {
		using sandbox = new Sandbox();
		const shell = [
			"env",
			`SSH_CONNECTION=${session}`,
			"sh",
			"-c",
			'env -u SSH_CONNECTION "$@"; exit $?',
			"sh",
			"dash",
		];
		install(sandbox, ["--failsafe-ssh"], { shell });
		expect(sandbox.read("etc/portward/config.yaml")).toContain("cidr: 198.51.100.7/32\n");
	});

	test.each(["$(touch pwned) 1 2 22", "1.2.3.4;x 1 2 22", "1.2.3.4\n- x 1 2 22", "1.2.3.4 1 2 22:x", "x"])(
		"an address that is none is not taken: %j",
		(connection) => {
			using sandbox = new Sandbox();
			const result = install(sandbox, ["--failsafe-ssh"], { env: { SSH_CONNECTION: connection } });
			expect(result.code).toBe(1);
			expect(sandbox.has("etc/portward/config.yaml")).toBe(false);
		},
	);

	test("is only shown where nobody can be asked, and never written to a config that is there", () => {
		using sandbox = new Sandbox();
		const result = install(sandbox, [], { env: { SSH_CONNECTION: session } });
		expect(result.out).toContain("cidr: 198.51.100.7/32");
		expect(sandbox.read("etc/portward/config.yaml")).not.toContain("198.51.100.7");
	});

	test.each([
		["y", true],
		["", true],
		["n", false],
	])("asks at a terminal; the answer %j counts", (answer, expected) => {
		using sandbox = new Sandbox();
		const shell = [
			"script",
			"-qec",
			`printf '%s\\n' '${answer}' >/dev/null; dash ${script} --from ${made.release} --root ${sandbox.root}`,
			"/dev/null",
		];
		// script(1) makes the terminal and types what it reads; the arguments that follow are its own.
		const child = Bun.spawnSync(
			["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--net", ...shell],
			{
				env: {
					PATH: `${sandbox.stubs}:${process.env.PATH}`,
					TMPDIR: sandbox.directory,
					SSH_CONNECTION: session,
				},
				stdin: Buffer.from(`${answer}\n`),
			},
		);
		expect(child.stdout.toString()).toContain("[Y/n]");
		expect(child.exitCode).toBe(0);
		expect(sandbox.read("etc/portward/config.yaml").includes("198.51.100.7")).toBe(expected);
	});
});
