import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileMappings, releaseCodePages } from "../../ffi/code-pages.ts";

test("pages are taken of what is private, and no writable code, of this very file", () => {
	const maps = [
		"00200000-00400000 r--p 00000000 08:01 7   /usr/local/bin/portward",
		"00400000-00a00000 r-xp 00200000 08:01 7   /usr/local/bin/portward",
		"00b00000-00c00000 rw-p 00900000 08:01 7   /usr/local/bin/portward",
		"00c00000-00d00000 rw-s 00900000 08:01 7   /usr/local/bin/portward",
		"00d00000-00e00000 ---p 00900000 08:01 7   /usr/local/bin/portward",
		"00a00000-00b00000 rwxp 00800000 08:01 7   /usr/local/bin/portward",
		"7f0000000000-7f0000001000 r-xp 00000000 08:01 9   /usr/lib/libc.so.6",
		"7f0000002000-7f0000003000 r-xp 00000000 08:01 8   /usr/local/bin/portward (deleted)",
		"7f0000004000-7f0000005000 r-xp 00000000 00:00 0   [vdso]",
		"",
	].join("\n");
	expect(fileMappings(maps, "/usr/local/bin/portward")).toEqual([
		{ start: 0x200000n, bytes: 0x200000n, code: false },
		{ start: 0x400000n, bytes: 0x600000n, code: true },
		{ start: 0xb00000n, bytes: 0x100000n, code: false },
	]);
});

test("the pages leave this process, which goes on", () => {
	const resident = () => Number(/RssFile:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
	const before = resident();
	expect(releaseCodePages()).toBeGreaterThan(0n);
	expect(resident()).toBeLessThan(before);
	expect([3, 1, 2].toSorted()).toEqual([1, 2, 3]);
});
