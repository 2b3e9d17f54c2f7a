/** What is left of the executable after it was stripped, cut off or changed never runs as anything else. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
	damagedMessage,
	digest,
	entryCode,
	givenVariables,
	keptVariables,
	seal,
} from "../../scripts/seal.ts";
import { sealOf, withoutEntryCode } from "../support/sealed.ts";
import { executable } from "../system/support/built.ts";

const root = resolve(import.meta.dir, "../..");

let directory: string;
/** The executable's bytes, never changed. */
let whole: Buffer;

beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-seal-"));
	whole = readFileSync(executable());
});
afterAll(() => rmSync(directory, { recursive: true }));

function spawn(argv: string[], env: Record<string, string> = {}) {
	const { exitCode, signalCode, stdout, stderr } = Bun.spawnSync(argv, {
		cwd: directory,
		env: { PATH: process.env.PATH ?? "", ...env },
	});
	return { code: exitCode, signal: signalCode, out: stdout.toString(), error: stderr.toString() };
}

/** A copy of the executable, changed by `change`. */
function changed(change: (bytes: Buffer) => void): string {
	const path = join(directory, "portward");
	const bytes = Buffer.from(whole);
	change(bytes);
	rmSync(path, { force: true });
	writeFileSync(path, bytes, { mode: 0o755 });
	return path;
}

const damaged = { code: 1, signal: undefined, out: "", error: damagedMessage };

describe("the entry code", () => {
	test.each([
		["x64", "as"],
		["arm64", "aarch64-linux-gnu-as"],
	] as const)("for %s is what its source assembles to", (name, assembler) => {
		const [object, flat] = [join(directory, `${name}.o`), join(directory, `${name}.bin`)];
		expect(spawn([assembler, join(root, `scripts/seal/${name}.s`), "-o", object]).error).toBe("");
		expect(
			spawn([assembler.replace(/as$/u, "objcopy"), "-O", "binary", "-j", ".text", object, flat]).error,
		).toBe("");
		const assembled = readFileSync(flat);
		const code = [...entryCode.values()].find((each) => each.name === name)?.code ?? Buffer.alloc(0);
		expect(assembled.subarray(0, code.length).toString("hex")).toBe(code.toString("hex"));
		// What follows are the eleven words that are filled in.
		expect(assembled.subarray(code.length)).toEqual(Buffer.alloc(88));
	});

	test("finds any single word that differs", () => {
		const words = new Uint8Array(64).fill(7);
		const seen = new Set([digest(words)]);
		for (let bit = 0; bit < 512; bit++) {
			const other = Uint8Array.from(words);
			other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			seen.add(digest(other));
		}
		expect(seen.size).toBe(513);
	});
});

test("what is zero before the program is made by the kernel, and is not in the file", () => {
	const { program } = sealOf(whole);
	let zeros = 0;
	while (whole[program - 1 - zeros] === 0) zeros++;
	// What is left pads a page, on arm64 one of 64 KiB.
	expect(zeros).toBeLessThan(0x10000);
	expect(whole.length).toBeLessThan(119_200_000);
});

describe("a damaged executable", () => {
	test("without the address of its program says so and ends; the runtime alone would be plain Bun", () => {
		const { pointer } = sealOf(whole);
		expect(spawn([changed((bytes) => bytes.fill(0, pointer, pointer + 8)), "--version"])).toEqual(damaged);
		const bare = changed((bytes) => {
			bytes.fill(0, pointer, pointer + 8);
			withoutEntryCode(bytes).copy(bytes);
		});
		expect(spawn([bare, "-e", "console.log(6 * 7)"]).out).toBe("42\n");
	});

	test.each(["first", "middle", "last"])("with one bit of its program changed, in its %s word", (where) => {
		const { program, words } = sealOf(whole);
		const word = { first: 0, middle: words >> 1, last: words - 1 }[where] ?? 0;
		const path = changed((bytes) => {
			const at = program + 8 * word;
			bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
		});
		expect(spawn([path, "version"])).toEqual(damaged);
	});

	// Eight, because up to seven after its end are padding.
	test.each([8, 9, 4096, 100_000, 1_000_000])("cut off by %d bytes, which its program needs", (missing) => {
		const path = changed(() => {});
		truncateSync(path, statSync(path).size - missing);
		expect(spawn([path, "version"])).toEqual(damaged);
	});

	test.each([0.98, 0.9, 0.5, 0.1, 0.001])("cut off at %d of its length does not start at all", (part) => {
		const path = changed(() => {});
		truncateSync(path, Math.floor(whole.length * part));
		// The kernel may refuse it, as a shell would say.
		const result = spawn(["env", path, "--version"]);
		expect(result.out).toBe("");
		expect(result.code).not.toBe(0);
	});
});

