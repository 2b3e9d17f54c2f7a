import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decideDevice } from "../../../src/enforcers/usb/compile/decide.ts";
import { DeviceRuleset } from "../../../src/enforcers/usb/compile/ruleset.ts";
import { UsbHistoryKeeper } from "../../../src/enforcers/usb/run/history-keeper.ts";
import { formatListenAddress } from "../../../src/serve/http/address.ts";
import { device, entries } from "../../enforcers/usb/compile/sample.ts";
import { seen } from "../../enforcers/usb/support/shapes.ts";
import { serve } from "../../serve/http/wire.ts";
import { violations } from "../../support/json-schema.ts";
import { portward } from "../support/portward.ts";

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-usb-seen."));
});
afterAll(() => rmSync(directory, { recursive: true }));

const history = (...args: string[]) => portward("usb", "history", "--config", "/dev/null", ...args);
const atRest = (...args: string[]) => history("--state-dir", directory, ...args);

test("the daemon's devices are shown with how often and when, their strings escaped", async () => {
	const { server } = await serve();
	const address = formatListenAddress(server.address);
	const { code, out } = await history("--status-address", address);
	expect(out).toBe(
		"1-4.1  0781:5567 ACME\\u{202e} Stick <script> (S\\x1b[2J1): refused (no permitted interface)\n" +
			"    3 times, first 2026-01-02T00:00:00.000Z, last 2026-01-03T00:00:00.000Z\n" +
			"    configuration 1, interface 0: MASS-STORAGE 6/80, Block by sticks, refused by the policy\n" +
			"2 devices more were too many to be kept\n",
	);
	expect(code).toBe(0);
	const json = await history("--status-address", address, "--json");
	expect(json.out).not.toMatch(/[\u001b\u202e]/u);
	expect(violations(JSON.parse(json.out), "usb-history")).toEqual([]);
	const later = await history("--status-address", address, "--since", "2026-01-04");
	expect(later.out).toBe("no USB device was seen since 2026-01-04T00:00:00.000Z\n");
	const then = await history("--status-address", address, "--since", "2026-01-03", "--json");
	expect(JSON.parse(then.out).devices).toHaveLength(1);
	server.stop();
});

test("where no daemon runs, what it kept is shown; before that there is nothing", async () => {
	const nothing = await atRest();
	expect(nothing).toMatchObject({ code: 1, out: "" });
	expect(nothing.error).toContain("No USB devices were kept");
	const keeper = new UsbHistoryKeeper({ stateDirectory: directory, boot: "b", warn: () => {} });
	const present = seen(device("00 | 08:06:50", { serial: "A\u0007" }));
	const ruleset = new DeviceRuleset(entries(["Block", 8]), "block");
	keeper.settled(present, decideDevice(ruleset, present.device, { mode: "apply", consoleKeyboard: false }));
	keeper.stop();
	const { code, out, error } = await atRest();
	expect(code).toBe(0);
	expect(error).toContain("this is what it kept");
	expect(out).toContain("1-1  1234:5678  (A\\x07): refused (no permitted interface)\n    once, first ");
	const json = await atRest("--json");
	expect(violations(JSON.parse(json.out), "usb-history")).toEqual([]);
});

test("a time that is none is wrong usage", async () => {
	expect(await atRest("--since", "yesterday")).toMatchObject({ code: 64 });
});
