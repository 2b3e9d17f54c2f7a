import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isBroken } from "../../src/document/parse.ts";
import { networkPart } from "../../src/enforcers/network/model.ts";
import {
	type DiskFile,
	findDuplicateNames,
	type GoodDocument,
	type LastGood,
	type LastGoodResult,
	resolveLastGood,
} from "../../src/engine/collection.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { policyText } from "./support/policy.ts";

/** A valid document: its name, and a message that tells versions apart. */
function ok(name: string, version = "1"): string {
	return policyText(`message: "${version}"\ningress: [{}]`, name);
}

/** A document with an error beyond its name. */
function bad(name: string): string {
	return policyText("action: Nope\ningress: [{}]", name);
}

const nameless = "kind: KubeArmorNetworkPolicy\n";
const openQuote = 'a: "\n';
/** A policy of another kind. */
const usb = policyText('message: "1"\ndevice: {matchDevice: [{class: HID}]}', "usb").replace(
	"KubeArmorNetworkPolicy",
	"KubeArmorHostPolicy",
);

function file(path: string, ...documents: string[]): DiskFile {
	const parsed = parsePolicyFile(path, documents.join("---\n"));
	return { path, state: parsed.syntaxBroken ? "broken" : "ok", documents: parsed.documents };
}

function unreadable(path: string): DiskFile {
	return { path, state: "broken", documents: [] };
}

/** One step of the daemon: what is on disk now, after what was good before. */
function step(
	files: readonly DiskFile[],
	lastGood: readonly LastGood[] = [],
	directoryVanished = false,
): LastGoodResult {
	return resolveLastGood({ files, lastGood, directoryVanished });
}

function version(document: GoodDocument): string {
	return `${document.name}@${networkPart.of([document.policy])[0]?.ingress[0]?.message ?? ""}`;
}

/** "path:name@version origin" of everything enforced. */
function enforced(result: LastGoodResult): string[] {
	return result.enforce.map(({ path, document, origin }) => `${path}:${version(document)} ${origin}`);
}

function slots(lastGood: readonly LastGood[]): string[] {
	return lastGood.map(({ path, index, document }) => `${path}[${index}]:${version(document)}`);
}

function states(result: LastGoodResult): string[] {
	return result.statuses.map(({ path, document, state }) => `${path}[${document.index}] ${state}`);
}

const before = step([file("a", ok("x"), ok("y")), file("b", ok("z"))]).lastGood;

test("what was good is remembered by path and index", () => {
	expect(slots(before)).toEqual(["a[0]:x@1", "a[1]:y@1", "b[0]:z@1"]);
});

const rest = ["b:z@1 current"];
const table: [string, DiskFile[], string[]][] = [
	["nothing changed", [file("a", ok("x"), ok("y"))], ["a:x@1 current", "a:y@1 current"]],
	["a new version", [file("a", ok("x", "2"), ok("y"))], ["a:x@2 current", "a:y@1 current"]],
	["an error in one document", [file("a", bad("x"), ok("y", "2"))], ["a:x@1 last-good", "a:y@2 current"]],
	["an error that hides the name", [file("a", ok("x", "2"), nameless)], ["a:x@2 current", "a:y@1 last-good"]],
	["a syntax error", [file("a", openQuote, ok("y", "2"))], ["a:x@1 last-good", "a:y@2 current"]],
	["a syntax error in a file cut short", [file("a", openQuote)], ["a:x@1 last-good", "a:y@1 last-good"]],
	["a document removed", [file("a", ok("x"))], ["a:x@1 current"]],
	["the first document removed", [file("a", ok("y"))], ["a:y@1 current"]],
	["all documents commented out", [file("a", "# gone\n")], []],
	["zero bytes", [file("a", "")], ["a:x@1 last-good", "a:y@1 last-good"]],
	["only white space", [file("a", " \n\n")], ["a:x@1 last-good", "a:y@1 last-good"]],
	["an unreadable file", [unreadable("a")], ["a:x@1 last-good", "a:y@1 last-good"]],
	["the file removed", [], []],
	["the file renamed", [file("c", ok("x"), ok("y"))], ["c:x@1 current", "c:y@1 current"]],
	["the file renamed with an error", [file("c", bad("x"), ok("y"))], ["c:y@1 current"]],
	["a stray marker in front", [file("a", "---\n", bad("x"), ok("y"))], ["a:x@1 last-good", "a:y@1 current"]],
	[
		"a document inserted before a broken one",
		[file("a", ok("new"), bad("x"), ok("y"))],
		["a:new@1 current", "a:x@1 last-good", "a:y@1 current"],
	],
	[
		"documents swapped, one broken",
		[file("a", ok("y", "2"), bad("x"))],
		["a:x@1 last-good", "a:y@2 current"],
	],
	[
		"a document replaced by another",
		[file("a", ok("x"), ok("other"))],
		["a:x@1 current", "a:other@1 current"],
	],
	[
		"a document replaced by a broken other",
		[file("a", ok("x"), bad("other"))],
		["a:x@1 current", "a:y@1 last-good"],
	],
	[
		"a policy of another kind takes its place",
		[file("a", ok("x"), usb)],
		["a:x@1 current", "a:usb@ current"],
	],
	[
		"a bad file beside them",
		[file("a", ok("x"), ok("y")), file("bad", openQuote)],
		["a:x@1 current", "a:y@1 current"],
	],
];

