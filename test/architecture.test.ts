/** The arrows of ARCHITECTURE.md, and other rules about the shape of the sources. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { freeWords, hasSequence, importsOf, packageOf, type Token, tokenize } from "./support/source.ts";

const root = resolve(import.meta.dir, "..");

interface Source {
	readonly path: string;
	readonly text: string;
	readonly tokens: readonly Token[];
	readonly imports: readonly string[];
}

const sources: readonly Source[] = ["src/**/*.ts", "ffi/**/*.ts"]
	.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })])
	.sort()
	.map((path) => {
		const text = readFileSync(join(root, path), "utf8");
		const tokens = tokenize(text);
		return { path, text, tokens, imports: importsOf(tokens) };
	});

/** `src/base`, `src/enforcers/network`, `ffi`, or `src/main.ts` itself. */
function areaOf(path: string): string {
	if (path.startsWith("ffi/")) return "ffi";
	const [, second, third] = path.split("/");
	return second === "enforcers" ? `src/${second}/${third}` : `src/${second}`;
}

interface Arrows {
	readonly areas: readonly string[];
	readonly packages: readonly string[];
	readonly builtins: readonly string[] | "any";
}

/** What every enforcer may import: none of the others, and nothing of who runs it. */
const enforcer: readonly string[] = [
	"src/base",
	"src/document",
	"src/config",
	"src/kernel",
	"src/threads",
	"src/state",
	"src/report",
	"src/enforcers/contract",
	"ffi",
];

const daemon: readonly string[] = [
	"src/base",
	"src/config",
	"src/kernel",
	"src/source",
	"src/state",
	"src/report",
	"src/serve",
	"src/enforcers/contract",
	"src/enforcers/network",
	"src/enforcers/usb",
	"src/engine",
	"ffi",
];

/** What each area may import: other areas, npm packages, built-in modules. Its own files always. */
const arrows: Readonly<Record<string, Arrows>> = {
	ffi: { areas: [], packages: [], builtins: "any" },
	"src/base": { areas: [], packages: ["ipaddr.js"], builtins: ["node:crypto"] },
	"src/document": { areas: ["src/base"], packages: ["yaml"], builtins: [] },
	"src/config": { areas: ["src/base", "src/document"], packages: ["yaml", "valibot"], builtins: [] },
	"src/convert": { areas: ["src/base", "src/document"], packages: ["yaml"], builtins: [] },
	"src/kernel": { areas: ["src/base", "ffi"], packages: [], builtins: "any" },
	"src/threads": { areas: ["ffi"], packages: [], builtins: "any" },
	"src/source": { areas: ["src/base"], packages: ["valibot"], builtins: "any" },
	"src/state": { areas: ["src/source"], packages: [], builtins: "any" },
	"src/report": { areas: ["src/base", "src/config"], packages: [], builtins: "any" },
	"src/sinks": { areas: ["src/config", "src/report", "ffi"], packages: [], builtins: "any" },
	"src/enforcers/contract": {
		areas: ["src/base", "src/document", "src/config", "src/report"],
		packages: [],
		builtins: [],
	},
	"src/enforcers/network": {
		areas: enforcer,
		packages: ["valibot", "yaml"],
		builtins: "any",
	},
	"src/enforcers/usb": { areas: enforcer, packages: ["valibot", "yaml"], builtins: "any" },
	"src/engine": {
		areas: [
			"src/base",
			"src/document",
			"src/config",
			"src/kernel",
			"src/source",
			"src/state",
			"src/enforcers/contract",
			"src/enforcers/network",
			"src/enforcers/usb",
		],
		packages: ["valibot"],
		builtins: "any",
	},
	"src/serve": {
		areas: ["src/base", "src/config", "src/kernel", "src/source", "src/state", "src/report", "ffi"],
		packages: ["ipaddr.js", "valibot", "@grpc/grpc-js"],
		builtins: "any",
	},
	"src/daemon": {
		areas: [...daemon, "src/threads", "src/sinks"],
		packages: [],
		builtins: "any",
	},
	"src/cli": {
		areas: [...daemon, "src/document", "src/convert", "src/daemon"],
		packages: ["valibot"],
		builtins: "any",
	},
	"src/main.ts": { areas: ["src/daemon", "src/cli"], packages: [], builtins: "any" },
};

/** Folders that touch nothing outside their arguments. */
const pure = [
	"src/base",
	"src/document",
	"src/config",
	"src/convert",
	"src/enforcers/network/parse",
	"src/enforcers/network/compile",
	"src/enforcers/network/history",
	"src/report/formats",
	"src/enforcers/network/report",
	"src/enforcers/usb/parse",
	"src/enforcers/usb/compile",
	"src/enforcers/usb/history",
	"src/enforcers/usb/report",
];

/** The file that `specifier` in `path` means, or null when it is a package or a built-in module. */
function fileOf(path: string, specifier: string): string | null {
	return specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : null;
}

