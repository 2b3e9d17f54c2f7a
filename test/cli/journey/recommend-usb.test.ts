import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recommendUsb } from "../../../src/cli/journey/recommend-usb.ts";
import { FakeKernel } from "../../enforcers/usb/support/fake-usb.ts";
import { badUsb, devicePolicy, keyboard, stick } from "../../enforcers/usb/support/shapes.ts";
import { CapturedIo, Files, portward } from "../support/portward.ts";

async function run(root: string, ...args: readonly string[]) {
	const io = new CapturedIo();
	const code = await recommendUsb(args, io, root);
	return { code, out: io.out_, error: io.error_ };
}

test("the devices that are there become a policy; what is refused stays out, and is told", async () => {
	const kernel = new FakeKernel();
	using files = new Files({
		"p.json": devicePolicy("no-disks", [{ class: "MASS-STORAGE", action: "Block" }]),
	});
	const settings = files.config({ policyDir: files.path, stateDir: join(files.path, "state") });
	const out = join(files.path, "out");
	const config = ["--out", out, "--config", settings];
	try {
		kernel.plug("1-1", keyboard);
		kernel.plug("1-2", stick);
		kernel.plug("1-3", badUsb);
		const first = await run(kernel.root, ...config, "--json");
		expect(first.code).toBe(0);
		expect(JSON.parse(first.out)).toMatchObject({ files: [{ file: "seen-usb.yaml", change: "written" }] });
		expect((await portward("validate", out, "--config", settings)).code).toBe(0);
		const again = await run(kernel.root, ...config);
		expect([again.code, again.error]).toEqual([1, expect.stringContaining("--update")]);
		const same = await run(kernel.root, ...config, "--update", "--json");
		expect(JSON.parse(same.out)).toMatchObject({ files: [{ change: "unchanged" }] });
		const text = readFileSync(join(out, "seen-usb.yaml"), "utf8");
		writeFileSync(join(out, "seen-usb.yaml"), `${text}# mine\n`);
		const kept = await run(kernel.root, ...config, "--update");
		expect([kept.code, kept.error]).toEqual([
			0,
			"portward: seen-usb.yaml was changed by hand and is left alone\n",
		]);
	} finally {
		kernel.remove();
	}
});

test("without a device there is no entry, and without USB nothing to ask", async () => {
	const kernel = new FakeKernel();
	using files = new Files();
	const config = ["--out", join(files.path, "out"), "--config", files.config({ policyDir: files.path })];
	try {
		const none = await run(kernel.root, ...config);
		expect([none.code, none.out]).toEqual([0, expect.stringMatching(/^0 entries in /u)]);
	} finally {
		kernel.remove();
	}
	expect((await run("/nowhere", ...config)).code).toBe(1);
	expect((await portward("recommend", "usb")).code).toBe(64);
});
