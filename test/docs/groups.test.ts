/** docs/groups.md: its examples are valid, and its figures are the code's. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listLimits } from "../../src/base/cidr-list.ts";
import { defaultConfig } from "../../src/config/parse.ts";
import { readPolicySet } from "../../src/engine/policy-set.ts";

const text = readFileSync(join(import.meta.dir, "../../docs/groups.md"), "utf8");
const examples = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml = ""]) => yaml);

test("its examples are read without a word", () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-docs-groups-"));
	try {
		const list = join(directory, "blocklist.txt");
		writeFileSync(list, "# feed\n198.51.100.0/24 ; listed\n\n2001:db8:bad::/48\n");
		for (const [i, yaml] of examples.entries()) {
			writeFileSync(join(directory, `${i}.yaml`), yaml.replace("/var/lib/feeds/blocklist.txt", list));
		}
		const { policies, diagnostics } = readPolicySet([directory], defaultConfig());
		expect(diagnostics).toEqual([]);
		expect(policies.map(({ name }) => name)).toEqual(["offices", "ssh-from-offices", "blocklist"]);
	} finally {
		rmSync(directory, { recursive: true });
	}
});

test("its bounds are those of lists", () => {
	expect(text.replaceAll("\n", " ")).toContain(
		`${listLimits.blocks / 1000} 000 blocks and ${listLimits.bytes / 1024 / 1024} MiB`,
	);
});
