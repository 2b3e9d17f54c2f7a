import { expect, test } from "bun:test";
import { join } from "node:path";
import { raiseSerial, readSerial } from "../../../src/state/policy-serial.ts";
import { takeReset } from "../../../src/state/serial-reset.ts";
import { Files, portward } from "../support/portward.ts";

test("without a daemon the serial is forgotten, the risk is said, and a note is left for the next start", async () => {
	using files = new Files();
	const config = files.config({ stateDir: join(files.path, "state"), table: "reset_serial_test" });
	const state = join(files.path, "state");
	expect(raiseSerial(state, { serial: 7, digest: "d".repeat(64) } as never)).toBeNull();
	const { code, out, error } = await portward("policy", "reset-serial", "--config", config);
	expect(code).toBe(0);
	expect(out).toContain("the serial is reset");
	expect(error).toContain("any set that a trusted key ever signed is taken");
	const read = readSerial(state);
	expect(read.ok && read.set !== null).toBe(false);
	expect(takeReset(state)).toContain(`process ${process.pid} of root`);
});

test("nobody but root may", async () => {
	using files = new Files();
	const config = files.config({ stateDir: join(files.path, "state") });
	process.seteuid?.(65534);
	try {
		const { code, error } = await portward("policy", "reset-serial", "--config", config);
		expect(code).toBe(1);
		expect(error).toContain("only root");
	} finally {
		process.seteuid?.(0);
	}
});
