/**
 * The .deb, by apt from the release's folder: installed, upgraded under traffic, removed and purged on a Debian with
 * systemd. The guest's processor is emulated, so it does once what test/release/drills.test.ts does in many ways.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Appliance, hammered, quiet } from "./support/appliance.ts";
import { laterVersion, releases } from "./support/releases.ts";

setDefaultTimeout(600_000);

/** For what unpacks the executable and starts it, on a slow machine. */
const patience = { timeout: 500_000 };

/** What apt and dpkg write about themselves, and what others write. */
const unrelated = ["proc", "sys", "dev", "run", "tmp", "var/tmp", "host", "var/log", "var/cache", "root"]
	.concat(["var/lib/systemd", "var/lib/dpkg", "var/lib/apt", "etc/apt"])
	.map((path) => `-path /${path}`)
	.join(" -o ");

const apt = (what: string) => `DEBIAN_FRONTEND=noninteractive apt-get -q -y ${what} 2>&1`;

describe("the .deb", () => {
	let appliance: Appliance;
	let before: string;

	/** Every file's and link's name, kind, mode, owner and size; the ruleset; the units that systemd knows. */
	async function inventory(): Promise<string> {
		return await appliance.vm.sh(
			`find / \\( ${unrelated} \\) -prune -o ! -type d -printf '%p %M %u %s\\n' -o -printf '%p %M %u\\n' | sort
			nft list ruleset; until systemctl list-unit-files --no-legend --no-pager; do sleep 1; done`,
			patience,
		);
	}

	/** Has apt take packages from the folder of a release and nowhere else. */
	async function source(release: string, folder = `/host/${release}`): Promise<string> {
		const line = `deb [signed-by=/host/${release}/portward.asc] file:${folder} stable main`;
		const { code, stdout } = await appliance.vm.run(
			`echo '${line}' > /etc/apt/sources.list; apt-get -q update 2>&1`,
			patience,
		);
		return `${code}\n${stdout}`;
	}

	beforeAll(async () => {
		const { release, later } = await releases();
		// Only what apt reads: the rest of two releases is some 250 MB.
		appliance = await Appliance.boot({ release: join(release, "apt"), later: join(later, "apt") });
		// The guest leaves out what packages document; here all of a package is to be seen.
		await appliance.vm.sh(`rm -f /etc/dpkg/dpkg.cfg.d/*mmdebstrap* /etc/apt/sources.list.d/*
			echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab; nft list ruleset; mkdir -p /etc/systemd/system/multi-user.target.wants /etc/systemd/system/sysinit.target.wants`);
		before = await inventory();
	});
	afterAll(async () => await appliance?.vm.stop());

	test("apt takes nothing from a repository that was changed", async () => {
		await appliance.vm.sh(`mkdir /tmp/changed; cp -r /host/release/dists /tmp/changed/
			sed -i 's/^Origin: .*/Origin: Another/' /tmp/changed/dists/stable/InRelease`);
		expect(await source("release", "/tmp/changed")).toMatch(/^100\n.*BADSIG/su);
	});

	test("apt-get install installs it from the folder, it starts, and nothing is blocked", async () => {
		const { vm } = appliance;
		expect(await source("release")).toStartWith("0\n");
		const said = await vm.sh(apt("install portward"), patience);
		expect(said).toContain("nothing is blocked");
		await appliance.ready();
		expect(await vm.sh("systemctl is-enabled portward portward-restore")).toBe("enabled\nenabled");
		expect(await vm.sh("dpkg -V portward")).toBe("");
		await vm.put("/etc/portward/config.yaml", quiet);
		await vm.sh("systemctl reload portward", patience);
	});

	test("an upgrade replaces it under traffic: nothing gets through, nothing is lost, the settings stay", async () => {
		const { vm } = appliance;
		await source("later");
		const { pid } = await appliance.unit("portward");
		await appliance.hammer();
		const open = await appliance.during(() => Bun.sleep(100));
		expect(open.blocked.arrived).toBe(open.blocked.sent);
		await appliance.policies({ hammered });
		const phase = await appliance.during(async () => {
			await vm.sh(apt("install portward"), patience);
			await appliance.ready(pid);
		});
		expect([phase.blocked.arrived, phase.lost]).toEqual([0, 0]);
		expect(phase.blocked.sent).toBeGreaterThan(50);
		expect(phase.allowed.sent).toBeGreaterThan(50);
		await appliance.hush();
		expect(await vm.sh("dpkg -s portward")).toContain(`\nVersion: ${laterVersion}-1\n`);
		expect(await vm.sh("cat /etc/portward/config.yaml")).toBe(quiet.trim());
	});

	test("removing it releases the rules and keeps the settings; purging leaves nothing", async () => {
		const { vm } = appliance;
		expect(await vm.sh(apt("remove portward"), patience)).toContain("nothing is blocked any more");
		expect(await vm.sh("nft list tables; ls /etc/portward")).toBe("config.yaml\npolicies");
		await vm.sh("dpkg --purge portward", patience);
		expect(await inventory()).toBe(before);
	});
});
