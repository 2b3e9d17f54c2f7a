import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recommendUsb } from "../../../src/cli/journey/recommend-usb.ts";
import { presentDevices } from "../../../src/enforcers/usb/observe/present.ts";
import { writeState } from "../../../src/state/state-file.ts";
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
			"portward: No USB devices were kept: the daemon has not run yet, or saw none.\n" +
				"portward: seen-usb.yaml was changed by hand and is left alone\n",
		]);
	} finally {
		kernel.remove();
	}
});

test("devices that came more than once are in, with when; who came once and went, or was refused, is not", async () => {
	const kernel = new FakeKernel();
	using files = new Files();
	const stateDir = join(files.path, "state");
	const settings = files.config({ policyDir: join(files.path, "none"), stateDir });
	mkdirSync(join(files.path, "none"));
	const out = join(files.path, "out");
	const config = ["--out", out, "--config", settings];
	try {
		kernel.plug("1-1", keyboard);
		kernel.plug("1-2", stick);
		const [board, disk] = (presentDevices(kernel.root) ?? []).filter(({ device }) => device.level > 0);
		if (board === undefined || disk === undefined) throw new Error("two devices are there");
		const verdict = { state: "authorized", reason: null, functions: [] } as const;
		const seen = (
			device: typeof board.device,
			count: number,
			serial: string | null,
			state = "authorized",
		) => ({
			...{ device: { ...device, serial }, verdict: { ...verdict, state }, instance: `i${serial}` },
			...{ count, firstSeen: 1_000, lastSeen: 90_000_000 },
		});
		const devices = [
			seen(board.device, 5, board.device.serial),
			seen(disk.device, 3, "often"),
			seen(disk.device, 1, "once"),
			seen(disk.device, 4, "refused", "refused"),
		];
		const kept = { version: 1, boot: "b", since: 0, lost: 0, devices };
		expect(writeState(join(stateDir, "usb-history.json"), kept)).toBeNull();
		const { code, out: told } = await run(kernel.root, ...config, "--json");
		expect(code).toBe(0);
		const json = JSON.parse(told);
		expect(json.leftOut.map(({ reason }: { reason: string }) => reason)).toEqual([
			"is refused",
			"came once, and is gone",
		]);
		const text = readFileSync(join(out, "seen-usb.yaml"), "utf8");
		expect(text).toContain("# seen 5 times, first 1970-01-01T00:00:01.000Z, there when this was written\n");
		expect(text).toContain("# seen 3 times, first 1970-01-01T00:00:01.000Z, last 1970-01-02T01:00:00.000Z\n");
		expect(text).toMatch(/^ *serial: "?often"?$/mu);
		expect(text).not.toMatch(/^ *serial: "?(?:once|refused)"?$/mu);
		expect((await portward("validate", out, "--config", settings)).code).toBe(0);
		const later = await run(kernel.root, ...config, "--update", "--since", "1970-02-01", "--json");
		expect(JSON.parse(later.out)).toMatchObject({ files: [{ change: "written" }], leftOut: [] });
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

test("that what was kept cannot be read is told, and what is there is taken", async () => {
	const kernel = new FakeKernel();
	using files = new Files();
	const settings = files.config({ policyDir: files.path, stateDir: join(files.path, "state") });
	mkdirSync(join(files.path, "state"));
	files.put("state/usb-history.json", "{");
	try {
		kernel.plug("1-1", keyboard);
		const told = await run(kernel.root, "--out", join(files.path, "out"), "--config", settings);
		expect(told.code).toBe(0);
		expect(told.error).toMatch(/^portward: .*usb-history\.json/u);
		expect(told.out).toMatch(/^[1-9]\d* entr/u);
	} finally {
		kernel.remove();
	}
});
