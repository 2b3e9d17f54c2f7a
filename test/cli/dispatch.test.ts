import { describe, expect, test } from "bun:test";
import { type Command, UsageError, wantsColour } from "../../src/cli/command.ts";
import { formatDiagnostic } from "../../src/cli/diagnostics.ts";
import { dispatch } from "../../src/cli/dispatch.ts";
import { CapturedIo, commands, portward } from "./support/portward.ts";

describe("help", () => {
	test.each([[["help"]], [["--help"]], [["-h"]], [["help", "help"]]])(
		"portward %p lists every command on stdout",
		async (args) => {
			const { code, out, error } = await portward(...args);
			expect(code).toBe(0);
			expect(error).toBe("");
			for (const { name, summary } of commands)
				expect(out).toMatch(new RegExp(`^  ${name} +${summary}$`, "m"));
		},
	);

	test.each(commands.map(({ name }) => [name]))(
		"portward help %s, %s --help and -h are the same",
		async (name) => {
			const asked = await portward("help", name);
			expect(asked.code).toBe(0);
			expect(asked.out).toStartWith(`Usage: portward ${name}`);
			expect(await portward(name, "--help")).toEqual(asked);
			expect(await portward(name, "--json", "-h")).toEqual(asked);
		},
	);

	test.each(commands.map((command) => [command.name, command.help] as const))(
		"%s: no line is too wide for a terminal, options are aligned, every option is told",
		async (name, help) => {
			for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(79);
			const told = [...help.matchAll(/^( {2}--[a-z-]+(?: [A-Z]+)? {2,})\S/gm)].map(
				(match) => match[1]?.length,
			);
			expect(new Set(told).size).toBeLessThanOrEqual(1);
			const synopsis = new Set(help.split("\n\n")[0]?.match(/--[a-z-]+/g));
			for (const option of synopsis) {
				expect(help.split("\n\n").slice(1).join("\n\n")).toContain(`  ${option}`);
				const { error } = await portward(name, `${option}=`, "--nonsense");
				expect(error).not.toContain(`there is no option "${option}"`);
			}
		},
	);

	test("no command at all is wrong usage, with the help on stderr", async () => {
		const { code, out, error } = await portward();
		expect([code, out]).toEqual([64, ""]);
		expect(error).toContain("Usage: portward COMMAND");
	});
});

describe("wrong usage is 64, on stderr, with what to write instead", () => {
	test.each([
		[["validat"], "did you mean validate?"],
		[["help", "explian"], "did you mean explain?"],
		[["frobnicate"], "known commands: help, run, validate"],
		[["--frobnicate"], "known commands: help, run, validate"],
		[["constructor"], "there is no command"],
	])("%p", async (args, text) => {
		const { code, out, error } = await portward(...args);
		expect([code, out]).toEqual([64, ""]);
		expect(error).toContain(text);
	});

	test("hostile words move no cursor", async () => {
		for (const args of [
			["\x1b[2J"],
			["help", "\x1b[2J\u202e"],
			["validate", "--\x1b[2J"],
			["version", "\x1b[2J"],
		]) {
			const { code, error } = await portward(...args);
			expect(code).toBe(64);
			expect(error).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
		}
	});

	test("a usage error brings along how the command is used, and no more", async () => {
		const { code, out, error } = await portward("explain", "ingress");
		expect([code, out]).toEqual([64, ""]);
		expect(error).toStartWith("portward explain: write the direction");
		expect(error).toContain("Usage: portward explain");
		expect(error).toEndWith("\n\nportward help explain tells more.\n");
		expect(error).not.toContain("What happens to a new connection");
	});
});

test("version, --version and -V say version, commit, architecture and runtime", async () => {
	const { code, out, error } = await portward("version");
	expect([code, error]).toEqual([0, ""]);
	expect(out).toMatch(/^portward \d+\.\d+\.\d+ \(\w+\) linux\/(x64|arm64) bun \d+\.\d+\.\d+\n$/);
	for (const flag of ["--version", "-V"]) expect((await portward(flag)).out).toBe(out);
	expect((await portward("version", "extra")).code).toBe(64);
	expect((await portward("version", "--jsn")).error).toContain("did you mean --json?");
});

test("after -- a flag is a word like any other", async () => {
	const { code, error } = await portward("validate", "--", "--help");
	expect(code).toBe(1);
	expect(error).toContain("--help:1:1: error");
});

test("only usage errors are caught: a bug stays one", async () => {
	const failing = (error: Error): Command => ({
		name: "fail",
		summary: "",
		help: "",
		run: () => Promise.reject(error),
	});
	const bug = new TypeError("a bug");
	expect(dispatch([failing(bug)], ["fail"], new CapturedIo())).rejects.toBe(bug);
	expect(await dispatch([failing(new UsageError("no"))], ["fail"], new CapturedIo())).toBe(64);
});

describe("colours", () => {
	test("are for terminals whose owner wants them", () => {
		expect(wantsColour(true, {})).toBe(true);
		expect(wantsColour(true, { NO_COLOR: "" })).toBe(true);
		expect(wantsColour(false, {})).toBe(false);
		expect(wantsColour(true, { NO_COLOR: "1" })).toBe(false);
		expect(wantsColour(true, { NO_COLOR: "0" })).toBe(false);
		expect(wantsColour(true, { TERM: "dumb" })).toBe(false);
		expect(wantsColour(true, { TERM: "xterm" })).toBe(true);
	});

	test("colour the severity and nothing else", async () => {
		for (const colour of [true, false]) {
			const io = new CapturedIo(colour);
			expect(await dispatch(commands, ["validate", "/nowhere.yaml"], io)).toBe(1);
			expect(io.error_.includes("\x1b[31merror\x1b[0m")).toBe(colour);
			expect(io.error_.replace("\x1b[31merror\x1b[0m", "error")).not.toContain("\x1b");
			expect(io.out_).not.toContain("\x1b");
		}
	});

	test("text of a policy is escaped around them", () => {
		const place = { file: "a\x1b[1m.yaml", line: 2, column: 3 };
		const hostile = {
			...place,
			path: "spec.\n",
			severity: "warning",
			code: "c",
			message: "m\r",
			hint: "h\u202e",
		} as const;
		expect(formatDiagnostic(hostile, false)).toBe(
			"a\\x1b[1m.yaml:2:3: warning: m\\r [c]\n    field: spec.\\n\n    hint: h\\u{202e}\n",
		);
		expect(formatDiagnostic({ ...hostile, path: "", hint: "" }, true)).toBe(
			"a\\x1b[1m.yaml:2:3: \x1b[33mwarning\x1b[0m: m\\r [c]\n",
		);
	});
});
