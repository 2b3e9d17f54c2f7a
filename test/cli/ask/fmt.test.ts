import { expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { policy } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const canonical = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: a
spec:
  nodeSelector:
    matchLabels:
      kubernetes.io/hostname: "*"
  ingress:
  - {}
`;
const other = policy("a", { ingress: [{}] });

test("writes what would change, once, and names it", async () => {
	using files = new Files({ "a.yaml": other, "b.yaml": canonical, "c.txt": "x: [", ".d.yaml": "x: [" });
	const [a, b] = [join(files.path, "a.yaml"), join(files.path, "b.yaml")];
	mkdirSync(join(files.path, "sub"));
	const inside = files.put("sub/e.yml", other);
	const checked = await portward("fmt", files.path, "--check");
	expect(checked).toEqual({ code: 2, out: `${a}\n${inside}\n`, error: "" });
	expect(readFileSync(a, "utf8")).toBe(other);
	expect(await portward("fmt", files.path)).toEqual({ code: 0, out: `${a}\n${inside}\n`, error: "" });
	expect([a, b, inside].map((file) => readFileSync(file, "utf8"))).toEqual([canonical, canonical, canonical]);
	expect(await portward("fmt", files.path, "--check")).toEqual({ code: 0, out: "", error: "" });
});

test("a file with errors is left, with their places, and the others are written", async () => {
	using files = new Files({ "a.yaml": `# kept\n${canonical.replace("ingress", "ingres")}`, "b.yaml": other });
	const { code, out, error } = await portward("fmt", files.path, "--json");
	expect([code, error]).toEqual([1, ""]);
	expect(JSON.parse(out)).toMatchObject({
		ok: false,
		files: [
			{
				file: join(files.path, "a.yaml"),
				changed: false,
				diagnostics: [{ line: 10, column: 3, code: "unknown-field", severity: "error" }],
			},
			{ file: join(files.path, "b.yaml"), changed: true, diagnostics: [] },
		],
	});
	expect(readFileSync(join(files.path, "b.yaml"), "utf8")).toBe(canonical);
	expect((await portward("fmt", join(files.path, "a.yaml"))).error).toContain(`a.yaml:10:3: error:`);
	expect((await portward("fmt", join(files.path, "missing.yaml"))).code).toBe(1);
});

test("standard input to standard output", async () => {
	const main = resolve(import.meta.dir, "../../../src/main.ts");
	const run = async (text: string, ...args: string[]) => {
		const child = Bun.spawn([process.execPath, main, "fmt", ...args], {
			stdin: new Blob([text]),
			stdout: "pipe",
			stderr: "pipe",
		});
		return { out: await new Response(child.stdout).text(), code: await child.exited };
	};
	expect(await run(other)).toEqual({ out: canonical, code: 0 });
	expect(await run(other, "--check")).toEqual({ out: "", code: 2 });
	expect(await run("x: [")).toEqual({ out: "", code: 1 });
});
