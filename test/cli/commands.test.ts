import { expect, test } from "bun:test";
import { allCommands } from "../../src/cli/commands.ts";

const commands = allCommands(() => {
	throw new Error("no daemon is started here");
});

test("every command has a name of its own, as one types it", () => {
	const names = commands.map(({ name }) => name);
	expect(new Set(names).size).toBe(names.length);
	for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
	// These are dispatch's own.
	expect(names).not.toContain("help");
});
