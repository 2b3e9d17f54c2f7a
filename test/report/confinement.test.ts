import { expect, test } from "bun:test";
import { describeConfinement } from "../../src/report/confinement.ts";

const yes = { active: true, detail: "" };
const writable = ["/etc/portward", "/var/lib/portward"];

test("says what the daemon cannot do", () => {
	expect(describeConfinement({ systemCalls: yes, files: yes, writable })).toBe(
		"runs no other program, loads no module, mounts nothing; writes only below /etc/portward, /var/lib/portward",
	);
	const files = { active: true, detail: "nothing can be written to /var/lib/portward" };
	expect(describeConfinement({ systemCalls: yes, files, writable })).toEndWith(
		"/var/lib/portward (nothing can be written to /var/lib/portward)",
	);
});

test("says what does not hold, and why", () => {
	const no = { active: false, detail: "this kernel has none" };
	expect(describeConfinement({ systemCalls: no, files: no, writable })).toBe(
		"system calls are not confined: this kernel has none; files are not confined: this kernel has none",
	);
});
