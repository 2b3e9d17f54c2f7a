import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decideDevice } from "../../../../src/enforcers/usb/compile/decide.ts";
import type { SelectedEntry } from "../../../../src/enforcers/usb/compile/match.ts";
import { DeviceRuleset, needsLock, selectEntries } from "../../../../src/enforcers/usb/compile/ruleset.ts";
import { devices, oracle, rules } from "./oracle.ts";
import { device, entries } from "./sample.ts";

describe("random devices and entries", () => {
	test("are decided as the brute-force oracle decides", () => {
		const seen = new Set<string>();
		fc.assert(
			fc.property(
				rules,
				fc.constantFrom("audit" as const, "block" as const),
				fc.array(devices, { minLength: 1, maxLength: 4 }),
				(all, posture, subjects) => {
					const ruleset = new DeviceRuleset(all, posture);
					for (const subject of subjects) {
						const {
							device: outcome,
							interfaces,
							state,
						} = decideDevice(ruleset, subject, {
							mode: "apply",
							consoleKeyboard: false,
						});
						const refused = interfaces
							.filter(({ permitted }) => !permitted)
							.map(({ configuration, number }) => `${configuration}.${number}`);
						const actual = outcome === "refuse" ? "refuse" : refused.sort();
						expect(actual).toEqual(oracle.decide(all, posture, subject));
						seen.add(state);
						if (state !== "authorized") expect(ruleset.needsLock).toBe(true);
					}
				},
			),
			{ numRuns: 1500 },
		);
		expect(seen).toEqual(new Set(["authorized", "partial", "refused"]));
	});

	test("do not depend on the order of the entries", () => {
		fc.assert(
			fc.property(rules, devices, (all, subject) => {
				const options = { mode: "apply", consoleKeyboard: false } as const;
				const outcome = (list: readonly SelectedEntry[]) =>
					decideDevice(new DeviceRuleset(list, "block"), subject, options).functions.map(({ verdict }) => [
						verdict.action,
						verdict.entry?.policy,
						verdict.entry?.entry.index,
					]);
				expect(outcome(all.toReversed())).toEqual(outcome(all));
			}),
		);
	});
});

describe("DeviceRuleset", () => {
	test("locks only when something could be refused", () => {
		expect(needsLock(entries(["Audit", null]), "block")).toBe(false);
		expect(needsLock(entries(["Allow", 3]), "audit")).toBe(false);
		expect(needsLock(entries(["Allow", 3]), "block")).toBe(true);
		expect(needsLock(entries(["Block", 3]), "audit")).toBe(true);
		expect(needsLock([], "block")).toBe(false);
	});

	test("takes the entries of every selected policy", () => {
		const policy = (name: string) => ({
			kind: "KubeArmorHostPolicy" as const,
			name,
			place: { file: "p.yaml", line: 1, column: 1 },
			nodeSelector: { matchLabels: {}, place: { file: "p.yaml", line: 1, column: 1 } },
			action: "Block" as const,
			entries: entries(["Block", 3], ["Audit", 8]).map(({ entry }) => entry),
		});
		expect(selectEntries([policy("a"), policy("b")]).map((item) => [item.policy, item.entry.index])).toEqual([
			["a", 0],
			["a", 1],
			["b", 0],
			["b", 1],
		]);
	});

	test("a verdict is plain data", () => {
		const ruleset = new DeviceRuleset(entries(["Block", null], ["Allow", 3]), "block");
		const decision = decideDevice(ruleset, device("00|03:01:01"), { mode: "apply", consoleKeyboard: false });
		expect(structuredClone(decision)).toEqual(decision);
	});
});