/** Every import of `source` that its area does not allow, as text. */
function forbidden(source: Source): string[] {
	const rule = arrows[areaOf(source.path)];
	if (rule === undefined) return [`${source.path}: no rule for ${areaOf(source.path)}; add it to \`arrows\``];
	return source.imports
		.filter((specifier) => {
			const file = fileOf(source.path, specifier);
			if (file !== null) {
				const area = areaOf(file);
				return !existsSync(join(root, file)) || (area !== areaOf(source.path) && !rule.areas.includes(area));
			}
			if (specifier === "bun:ffi") return areaOf(source.path) !== "ffi";
			if (/^(?:node:|bun(?::|$))/u.test(specifier)) {
				return rule.builtins !== "any" && !rule.builtins.includes(specifier);
			}
			return !rule.packages.includes(packageOf(specifier));
		})
		.map((specifier) => `${source.path} imports ${specifier}`);
}

describe("imports", () => {
	test("the scan sees what Bun's own scanner sees", () => {
		const transpiler = new Bun.Transpiler({ loader: "ts" });
		const unseen = sources.flatMap((source) =>
			transpiler
				.scanImports(source.text)
				.map((found) => found.path)
				.filter((path) => !source.imports.includes(path))
				.map((path) => `${source.path}: ${path}`),
		);
		expect(unseen).toEqual([]);
		expect(sources.length).toBeGreaterThan(10);
	});

	test("follow the arrows", () => {
		expect(sources.flatMap(forbidden)).toEqual([]);
	});

	test("every arrow is one that some import follows", () => {
		const followed = new Map<string, Set<string>>();
		for (const { path, imports } of sources) {
			const targets = followed.get(areaOf(path)) ?? new Set();
			followed.set(areaOf(path), targets);
			for (const specifier of imports) {
				const file = fileOf(path, specifier);
				targets.add(file === null ? packageOf(specifier) : areaOf(file));
			}
		}
		const unused = Object.entries(arrows).flatMap(([area, { areas, packages, builtins }]) =>
			[...areas, ...packages, ...(builtins === "any" ? [] : builtins)]
				.filter((target) => !followed.get(area)?.has(target))
				.map((target) => `${area} → ${target}`),
		);
		expect(unused).toEqual([]);
	});

	test("an arrow against the stream is found", () => {
		const wrong = (path: string, specifier: string) =>
			forbidden({ path, text: "", tokens: [], imports: [specifier] }).length > 0;
		expect(wrong("src/base/model.ts", "../document/nodes.ts")).toBe(true);
		expect(wrong("src/base/model.ts", "node:fs")).toBe(true);
		expect(wrong("src/report/alert.ts", "bun:ffi")).toBe(true);
		expect(wrong("src/report/alert.ts", "../serve/status-server.ts")).toBe(true);
		expect(wrong("src/report/alert.ts", "left-pad")).toBe(true);
		expect(wrong("src/document/action.ts", "../base/model.ts")).toBe(false);
	});

	test("no file imports itself, however far around", () => {
		const graph = new Map(
			sources.map((source) => [
				source.path,
				source.imports.map((specifier) => fileOf(source.path, specifier)).filter((file) => file !== null),
			]),
		);
		const done = new Set<string>();
		const cycles: string[] = [];
		const visit = (path: string, trail: readonly string[]): void => {
			if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
			if (trail.includes(path) || done.has(path)) return;
			for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
			done.add(path);
		};
		for (const path of graph.keys()) visit(path, []);
		expect(cycles).toEqual([]);
	});

	test("none is decided at run time", () => {
		expect(sources.filter((source) => source.imports.includes("?")).map((source) => source.path)).toEqual([]);
	});
});

describe("the world outside", () => {
	const outside = ["Bun", "process", "console", "fetch", "globalThis", "Worker", "setTimeout", "setInterval"];

	test("is not named in pure areas", () => {
		const named = sources
			.filter(({ path }) => pure.some((folder) => path.startsWith(`${folder}/`)))
			.flatMap((source) => {
				const words = freeWords(source.tokens);
				return outside.filter((name) => words.has(name)).map((name) => `${source.path}: ${name}`);
			});
		expect(named).toEqual([]);
	});

	test("Workers are made in src/main.ts alone, or the compiled executable does not find them", () => {
		const makers = sources.filter((source) => hasSequence(source.tokens, ["new", "Worker"]));
		expect(makers.map((source) => source.path).filter((path) => path !== "src/main.ts")).toEqual([]);
	});

	test("no process is started", () => {
		const modules = /^(?:node:)?(?:child_process|cluster)$/u;
		const calls = [
			["Bun", ".", "spawn"],
			["Bun", ".", "spawnSync"],
			["Bun", ".", "$"],
			["Bun", ".", "Terminal"],
		];
		const symbols =
			/^(?:v?fork|clone3?|exec(?:v|ve|vp|vpe|veat|l|le|lp)|fexecve|posix_spawnp?|system|popen)$/u;
		const starters = sources.filter(
			(source) =>
				source.imports.some((specifier) => modules.test(specifier)) ||
				(source.imports.includes("bun") && /\b(?:spawn|spawnSync|\$)\b/u.test(source.text)) ||
				calls.some((call) => hasSequence(source.tokens, call)) ||
				(areaOf(source.path) === "ffi" && source.tokens.some((token) => symbols.test(token.text))),
		);
		expect(starters.map((source) => source.path)).toEqual([]);
	});
});

