import { expect, test } from "bun:test";
import { disarm, obeyedVariables } from "../../scripts/disarm.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const whole = obeyedVariables.map((name) => `\0${name}\0`).join("…");

test("every name is replaced by one that no environment can hold, and nothing else changes", () => {
	const result = disarm(encode(`ELF${whole}tail`));
	if (!result.ok) throw new Error(result.error);
	const text = new TextDecoder().decode(result.bytes);
	for (const name of obeyedVariables) expect(text).not.toContain(`${name}\0`);
	expect(text).toBe(`ELF${obeyedVariables.map((name) => `\0${"=".repeat(name.length)}\0`).join("…")}tail`);
});

test.each([
	["is missing", whole.replace("BUN_BE_BUN", "BUN_BE_DEN"), "BUN_BE_BUN occurs 0 times"],
	["stands twice", `${whole}\0BUN_OPTIONS\0`, "BUN_OPTIONS occurs 2 times"],
])("a runtime in which a name %s is refused", (_, text, message) => {
	const result = disarm(encode(text));
	expect(result.ok ? "" : result.error).toContain(message);
});
