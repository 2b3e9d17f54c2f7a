/** Whose word stands in for a settings file that is broken. */

import { expect, test } from "bun:test";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { readSettings } from "../../src/cli/settings.ts";
import { lastGoodSettings } from "../../src/cli/stand-in-settings.ts";
import { saveSettings } from "../../src/state/saved-settings.ts";
import { Files } from "./support/portward.ts";

test("settings of before are believed only where the whole way to them is root's", () => {
	using files = new Files();
	const parent = join(files.path, "parent");
	const stateDir = join(parent, "state");
	mkdirSync(stateDir, { recursive: true, mode: 0o700 });
	expect(saveSettings(stateDir, { file: null, text: `stateDir: ${stateDir}\ntable: kept\n` })).toBeNull();
	const flags = { config: files.put(".config", `stateDir: ${stateDir}\ntabel: x\n`) };
	const found = () => lastGoodSettings(readSettings(flags, false), flags)?.config.table;
	expect(found()).toBe("kept");
	chownSync(parent, 12345, 0);
	expect(found()).toBeUndefined();
});
