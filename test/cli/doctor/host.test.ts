import { describe, expect, test } from "bun:test";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import {
	certificateFindings,
	clockFindings,
	diskFindings,
	kernelFindings,
	libraryFindings,
} from "../../../src/cli/doctor/host.ts";

const states = (findings: readonly Finding[]) => findings.map(({ state }) => state);
const now = Date.parse("2026-11-29T12:00:00Z");
const day = 86_400_000;

test("a finding that is no good has a remedy, and a good one has none", () => {
	const all = [
		...kernelFindings("4.3.0", { ok: false, error: "EPERM" }, true),
		...kernelFindings("6.1.0", { ok: true }, false),
		...certificateFindings([{ name: "c", expires: now - 1 }], now),
		...clockFindings(null, null, now),
		...diskFindings(["full"], []),
	];
	for (const { state, remedy } of all) expect(remedy === "").toBe(state === "ok");
});

test("the kernel's age, and its nf_tables", () => {
	expect(states(kernelFindings("6.18.1-amd64", { ok: true }, true))).toEqual(["ok", "ok"]);
	expect(states(kernelFindings("5.6.0", { ok: true }, true))).toEqual(["ok", "ok"]);
	expect(states(kernelFindings("5.5.19", { ok: true }, true))).toEqual(["warning", "ok"]);
	expect(states(kernelFindings("4.3.6", { ok: true }, true))).toEqual(["error", "ok"]);
	expect(states(kernelFindings("6.1.0", { ok: false, error: "EPERM" }, false))).toEqual(["ok", "warning"]);
	expect(states(kernelFindings("6.1.0", { ok: false, error: "EPROTONOSUPPORT" }, true))).toEqual([
		"ok",
		"error",
	]);
});

describe("certificates", () => {
	test.each([
		[31 * day, "ok", "c.pem expires on 2026-12-30"],
		[30 * day - 1, "warning", "c.pem expires on 2026-12-29, in 29 days"],
		[day, "warning", "c.pem expires on 2026-11-30, in 1 day"],
		[0, "error", "c.pem expired on 2026-11-29"],
	])("that ends in %d ms: %s", (left, state, message) => {
		expect(certificateFindings([{ name: "c.pem", expires: now + left }], now)).toMatchObject([
			{ state, message },
		]);
	});

	test("that cannot be read, and none at all", () => {
		expect(
			certificateFindings([{ name: "c.pem", problem: "is a directory", hint: "name a file" }], now),
		).toEqual([
			{ check: "certificates", state: "error", message: "c.pem is a directory", remedy: "name a file" },
		]);
		expect(states(certificateFindings([], now))).toEqual(["ok"]);
	});
});

test("a clock that nothing keeps is warned of, and one behind our own files is wrong", () => {
	expect(states(clockFindings(true, now - day, now))).toEqual(["ok"]);
	expect(states(clockFindings(false, null, now))).toEqual(["warning"]);
	expect(states(clockFindings(null, now, now))).toEqual(["warning"]);
	expect(clockFindings(true, now + day, now)).toMatchObject([
		{ state: "error", message: expect.stringContaining("2026-11-30T12:00:00.000Z") },
	]);
});

test("a disk that is full, nearly so, and one that is small and empty", () => {
	const disk = (freeMiB: number, MiB: number) => ({
		path: "/x",
		freeBytes: freeMiB * 2 ** 20,
		bytes: MiB * 2 ** 20,
	});
	expect(diskFindings([], [disk(70, 10_000)])).toMatchObject([
		{ state: "ok", message: "/x has 70 MiB left" },
	]);
	expect(states(diskFindings([], [disk(60, 10_000), disk(10, 100)]))).toEqual(["warning", "ok"]);
	expect(diskFindings(["/x is full"], [disk(0, 10)])).toMatchObject([
		{ state: "error", message: "/x is full" },
	]);
});

test("libraries", () => {
	expect(
		libraryFindings([
			{ name: "a", opened: { ok: true, path: "/lib/a.so" } },
			{ name: "b", opened: { ok: false, reason: "it is nowhere", remedy: "install b" } },
		]),
	).toMatchObject([
		{ state: "ok", message: "a: /lib/a.so" },
		{ state: "error", message: "b cannot be used: it is nowhere", remedy: "install b" },
	]);
});
