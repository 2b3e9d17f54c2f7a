/**
 * The .deb, by apt from the release's folder, installed on a Debian with systemd. The guest's processor is emulated, and
 * takes minutes for each package: upgrades, removal and purge are those of test/release/drills.test.ts.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Appliance } from "./support/appliance.ts";
import { releases } from "./support/releases.ts";

setDefaultTimeout(600_000);

/** For what unpacks the executable and starts it, on a slow machine. */
const patience = { timeout: 500_000 };

const apt = (what: string) => `DEBIAN_FRONTEND=noninteractive apt-get -q -y ${what} 2>&1`;

describe("the .deb", () => {
	let appliance: Appliance;

	/** Has apt take packages from the folder of a release and nowhere else. */
	async function source(folder: string): Promise<string> {
		const line = `deb [signed-by=/host/release/portward.asc] file:${folder} stable main`;
		const { code, stdout } = await appliance.vm.run(
			`echo '${line}' > /etc/apt/sources.list; apt-get -q update 2>&1`,
			patience,
		);
		return `${code}\n${stdout}`;
	}

	beforeAll(async () => {
		const { release } = await releases();
		// Only what apt reads.
		appliance = await Appliance.boot({ release: join(release, "apt") });
		// The guest leaves out what packages document; here all of a package is to be seen.
		await appliance.vm.sh(`rm -f /etc/dpkg/dpkg.cfg.d/*mmdebstrap* /etc/apt/sources.list.d/*
			echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/lab`);
	});
	afterAll(async () => await appliance?.vm.stop());

	test("apt takes nothing from a repository that was changed", async () => {
		await appliance.vm.sh(`mkdir /tmp/changed; cp -r /host/release/dists /tmp/changed/
			sed -i 's/^Origin: .*/Origin: Another/' /tmp/changed/dists/stable/InRelease`);
		expect(await source("/tmp/changed")).toMatch(/^100\n.*BADSIG/su);
	});

	test("apt-get install installs it from the folder, it starts, and nothing is blocked", async () => {
		const { vm } = appliance;
		expect(await source("/host/release")).toStartWith("0\n");
		const said = await vm.sh(apt("install portward"), patience);
		expect(said).toContain("nothing is blocked");
		await appliance.ready();
		expect(await vm.sh("systemctl is-enabled portward portward-restore")).toBe("enabled\nenabled");
		expect(await vm.sh("dpkg -V portward")).toBe("");
	});
});
