import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Nftables } from "../../../ffi/nftables.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

test("a machine without libnftables gets the package's name", () => {
	const empty = mkdtempSync(join(tmpdir(), "libraries-"));
	const result = Nftables.open([empty]);
	rmSync(empty, { recursive: true });
	expect(result.ok).toBe(false);
	if (result.ok) return;
	expect(result.tried).toEqual([join(empty, "libnftables.so.1")]);
	expect(result.reason).toContain("libnftables.so.1");
	expect(result.remedy).toContain("apt install libnftables1");
});

describe("libnftables in a network namespace", () => {
	let network: IsolatedNetwork;
	let nftables: Nftables;

	beforeAll(() => {
		network = enterIsolatedNetwork();
		const opened = Nftables.open();
		if (!opened.ok) throw new Error(opened.reason);
		nftables = opened.nftables;
	});
	afterAll(() => {
		nftables.close();
		network.leave();
	});

	test("commands take effect in the kernel", () => {
		expect(nftables.run("add table inet first\nadd chain inet first c")).toEqual({ ok: true, output: "" });
		expect(command("nft", "list", "tables")).toBe("table inet first\n");
		const listed = nftables.run("list table inet first");
		expect(listed).toEqual({ ok: true, output: "table inet first {\n\tchain c {\n\t}\n}\n" });
		expect(nftables.run("delete table inet first").ok).toBe(true);
	});

	test("a failing transaction changes nothing and gives the library's own text, which the next run does not repeat", () => {
		const syntax = nftables.run("add table inet t\nadd chain inet t c {");
		expect(syntax).toEqual({ ok: false, error: expect.stringContaining("syntax error") });
		const absent = nftables.run("add table inet t\nadd rule inet t absent accept");
		expect(absent).toEqual({ ok: false, error: expect.stringContaining("No such file or directory") });
		expect(nftables.run("list tables")).toEqual({ ok: true, output: "" });
	});

	test("a dry run checks without committing", () => {
		expect(nftables.run("add table inet dry", { dryRun: true }).ok).toBe(true);
		expect(nftables.run("delete table inet nowhere", { dryRun: true }).ok).toBe(false);
		expect(nftables.run("list tables")).toEqual({ ok: true, output: "" });
	});

	test("a command of several megabytes loads whole", () => {
		const addresses = Array.from({ length: 40_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
		const padding = `# ${"x".repeat(98)}\n`.repeat(50_000);
		const text = `${padding}add table inet big\nadd set inet big s { type ipv4_addr; }\nadd element inet big s { ${addresses.join(", ")} }`;
		expect(text.length).toBeGreaterThan(5_000_000);
		expect(nftables.run(text)).toEqual({ ok: true, output: "" });
		const listed = nftables.run("list set inet big s");
		expect(listed.ok && listed.output.match(/10\.0\./g)?.length).toBe(40_000);
		expect(nftables.run("delete table inet big").ok).toBe(true);
	});

	test("a NUL is refused rather than cutting the commands short", () => {
		expect(() => nftables.run("add table inet a\0bc")).toThrow(TypeError);
		expect(nftables.run("list tables")).toEqual({ ok: true, output: "" });
	});

	test("text that is not ASCII stays whole", () => {
		const comment = "größer – 大きい";
		expect(nftables.run(`add table inet u { comment "${comment}"; }`).ok).toBe(true);
		const listed = nftables.run("list table inet u");
		expect(listed.ok && listed.output).toContain(comment);
		expect(nftables.run("delete table inet u").ok).toBe(true);
	});

	test("flags shape a listing", () => {
		nftables.run(
			"add table inet f\nadd set inet f s { type ipv4_addr; elements = { 10.0.0.1 } }\nadd counter inet f c",
		);
		const terse = nftables.run("list table inet f", { terse: true, stateless: true, handles: true });
		expect(terse.ok && terse.output).not.toContain("10.0.0.1");
		expect(terse.ok && terse.output).not.toContain("packets");
		expect(terse.ok && terse.output).toContain("# handle");
		const json = nftables.run("list table inet f", { json: true });
		expect(json.ok && JSON.parse(json.output)).toHaveProperty("nftables");
		expect(nftables.run("delete table inet f").ok).toBe(true);
	});

	test("a thousand runs leave memory where it was", () => {
		const round = (): void => {
			nftables.run("add table inet m\nadd counter inet m c");
			nftables.run("list table inet m");
			nftables.run("this is an error");
			nftables.run("delete table inet m");
		};
		for (let i = 0; i < 300; i++) round();
		Bun.gc(true);
		const before = process.memoryUsage.rss();
		for (let i = 0; i < 1000; i++) round();
		Bun.gc(true);
		expect(process.memoryUsage.rss() - before).toBeLessThan(8 << 20);
	});

	test("contexts come and go without leaving descriptors behind", () => {
		const count = (): number => Number(command("sh", "-c", `ls /proc/${process.pid}/fd | wc -l`));
		const before = count();
		const contexts = 50;
		for (let i = 0; i < contexts; i++) {
			const opened = Nftables.open();
			if (!opened.ok) throw new Error(opened.reason);
			opened.nftables.close();
			opened.nftables.close();
		}
		// The test runner opens and closes descriptors of its own meanwhile; a leak would be one a context at least.
		expect(count() - before).toBeLessThan(contexts / 2);
		const opened = Nftables.open();
		if (!opened.ok) throw new Error(opened.reason);
		opened.nftables.close();
		expect(() => opened.nftables.run("list tables")).toThrow("closed");
	});
});
