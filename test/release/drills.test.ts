/** Both kinds of package, installed, upgraded and removed by dpkg and rpm: what their scripts do, and what they refuse. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { version } from "../../scripts/compile.ts";
import { type Format, packageOf } from "../../scripts/release/contents.ts";
import { makeDeb } from "../../scripts/release/deb.ts";
import { packageVersion } from "../../scripts/release/entry.ts";
import { keyDate } from "../../scripts/release/openpgp.ts";
import { architectures } from "../../scripts/release/packages.ts";
import { makeRpm } from "../../scripts/release/rpm.ts";
import { nativeTarget } from "../../scripts/release-targets.ts";
import { Host } from "./support/host.ts";
import { madeRelease, release, root } from "./support/release.ts";

setDefaultTimeout(600_000);

const native = nativeTarget()?.name ?? "";
const names = architectures[native];

const noSsh = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: { name: no-ssh }
spec:
  nodeSelector: { matchLabels: { "kubernetes.io/hostname": "*" } }
  ingress:
  - action: Block
    ports: [{ protocol: TCP, port: "22" }]
`;
const session = 'SSH_CONNECTION="198.51.100.7 50000 192.0.2.1 22"';
const settings = "alerts: { stdout: false }\n";

let directory: string;

/** The same package under a later version. */
async function later(format: Format): Promise<string> {
	const packed = readFileSync(join(release, `portward-${native}.gz`));
	const source = {
		root,
		version: "99.0.0",
		date: keyDate,
		licences: new Map<string, string>(),
		license: "MIT",
	};
	const made = await packageOf(format, source, { bytes: gunzipSync(packed), packed });
	const { bytes } =
		format === "deb" ? await makeDeb(made, names?.deb ?? "") : await makeRpm(made, names?.rpm ?? "", null);
	const path = join(directory, `later.${format}`);
	writeFileSync(path, bytes);
	return path;
}

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "portward-drills-"));
	await madeRelease();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** How each of them is asked. rpm's database knows none of Debian's packages. */
const tools = {
	deb: {
		install: "dpkg --force-confold -i",
		upgrade: "dpkg --force-confold -i",
		remove: "dpkg -r portward",
		mend: "dpkg --configure -a",
		version: "dpkg -s portward | sed -n 's/^Version: //p'",
		refused: 1,
	},
	rpm: {
		install: "rpm --nodeps -i",
		upgrade: "rpm --nodeps -U",
		remove: "rpm -e portward",
		mend: "systemctl restart portward.service",
		version: "rpm -q --qf '%{VERSION}-%{RELEASE}' portward",
		// rpm goes on where a script that runs behind fails, and says so.
		refused: 0,
	},
} as const;

/** What only dpkg and apt know of is no test of the other format. */
const ofDeb = (format: string): typeof test | (() => void) => (format === "deb" ? test : () => {});