test.each(table)("%s", (_name, files, expected) => {
	const result = step([...files, file("b", ok("z"))], before);
	expect(enforced(result).sort()).toEqual([...expected, ...rest].sort());
	expect(enforced(step([file("b", ok("z")), ...files.toReversed()], before.toReversed()))).toEqual(
		enforced(result),
	);
});

test("a vanished directory deletes nothing", () => {
	const result = step([], before, true);
	expect(enforced(result)).toEqual(["a:x@1 last-good", "a:y@1 last-good", "b:z@1 last-good"]);
	expect(result.lastGood).toEqual(before);
	expect(enforced(step([], result.lastGood))).toEqual([]);
});

test("what lay below a directory that cannot be followed stays, and is not missed", () => {
	const path = "sub";
	const broken: DiskFile = { ...unreadable(path), documents: parsePolicyFile(path, "").documents };
	const saved = step([file("sub/a", ok("x")), file("sub/deep/b", ok("y")), file("subway", ok("z"))]).lastGood;
	const first = step([broken, file("subway", ok("z", "2"))], saved);
	const expected = ["sub/a:x@1 last-good", "sub/deep/b:y@1 last-good", "subway:z@2 current"];
	expect(enforced(first)).toEqual(expected);
	expect(first.statuses.find((status) => status.path === path)?.state).toBe("last-good");
	// Over a restart as well; and once it can be followed again, it counts.
	expect(enforced(step([broken, file("subway", ok("z", "2"))], first.lastGood))).toEqual(expected);
	expect(enforced(step([file("sub/a", ok("x", "3"))], first.lastGood))).toEqual(["sub/a:x@3 current"]);
	// Where nothing is known of what was there, nothing stands in.
	expect(step([broken]).statuses.map((status) => status.state)).toEqual(["rejected"]);
});

test("a typo, a restart and the repair", () => {
	const broken = step([file("a", openQuote, ok("y")), file("b", ok("z"))], before);
	const restarted = step([file("a", openQuote, ok("y")), file("b", ok("z"))], broken.lastGood);
	expect(enforced(restarted)).toEqual(["a:x@1 last-good", "a:y@1 current", "b:z@1 current"]);
	expect(states(restarted)).toEqual(["a[0] last-good", "a[1] current", "b[0] current"]);
	const repaired = step([file("a", ok("x", "3"), ok("y")), file("b", ok("z"))], restarted.lastGood);
	expect(enforced(repaired)).toEqual(["a:x@3 current", "a:y@1 current", "b:z@1 current"]);
});

test("a new document with an error is rejected, nothing stands in for it", () => {
	const result = step([file("a", bad("x")), file("b", ok("z"))]);
	expect(enforced(result)).toEqual(["b:z@1 current"]);
	expect(states(result)).toEqual(["a[0] rejected", "b[0] current"]);
});

