/** The shipped examples: as published they are faithful, as meant they are valid and without warnings. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findDuplicateNames } from "../../src/engine/collection.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";

const root = join(import.meta.dir, "../..");
const published = join(root, "policies/as-published");
const meant = join(root, "policies/as-meant");
const source = "kubearmor.io__blog_2026-04-14-KubeArmor-Network-Segmentation-Linux-VMs_index_";

describe("as published", () => {
	test.each([
		["1-allow-private-subnet-ingress.yaml", "1", ["inverted-action"]],
		["2-block-external-dns.yaml", "2", []],
		["3a-audit-ssh-all.yaml", "3", []],
		["3b-allow-ssh-jumphost.yaml", "4", []],
		["4-restrict-backend-mesh.yaml", "5", ["inverted-action"]],
	])("%s", (file, number, codes) => {
		const text = readFileSync(join(published, file), "utf8");
		const original = readFileSync(
			join(root, "test/fixtures/kubearmor-network", `${source}${number}.yaml`),
			"utf8",
		);
		expect(text.replace(/^#.*\n/gm, "").trim()).toBe(original.trim());
		const { documents } = parsePolicyFile(file, text);
		expect(documents.map((d) => d.diagnostics.map((finding) => finding.code))).toEqual([codes]);
		expect(documents[0]?.policy).not.toBeNull();
	});
});

test("all of them can lie in one directory: no name is used twice", () => {
	const documents = [published, meant].flatMap((folder) =>
		readdirSync(folder).flatMap(
			(file) => parsePolicyFile(file, readFileSync(join(folder, file), "utf8")).documents,
		),
	);
	expect(documents).toHaveLength(9);
	expect(findDuplicateNames(documents).size).toBe(0);
});

test.each(readdirSync(join(root, "policies/more")))("%s is valid and without warnings", (file) => {
	const { documents } = parsePolicyFile(file, readFileSync(join(root, "policies/more", file), "utf8"));
	expect(documents.length).toBeGreaterThan(0);
	expect(documents.filter((d) => d.policy === null || d.diagnostics.length > 0)).toEqual([]);
});

describe("as meant", () => {
	test.each(readdirSync(meant))("%s", (file) => {
		const text = readFileSync(join(meant, file), "utf8");
		expect(text.startsWith("# Example ")).toBe(true);
		const { documents } = parsePolicyFile(file, text);
		expect(documents.length).toBeGreaterThan(0);
		expect(documents.filter((d) => d.policy === null || d.diagnostics.length > 0)).toEqual([]);
	});

	test("there is one for each example", () => {
		expect(
			readdirSync(meant)
				.map((file) => file[0])
				.sort(),
		).toEqual(["1", "2", "3", "4"]);
	});
});