describe.each(["deb", "rpm"] as const)("the .%s", (format) => {
	const tool = tools[format];
	const named = packageVersion(version);
	const file =
		names === undefined
			? ""
			: format === "deb"
				? `apt/pool/portward_${named}_${names.deb}.deb`
				: `rpm/portward-${named}.${names.rpm}.rpm`;
	let host: Host;
	const pid = () => host.sh("cat /run/stub/pid");
	/** Whether the kernel has the policy's rule. */
	const enforced = async () => (await host.run("nft list table inet kubearmor")).out.includes("pw:");
	/** The agent answers before it has read policies. */
	const untilEnforced = () =>
		host.sh(
			"n=0; until nft list table inet kubearmor 2>/dev/null | grep -q pw:; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done",
		);

	beforeAll(async () => {
		const path = join(release, file);
		const apt: Record<string, string> = format === "deb" ? { apt: join(release, "apt") } : {};
		host = await Host.start({ ...apt, [`first.${format}`]: path, [`later.${format}`]: await later(format) });
	});
	afterAll(async () => await host?.[Symbol.asyncDispose]());

	test("where nothing was booted starts nothing, and a removal releases nothing", async () => {
		await host.sh("nft add table inet kubearmor");
		await host.sh(`${tool.install} /given/first.${format}`);
		expect(await host.sh("portward version")).toContain(version);
		expect(await host.sh("ls -l /etc/systemd/system/multi-user.target.wants/")).toContain("portward.service");
		await host.sh(tool.remove);
		expect(await host.sh("nft list tables")).toBe("table inet kubearmor");
		expect((await host.run("grep -E '^(-[a-z-]+ )*(start|restart|stop) ' /run/stub/log")).out).toBe("");
		await host.sh(
			"nft delete table inet kubearmor; rm -rf /etc/portward /var/lib/portward; mkdir -p /run/systemd/system",
		);
		if (format === "deb") await host.sh("dpkg -P portward");
	});

	test("is not installed over what install.sh has installed", async () => {
		await host.sh("mkdir -p /usr/local/bin; touch /usr/local/bin/portward");
		const refused = await host.run(`${tool.install} /given/first.${format}`);
		expect([refused.code, refused.out]).toEqual([1, expect.stringContaining("--keep-rules")]);
		expect((await host.run("ls /usr/bin/portward")).code).not.toBe(0);
		await host.sh("rm /usr/local/bin/portward");
	});

	test("starts nothing that would cut off who installs it; told to, it enforces what is there", async () => {
		await host.put("/etc/portward/config.yaml", settings);
		await host.put("/etc/portward/policies/no-ssh.yaml", noSsh);
		const said = await host.sh(`${session} ${tool.install} /given/first.${format}`);
		expect(said).toContain("its policies would refuse this SSH session");
		expect((await host.run("systemctl is-active portward.service")).code).not.toBe(0);
		expect(await enforced()).toBe(false);
		// Nor while one is broken, nor from where the settings have them.
		const foretell = `${session} sh -c '. /usr/lib/portward/package.sh; foretell'`;
		await host.put("/etc/portward/policies/broken.yaml", "kind: Nothing\n");
		const untold = await host.run(foretell);
		expect([untold.code, untold.out]).toEqual([1, expect.stringContaining("cannot be told")]);
		await host.sh("mkdir /tmp/elsewhere; mv /etc/portward/policies /tmp/elsewhere/real");
		await host.sh(
			"rm /tmp/elsewhere/real/broken.yaml; ln -s real /tmp/elsewhere/link; mkdir /etc/portward/policies",
		);
		await host.put("/etc/portward/config.yaml", "policyDir: /tmp/elsewhere/link\n");
		const refused = await host.run(foretell);
		expect([refused.code, refused.out]).toEqual([
			1,
			expect.stringContaining("would refuse this SSH session"),
		]);
		await host.sh("rmdir /etc/portward/policies; mv /tmp/elsewhere/real /etc/portward/policies");
		await host.put("/etc/portward/config.yaml", settings);
		await host.sh("systemctl enable --now portward-restore.service portward.service");
		await untilEnforced();
		expect(await host.sh("cat /etc/portward/config.yaml")).toBe(settings.trim());
	});

	test("an upgrade that does not take the settings leaves the old one running; mended, it replaces it", async () => {
		const old = await pid();
		await host.put("/etc/portward/config.yaml", "enforcement: perhaps\n");
		const failed = await host.run(`${tool.upgrade} /given/later.${format}`);
		expect([failed.code, failed.out]).toEqual([tool.refused, expect.stringContaining("does not accept")]);
		expect(await pid()).toBe(old);
		expect([(await host.run("systemctl is-active portward.service")).code, await enforced()]).toEqual([
			0,
			true,
		]);
		await host.put("/etc/portward/config.yaml", settings);
		await host.sh(tool.mend);
		expect(await pid()).not.toBe(old);
		expect([await host.sh(tool.version), await enforced()]).toEqual(["99.0.0-1", true]);
		expect(await host.sh("cat /etc/portward/config.yaml")).toBe(settings.trim());
	});

	ofDeb(format)("a purge takes nothing from who has gone on with install.sh", async () => {
		await host.sh(
			"mkdir -p /tmp/control; dpkg-deb -e /given/first.deb /tmp/control; touch /usr/local/bin/portward",
		);
		expect(await host.sh("sh /tmp/control/postrm purge")).toContain("stay");
		expect(await host.sh("cat /etc/portward/policies/no-ssh.yaml")).toBe(noSsh.trim());
		await host.sh("rm /usr/local/bin/portward");
	});

	test("removing it releases the rules and keeps policies; what is left can be taken away", async () => {
		const listed = await host.sh(format === "deb" ? "dpkg -L portward" : "rpm -ql portward");
		const own = listed.split("\n").filter((path) => path.includes("portward"));
		expect(own.length).toBeGreaterThan(20);
		expect(await host.sh(tool.remove)).toContain("nothing is blocked any more");
		expect(await host.sh("nft list tables; cat /etc/portward/policies/no-ssh.yaml")).toBe(noSsh.trim());
		await host.sh(format === "deb" ? "dpkg -P portward" : "rm -r /etc/portward /var/lib/portward");
		const left = await host.sh(`for f in ${own.join(" ")}; do [ ! -e "$f" ] || echo "$f"; done
			find /etc/systemd /usr/lib/systemd /var/lib/systemd -name '*portward*'`);
		expect(left).toBe("");
	});

	ofDeb(format)("apt installs it from the release's repository, and purges it", async () => {
		// A release that has no key; with one, the guest's test has apt look at the signature.
		await host.put("/etc/apt/own.list", "deb [trusted=yes] file:/given/apt stable main\n");
		const own = "-o Dir::Etc::sourcelist=/etc/apt/own.list -o Dir::Etc::sourceparts=-";
		await host.sh(`apt-get ${own} -q update`);
		const said = await host.sh(`apt-get ${own} -q -y --no-install-recommends install portward`);
		expect(said).toContain("nothing is blocked");
		expect([await host.sh(tool.version), await host.sh("portward status | head -n 1")]).toEqual([
			named,
			expect.stringContaining("ready"),
		]);
		expect(await host.sh("apt-get -q -y purge portward")).toContain("nothing is blocked any more");
		expect((await host.run("ls /usr/bin/portward /etc/portward /var/lib/portward")).code).not.toBe(0);
	});
});
