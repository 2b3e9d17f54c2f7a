/** The .deb, by apt from the release's folder, and the .rpm: installed, upgraded and removed on a Debian with systemd. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Appliance, hammered, networkPolicy, type Phase, quiet } from "./support/appliance.ts";
import { laterVersion, releases } from "./support/releases.ts";
import { rpmTool } from "./support/rpm-tool.ts";

setDefaultTimeout(400_000);

const patience = { timeout: 300_000 };

/** Blocks the port of the SSH session that a test pretends to be. */
const noSsh = networkPolicy(
	"no-ssh",
	'  ingress:\n  - action: Block\n    ports: [{ protocol: TCP, port: "22" }]\n',
);
const session = 'SSH_CONNECTION="198.51.100.7 50000 192.0.2.1 22"';

/** What a package manager writes about itself, and what others write. */
const unrelated = ["proc", "sys", "dev", "run", "tmp", "var/tmp", "host", "var/log", "var/cache", "root"]
	.concat(["var/lib/systemd", "var/lib/dpkg", "var/lib/apt", "var/lib/rpm", "etc/apt"])
	.map((path) => `-path /${path}`)
	.join(" -o ");

describe("packages", () => {
	let appliance: Appliance;
	let before: string;

	/** Every file's and link's name, kind, mode, owner and size; the ruleset; the units that systemd knows. */
	async function inventory(): Promise<string> {
		return await appliance.vm.sh(`find / \\( ${unrelated} \\) -prune -o ! -type d -printf '%p %M %u %s\\n' -o -printf '%p %M %u\\n' | sort
			nft list ruleset; systemctl list-unit-files --no-legend --no-pager`);
	}

	/** Nothing that is blocked has come through, all that is not has, and both were sent all the while. */
	function expectGuarded(phase: Phase): void {
		expect(phase.blocked.arrived).toBe(0);
		expect(phase.lost).toBe(0);
		expect(phase.blocked.sent).toBeGreaterThan(50);
		expect(phase.allowed.sent).toBeGreaterThan(50);
	}

	/** Has apt take packages from the folder of a release and nowhere else. */
	async function source(release: string): Promise<void> {
		const line = `deb [signed-by=/host/${release}/apt/portward.asc] file:/host/${release}/apt stable main`;
		await appliance.vm.sh(`echo '${line}' > /etc/apt/sources.list; apt-get -q update`, patience);
	}

	const apt = (what: string) =>
		`DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold ${what} 2>&1`;
	const version = async () => await appliance.vm.sh("portward version");

	beforeAll(async () => {
		const { release, later, publicKey } = await releases();
		const tool = rpmTool(mkdtempSync(join(tmpdir(), "portward-rpm-")));
		appliance = await Appliance.boot({ release, later, "public.pem": publicKey, rpm: tool });
		rmSync(tool, { recursive: true });
		// The guest leaves out what packages document; here all of a package is to be seen.
		await appliance.vm.sh(`rm -f /etc/dpkg/dpkg.cfg.d/*mmdebstrap* /etc/apt/sources.list.d/*
			nft list ruleset; mkdir -p /etc/systemd/system/multi-user.target.wants /etc/systemd/system/sysinit.target.wants`);
		before = await inventory();
	});
	afterAll(async () => await appliance?.vm.stop());

	describe(".rpm", () => {
		test("installs, starts, and without policies nothing is blocked", async () => {
			const { vm } = appliance;
			await vm.sh("mkdir -p /etc/portward");
			const said = await vm.sh("/host/rpm/rpm -iv --nodeps /host/release/rpm/*.rpm 2>&1", patience);
			expect(said).toContain("nothing is blocked");
			await appliance.ready();
			expect(await vm.sh("systemctl is-enabled portward portward-restore")).toBe("enabled\nenabled");
			await vm.put("/etc/portward/config.yaml", quiet);
			await vm.sh("systemctl reload portward");
			await appliance.hammer();
			const phase = await appliance.during(() => Bun.sleep(500));
			expect(phase.blocked.arrived).toBe(phase.blocked.sent);
			expect(phase.blocked.sent).toBeGreaterThan(50);
		});

		test("an upgrade replaces it under traffic, and keeps the settings", async () => {
			const { vm } = appliance;
			await appliance.policies({ hammered });
			expectGuarded(
				await appliance.during(
					async () => await vm.sh("/host/rpm/rpm -U --nodeps /host/later/rpm/*.rpm 2>&1", patience),
				),
			);
			await appliance.ready();
			expect(await version()).toContain(laterVersion);
			expect(await vm.sh("cat /etc/portward/config.yaml")).toBe(quiet.trim());
			expect(await vm.sh("/host/rpm/rpm -V --nodeps portward; :")).toBe(
				"S.5....T.  c /etc/portward/config.yaml",
			);
		});

		test("erasing it releases the rules; settings, policies and state stay", async () => {
			const { vm } = appliance;
			expect(await vm.sh("/host/rpm/rpm -e portward 2>&1", patience)).toContain(
				"nothing is blocked any more",
			);
			expect(await vm.sh("nft list tables; systemctl list-unit-files 'portward*' --no-legend")).toBe("");
			expect(await vm.sh("ls /etc/portward")).toBe("config.yaml.rpmsave\npolicies");
			await appliance.hush();
			await vm.sh("rm -r /etc/portward /var/lib/portward");
			expect(await inventory()).toBe(before);
		});
	});

	describe(".deb", () => {
		test("is not installed over what install.sh has installed", async () => {
			const { vm } = appliance;
			await appliance.install(quiet);
			await appliance.hammer();
			await appliance.policies({ hammered, "no-ssh": noSsh });
			await source("release");
			const refused = await vm.run(apt("install portward"), patience);
			expect([refused.code, refused.stdout]).toEqual([100, expect.stringContaining("--keep-rules")]);
			expect(await version()).toContain("portward 0.");
		});

		test("takes over from it without a gap, and starts nothing that would cut off who installs it", async () => {
			const { vm } = appliance;
			let said = "";
			expectGuarded(
				await appliance.during(async () => {
					await vm.sh("sh /host/release/install.sh --uninstall --keep-rules", patience);
					said = await vm.sh(`${session} ${apt("install portward")}`, patience);
					expect(await vm.sh("systemctl is-active portward; :")).toBe("inactive");
					await vm.sh("systemctl enable --now portward-restore.service portward.service", patience);
					await appliance.ready();
				}),
			);
			expect(said).toContain("its policies would refuse this SSH session");
			expect(await vm.sh("cat /etc/portward/config.yaml; dpkg -V portward; :")).toContain(
				"c /etc/portward/config.yaml",
			);
			const again = await vm.run("sh /host/release/install.sh", patience);
			expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("installed as a package")]);
		});

		test("an upgrade that does not take the settings leaves the old one running; mended, it replaces it", async () => {
			const { vm } = appliance;
			await source("later");
			const { pid } = await appliance.unit("portward");
			expectGuarded(
				await appliance.during(async () => {
					await vm.put("/etc/portward/config.yaml", "enforcement: perhaps\n");
					const failed = await vm.run(apt("install portward"), patience);
					expect([failed.code, failed.stdout]).toEqual([100, expect.stringContaining("does not accept")]);
					expect((await appliance.unit("portward")).pid).toBe(pid);
					await vm.put("/etc/portward/config.yaml", quiet);
					await vm.sh("dpkg --configure -a", patience);
					await appliance.ready(pid);
				}),
			);
			expect(await version()).toContain(laterVersion);
			expect(await vm.sh("cat /etc/portward/config.yaml")).toBe(quiet.trim());
		});

		test("removing it releases the rules and keeps the settings; purging leaves nothing", async () => {
			const { vm } = appliance;
			await appliance.hush();
			expect(await vm.sh(apt("remove portward"), patience)).toContain("nothing is blocked any more");
			expect(await vm.sh("nft list tables; ls /etc/portward")).toBe("config.yaml\npolicies");
			await vm.sh(apt("purge portward"), patience);
			expect(await inventory()).toBe(before);
			expect(await vm.sh("dpkg -l portward 2>&1; :")).toContain("no packages found");
		});

		test("from a release whose list was changed apt takes nothing", async () => {
			const { vm } = appliance;
			await vm.sh("cp -r /host/later/apt/dists /tmp/dists; mkdir /tmp/changed; mv /tmp/dists /tmp/changed/");
			await vm.sh("sed -i 's/^Origin: .*/Origin: Another/' /tmp/changed/dists/stable/InRelease");
			const line = "deb [signed-by=/host/later/apt/portward.asc] file:/tmp/changed stable main";
			const refused = await vm.run(
				`echo '${line}' > /etc/apt/sources.list; apt-get -q update 2>&1`,
				patience,
			);
			expect([refused.code, refused.stdout]).toEqual([100, expect.stringContaining("BADSIG")]);
		});
	});
});