test.each([
	"strip",
	"strip --strip-all",
	"strip --strip-debug",
	"strip --strip-unneeded",
	"objcopy --strip-all",
	"eu-strip",
	"eu-strip --strip-debug",
	"eu-strip --strip-sections",
])("%s leaves it as it is", (command) => {
	const path = changed(() => {});
	expect(spawn([...command.split(" "), path]).code).not.toBeNull();
	expect(spawn([path, "version"]).out).toStartWith("portward ");
	expect(spawn([path, "-e", "console.log(1)"]).out).toBe("");
	expect(readFileSync(path).equals(whole)).toBe(true);
});

test("of the environment portward sees what it has a use for, and nothing else", async () => {
	const kept = keptVariables.map((name) => (name.endsWith("=") ? `${name}x` : `${name}X=x`));
	const others = [
		"BUN_OPTIONS=",
		"BUN_JSC_useJIT=1",
		"NODE_OPTIONS=",
		"HOME=/",
		"PATH=/",
		"TERMX=1",
		"ATERM=1",
		"X=",
	];
	const mixed = [...kept, ...others].sort((a, b) => a.slice(1).localeCompare(b.slice(1)));
	// It asks a server that does not answer, and so can be looked at.
	const asked = Promise.withResolvers<void>();
	const path = join(directory, "status.sock");
	const never = new Promise<Response>(() => {});
	const server = Bun.serve({
		unix: path,
		fetch: () => {
			asked.resolve();
			return never;
		},
	});
	const argv = [changed(() => {}), "alerts", "--follow", "--status-address", `unix:${path}`];
	const client = Bun.spawn(["env", "-i", ...mixed, ...argv], {
		cwd: directory,
		stdout: "ignore",
		stderr: "ignore",
	});
	await asked.promise;
	const seen = readFileSync(`/proc/${client.pid}/environ`, "latin1");
	client.kill("SIGKILL");
	await client.exited;
	await server.stop(true);
	// An emptied variable begins with a NUL; what is left of it is no variable's name.
	const expected = mixed.map((text) => (kept.includes(text) ? text : `\0${text.slice(1)}`));
	expect(seen).toBe(expected.map((text) => `${text}\0`).join(""));
});

test("in the places of what it emptied the runtime finds the variables that are ours, as many as there are places", () => {
	const { pointer, table } = sealOf(whole);
	// Plain Bun behind the entry code, which is shown another place where the address is right.
	const bare = changed((bytes) => {
		bytes.fill(0, pointer, pointer + 8);
		bytes.writeBigUInt64LE(table.address + 8n, table.offset);
	});
	const seen = (places: number) => {
		const names = Array.from({ length: places }, (_, index) => `X${index}=/`);
		const code = "console.log(JSON.stringify(process.env))";
		const { out } = spawn(["env", "-i", ...names, "PORTWARD_X=kept", bare, "-e", code]);
		return JSON.parse(out);
	};
	const ours = givenVariables.map((text) => text.split("=", 2));
	for (const places of [0, 1, 2, ours.length, ours.length + 3]) {
		expect(seen(places)).toEqual({ ...Object.fromEntries(ours.slice(0, places)), PORTWARD_X: "kept" });
	}
});

describe("what is not as Bun makes it is not sealed", () => {
	const error = (bytes: Uint8Array) => {
		const result = seal(bytes);
		return result.ok ? "" : result.error;
	};

	test("a file of another kind", () => {
		expect(error(Buffer.from("#!/bin/sh\n".padEnd(4096)))).toContain("not a 64 bit little-endian ELF");
	});

	test("another machine", () => {
		const other = Buffer.from(whole.subarray(0, 4096));
		other.writeUInt16LE(243, 18);
		expect(error(other)).toContain("ELF machine 243");
	});

	test("what is sealed already", () => {
		expect(error(whole)).toContain("segments");
	});
});
