import { expect, test } from "bun:test";
import { ownSender, ownUnit } from "../../../src/kernel/senders/own-sender.ts";

test.each([
	["0::/system.slice/portward.service\n", "portward.service"],
	["1:name=systemd:/x\n0::/system.slice/a.slice/web@1.service/sub\n", "web@1.service"],
	["0::/user.slice/user-0.slice/session-3.scope\n", null],
	["0::/user.slice/user-1.slice/user@1.service/app.slice/a.service\n", "user@1.service"],
	["0::/\n", null],
	["", null],
])("%j is of %p", (text, unit) => {
	expect(ownUnit(text)).toBe(unit);
});

test("this process has a user and a group", () => {
	expect(ownSender()).toMatchObject({ user: process.geteuid?.(), group: process.getegid?.() });
});