describe("files", () => {
	/** What no test can import because it runs on a thread or in a process of its own, and the test that starts it. */
	const covered: Readonly<Record<string, string>> = {
		"src/main.ts": "test/smoke/executable.test.ts",
		"src/daemon/alert-outlets.ts": "test/smoke/executable.test.ts",
		"src/sinks/sinks.worker.ts": "test/sinks/sink-service.test.ts",
		"src/serve/grpc/grpc.worker.ts": "test/serve/grpc/api-service.test.ts",
		"src/enforcers/network/run/network-observers.ts": "test/smoke/executable.test.ts",
		"src/enforcers/network/run/history/history.worker.ts": "test/system/flows/observing.test.ts",
		"src/enforcers/network/run/nft.worker.ts": "test/smoke/executable.test.ts",
		"src/daemon/policy.worker.ts": "test/smoke/executable.test.ts",
		"src/enforcers/usb/run/jobs.ts": "test/enforcers/usb/run/worker-pool.test.ts",
		"src/enforcers/usb/run/service.ts": "test/vm/usb-enforce.test.ts",
		"src/enforcers/usb/run/usb.worker.ts": "test/enforcers/usb/run/worker-pool.test.ts",
		"src/enforcers/network/observe/drift.worker.ts": "test/system/kernel/drift.test.ts",
		"src/enforcers/network/observe/nflog.worker.ts": "test/system/kernel/nflog.test.ts",
		"src/enforcers/usb/observe/uevent.worker.ts": "test/enforcers/usb/observe/observer.test.ts",
	};

	test("have a test at the mirrored path, or one of their folder that loads them, or none of their code runs", () => {
		const importsByPath = new Map(sources.map(({ path, imports }) => [path, imports]));
		/** The sources that tests under `folder` load, however far through imports. */
		const reached = (folder: string): ReadonlySet<string> => {
			const found = new Set<string>();
			const visit = (path: string, targets: readonly string[]): void => {
				for (const target of targets) {
					const next = normalize(join(dirname(path), target));
					const further = importsByPath.get(next);
					if (further === undefined || found.has(next)) continue;
					found.add(next);
					visit(next, further);
				}
			};
			for (const path of new Bun.Glob(`${folder}/**/*.test.ts`).scanSync({ cwd: root })) {
				visit(path, importsOf(tokenize(readFileSync(join(root, path), "utf8"))));
			}
			return found;
		};
		const system = reached("test/system");
		const byFolder = new Map<string, ReadonlySet<string>>();
		const isReached = (path: string, folder: string): boolean => {
			const own = byFolder.get(folder) ?? reached(folder);
			byFolder.set(folder, own);
			return own.has(path) || system.has(path);
		};
		const transpiler = new Bun.Transpiler({ loader: "ts" });
		const problems = sources.flatMap(({ path, text }) => {
			const mirrored = `${path
				.replace(/^src\//u, "test/")
				.replace(/^ffi\//u, "test/ffi/")
				.replace(/\.ts$/u, "")}.test.ts`;
			const listed = covered[path];
			if (existsSync(join(root, mirrored))) {
				return listed === undefined ? [] : [`${path} has ${mirrored}; take it off the list`];
			}
			if (listed !== undefined)
				return existsSync(join(root, listed)) ? [] : [`${path}: ${listed} does not exist`];
			if (isReached(path, `test/${areaOf(path).replace("src/", "")}`)) return [];
			const onlyTypes = transpiler.transformSync(text).replaceAll("export {};", "").trim() === "";
			return onlyTypes ? [] : [`${path} has no ${mirrored}, and no test of its folder loads it`];
		});
		const gone = Object.keys(covered).filter((path) => !sources.some((source) => source.path === path));
		expect([...problems, ...gone.map((path) => `${path} is listed but does not exist`)]).toEqual([]);
	});

	test("name no path of the machine that they were written on", () => {
		// As a path of its own, not as the tail of "../src/" where the checkout happens to be /src.
		const own = `(^|[^A-Za-z0-9_.*-])${root.replaceAll(/[.*+?^$()[\]{}|\\]/gu, "\\$&")}/`;
		const tracked = Bun.spawnSync(["git", "grep", "-lE", own], { cwd: root }).stdout.toString().trim();
		expect(tracked).toBe("");
	});
});
