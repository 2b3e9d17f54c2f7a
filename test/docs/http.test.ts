/** What docs/http.md tells users to write is what the programs take. */

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseConfig } from "../../src/config/parse.ts";
import { Certificates } from "../support/certificates.ts";

const page = readFileSync(resolve(import.meta.dir, "../../docs/http.md"), "utf8");

/** The example in YAML that begins with a key. */
function example(key: string): string {
	const found = page.split("```yaml\n").find((text) => text.startsWith(`${key}:`));
	if (found === undefined) throw new Error(`docs/http.md has no example of ${key}`);
	return found.slice(0, found.indexOf("```"));
}

test("the settings for a scraper are taken as they stand", () => {
	expect(parseConfig("docs/http.md", example("status"))).toMatchObject({
		ok: true,
		config: { status: { detail: "metrics-only" } },
		diagnostics: [],
	});
});

test("Prometheus takes its example", () => {
	using files = new Certificates();
	const ca = files.selfSigned("ca");
	const directory = mkdtempSync(join(tmpdir(), "portward-readme-"));
	try {
		const token = join(directory, "token");
		writeFileSync(token, "t".repeat(40));
		// promtool looks whether the files are there.
		const text = example("scrape_configs")
			.replace("/etc/prometheus/portward-ca.pem", ca.cert)
			.replace("/etc/prometheus/portward.token", token);
		expect(text).not.toContain("/etc/prometheus");
		writeFileSync(join(directory, "prometheus.yml"), text);
		const promtool = resolve(import.meta.dir, "../../node_modules/.bin/promtool");
		const argv = [Bun.which("promtool") ?? promtool, "check", "config", join(directory, "prometheus.yml")];
		const { exitCode, stdout, stderr } = Bun.spawnSync(argv, { stdout: "pipe", stderr: "pipe" });
		expect([exitCode, stderr.toString()]).toEqual([0, ""]);
		expect(stdout.toString()).toContain("SUCCESS");
	} finally {
		rmSync(directory, { recursive: true });
	}
});