describe("two policies with one name", () => {
	test("neither is newly enforced, each names the other's place", () => {
		const result = step([file("a", ok("x")), file("b", ok("q"), ok("x", "2"))]);
		expect(enforced(result)).toEqual(["b:q@1 current"]);
		expect(states(result)).toEqual(["a[0] rejected", "b[0] current", "b[1] rejected"]);
		const [first, , second] = result.statuses;
		expect(first?.diagnostics.at(-1)).toMatchObject({
			code: "duplicate-name",
			severity: "error",
			path: "metadata.name",
		});
		expect(first?.diagnostics.at(-1)?.message).toContain("b:12:1");
		expect(second?.diagnostics.at(-1)?.message).toContain("a:1:1");
	});

	test("the one that was good and is unchanged stays, the copy is rejected", () => {
		const result = step([file("a", ok("x"), ok("y")), file("b", ok("z")), file("copy", ok("x"))], before);
		expect(enforced(result)).toEqual(["a:x@1 current", "a:y@1 current", "b:z@1 current"]);
		expect(states(result)).toContain("copy[0] rejected");
	});

	test("a good one that changed as well keeps its last good", () => {
		const result = step(
			[file("a", ok("x", "2"), ok("y")), file("b", ok("z")), file("copy", ok("x"))],
			before,
		);
		expect(enforced(result)).toEqual(["a:x@1 last-good", "a:y@1 current", "b:z@1 current"]);
		const after = step([file("a", ok("x", "2"), ok("y")), file("b", ok("z"))], result.lastGood);
		expect(enforced(after)[0]).toBe("a:x@2 current");
	});

	test("one that is renamed onto another keeps its last good", () => {
		const result = step([file("a", ok("x"), ok("y")), file("b", ok("x", "2"))], before);
		expect(enforced(result)).toEqual(["a:x@1 current", "a:y@1 current", "b:z@1 last-good"]);
	});

	test("names that are exchanged are no conflict", () => {
		const result = step([file("a", ok("z"), ok("y")), file("b", ok("x"))], before);
		expect(enforced(result)).toEqual(["a:z@1 current", "a:y@1 current", "b:x@1 current"]);
	});

	test("a name that a last good version still holds is taken", () => {
		const result = step([file("a", nameless, ok("y")), file("b", ok("x", "2"))], before);
		expect(enforced(result)).toEqual(["a:x@1 last-good", "a:y@1 current", "b:z@1 last-good"]);
		expect(result.statuses.at(-1)?.diagnostics.at(-1)?.message).toContain("last good version");
	});

	test("a taken name can take another's: the chain is followed", () => {
		const files = [file("a", nameless, ok("y")), file("b", ok("x", "2")), file("c", ok("z", "3"))];
		expect(enforced(step(files, before))).toEqual(["a:x@1 last-good", "a:y@1 current", "b:z@1 last-good"]);
	});

	test("a broken copy takes no name: one bad document never takes others down", () => {
		const result = step([file("a", ok("x")), file("copy", bad("x"))]);
		expect(enforced(result)).toEqual(["a:x@1 current"]);
	});

	test("names are compared within one kind", () => {
		expect(enforced(step([file("a", ok("usb")), file("b", usb)]))).toEqual([
			"a:usb@1 current",
			"b:usb@ current",
		]);
	});

	test("inside one file too, at any number", () => {
		const { documents } = parsePolicyFile("f", [ok("x"), ok("y"), ok("x"), ok("x")].join("---\n"));
		const duplicates = findDuplicateNames(documents);
		expect([...duplicates.keys()].map((d) => d.index).sort()).toEqual([0, 2, 3]);
		expect(duplicates.get(documents[0] ?? fail())?.message).toContain("f:23:1");
	});
});

function fail(): never {
	throw new Error("missing");
}

describe("whatever happens", () => {
	const document = fc.oneof(
		fc.tuple(fc.constantFrom("x", "y", "z"), fc.constantFrom("1", "2")).map(([name, v]) => ok(name, v)),
		fc.constantFrom("x", "y").map(bad),
		fc.constantFrom(nameless, openQuote, usb, "# nothing\n"),
	);
	const disk = fc
		.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c"), fc.array(document, { maxLength: 3 })), {
			selector: ([path]) => path,
		})
		.map((files) => files.map(([path, documents]) => file(path, ...documents)));
	const history = fc.array(fc.tuple(disk, fc.boolean()), { minLength: 1, maxLength: 5 });

	test("invariants hold over any history", () => {
		fc.assert(
			fc.property(history, (steps) => {
				let lastGood: readonly LastGood[] = [];
				for (const [files, vanished] of steps) {
					const known = new Set(lastGood.map((saved) => version(saved.document)));
					const result = step(files, lastGood, vanished);
					const names = result.enforce.map(({ document }) => document.name);
					expect(new Set(names).size).toBe(names.length);
					expect(slots(result.lastGood).map((slot) => slot.split(":")[0])).toEqual([
						...new Set(slots(result.lastGood).map((slot) => slot.split(":")[0] ?? "")),
					]);
					expect(result.lastGood.map((saved) => version(saved.document)).sort()).toEqual(
						result.enforce.map(({ document }) => version(document)).sort(),
					);
					const inStatus = result.statuses.flatMap(({ enforced: inForce }) =>
						inForce === null ? [] : [version(inForce)],
					);
					expect(inStatus.sort()).toEqual(result.enforce.map(({ document }) => version(document)).sort());
					for (const { document, origin } of result.enforce) {
						expect(isBroken(document)).toBe(false);
						if (origin === "last-good") expect(known).toContain(version(document));
					}
					const good = files.flatMap((f) => f.documents).filter((d) => d.policy !== null);
					for (const d of good) {
						// A valid document under a name of its own, that nothing else held, is always enforced.
						const alone = good.filter((other) => other.name === d.name).length === 1;
						const fresh = !lastGood.some((saved) => saved.document.name === d.name);
						if (alone && fresh) expect(names).toContain(d.name);
					}
					lastGood = result.lastGood;
				}
			}),
			{ numRuns: 500 },
		);
	});

	test("the same disk again changes nothing that is enforced", () => {
		fc.assert(
			fc.property(history, (steps) => {
				let lastGood: readonly LastGood[] = [];
				for (const [files, vanished] of steps) lastGood = step(files, lastGood, vanished).lastGood;
				const [files, vanished] = steps.at(-1) ?? fail();
				const again = step(files, lastGood, vanished);
				expect(again.enforce.map(({ document }) => version(document)).sort()).toEqual(
					lastGood.map((saved) => version(saved.document)).sort(),
				);
			}),
			{ numRuns: 500 },
		);
	});
});
