import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { control } from "../../../src/cli/change/control-client.ts";
import type { Logger } from "../../../src/report/log.ts";
import { type ControlRequest, controlPath } from "../../../src/serve/control/control-protocol.ts";
import { ControlService, type ControlVerbs } from "../../../src/serve/control/control-service.ts";

const unasked = () => ({ ok: false, message: "not asked for" }) as const;

function service(stateDirectory: string, over: Partial<ControlVerbs> = {}) {
	const logged: string[] = [];
	const note = (message: string) => {
		logged.push(message);
	};
	const log: Logger = { info: note, warn: note, error: note };
	const verbs: ControlVerbs = {
		"usb-allow": ({ port, seconds }, peer) => ({ ok: true, message: `${port} ${seconds} ${peer.pid}` }),
		"usb-hand": unasked,
		"panic-open": () => ({ ok: true, message: "opened" }),
		resume: () => ({ ok: true, message: "resumed" }),
		"reset-serial": unasked,
		reload: () => ({ ok: true, message: "reloaded" }),
		apply: unasked,
		confirm: unasked,
		rollback: unasked,
		page: unasked,
		...over,
	};
	return { logged, control: new ControlService({ stateDirectory, verbs, log }) };
}

test("each verb goes to its own part, with who asked", async () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-control."));
	const { control: own } = service(directory);
	await own.start();
	const request: ControlRequest = { verb: "usb-allow", port: "1-4", seconds: 5 };
	expect(await control(controlPath(directory), request)).toEqual({
		ok: true,
		message: `1-4 5 ${process.pid}`,
	});
	expect(await control(controlPath(directory), { verb: "panic-open" })).toEqual({
		ok: true,
		message: "opened",
	});
	expect(await control(controlPath(directory), { verb: "resume" })).toEqual({ ok: true, message: "resumed" });
	expect(await control(controlPath(directory), { verb: "reload" })).toEqual({
		ok: true,
		message: "reloaded",
	});
	expect(await control(controlPath(directory), { verb: "reset-serial" })).toEqual(unasked());
	for (const request of [
		{ verb: "rollback", id: null },
		{ verb: "page", what: "link" },
		{ verb: "usb-hand", what: "end", port: "1-4" },
	] as unknown as ControlRequest[])
		expect(await control(controlPath(directory), request)).toMatchObject({ ok: false });
	own.stop();
	rmSync(directory, { recursive: true });
});

test("a bug in a verb is logged with its stack, and a socket that cannot be made is no end", async () => {
	const directory = mkdtempSync(join(tmpdir(), "portward-control."));
	const { control: own, logged } = service(directory, {
		"usb-allow": () => {
			throw new Error("a bug");
		},
	});
	await own.start();
	const request: ControlRequest = { verb: "usb-allow", port: "1-4", seconds: 5 };
	expect(await control(controlPath(directory), request)).toMatchObject({ ok: false });
	expect(logged).toEqual(["a bug in carrying out a request"]);
	own.stop();
	writeFileSync(controlPath(directory), "");
	const second = service(directory);
	await second.control.start();
	expect(second.logged).toEqual(["there is no control socket"]);
	second.control.stop();
	rmSync(directory, { recursive: true });
});
