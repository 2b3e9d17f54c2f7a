/** What the shells themselves make of the scripts. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { completedCommands } from "../../../src/cli/completion/tables.ts";
import { commands, portward } from "../support/portward.ts";

const directory = mkdtempSync(join(tmpdir(), "portward-completion-"));
const script = (shell: string) => join(directory, `portward.${shell}`);

beforeAll(async () => {
	for (const shell of ["bash", "zsh", "fish"]) {
		const { code, out, error } = await portward("completion", shell);
		expect([code, error]).toEqual([0, ""]);
		writeFileSync(script(shell), out);
	}
	writeFileSync(join(directory, "settings.yaml"), "");
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(shell: string, text: string): readonly string[] {
	const flags = shell === "zsh" ? ["-f"] : [];
	const { stdout, stderr } = Bun.spawnSync([shell, ...flags, "-c", text], {
		cwd: directory,
		env: { ...process.env, HOME: directory },
	});
	expect(stderr.toString()).toBe("");
	return stdout.toString().trimEnd().split("\n");
}

/** What each shell offers where the last word is being typed. */
const offers: Readonly<Record<string, (words: readonly string[]) => readonly string[]>> = {
	bash(words) {
		// readline makes a word of its own of the sign in --option=value.
		const split = words.flatMap((word) => (word.includes("=") ? word.split(/(=)/u).filter(Boolean) : [word]));
		const list = split.map((word) => `'${word}'`).join(" ");
		const text = `source ${script("bash")}; COMP_WORDS=(${list}); COMP_CWORD=${split.length - 1}`;
		return run("bash", `${text}; _portward; printf '%s\\n' "\${COMPREPLY[@]}"`);
	},
	zsh(words) {
		const list = words.map((word) => `'${word}'`).join(" ");
		const stubs = `compdef() { : }; compset() { cur=\${cur#*=} }; _message() { : }
_files() { if [[ $1 == -/ ]]; then print -l *(/N); else print -l *(N); fi }
_describe() { print -l \${\${(P)2}%%:*} }
compadd() { shift; local one; for one in "$@"; do [[ $one == "$cur"* ]] && print -r -- $one; done; return 0 }`;
		return run(
			"zsh",
			`${stubs}\nsource ${script("zsh")}; words=(${list}); CURRENT=${words.length}; _portward`,
		);
	},
	fish(words) {
		const line = words.join(" ");
		return run("fish", `source ${script("fish")}; complete -C '${line}'`).map(
			(one) => one.split("\t")[0]?.replace(/^--[a-z-]+=/u, "") ?? "",
		);
	},
};

const names = ["help", ...commands.map(({ name }) => name)];

describe.each(Object.keys(offers))("%s", (shell) => {
	const offer = (...words: readonly string[]) => {
		const own = offers[shell];
		if (own === undefined) throw new Error(shell);
		const typed = words.at(-1) ?? "";
		const prefix = typed.startsWith("--") && typed.includes("=") ? typed.replace(/^[^=]*=/u, "") : typed;
		return own(["portward", ...words])
			.filter((word) => word.startsWith(prefix))
			.toSorted();
	};
	test("commands, verbs, options and values", () => {
		expect(offer("")).toEqual(names.toSorted());
		expect(offer("re")).toEqual(names.filter((name) => name.startsWith("re")).toSorted());
		expect(offer("usb", "")).toEqual(["allow", "block", "explain", "generate-policy", "history", "list"]);
		expect(offer("usb", "list", "--b")).toEqual(["--blocked"]);
		expect(offer("alerts", "--")).toEqual([
			"--action",
			"--config",
			"--follow",
			"--help",
			"--json",
			"--limit",
			"--policy",
			"--status-address",
		]);
		expect(offer("alerts", "--action", "")).toEqual(["Allow", "Audit", "Block"]);
		expect(offer("alerts", "--action=B")).toEqual(["Block"]);
		expect(offer("explain", "")).toEqual(expect.arrayContaining(["egress", "ingress"]));
		expect(offer("explain", "--iface", "eth0", "ingress", "t")).toEqual(
			shell === "fish" ? expect.anything() : ["tcp"],
		);
		expect(offer("explain", "ingress", "gr")).toEqual(["gre"]);
		expect(offer("schema", "--kind", "Kube")).toEqual(["KubeArmorHostPolicy", "KubeArmorNetworkPolicy"]);
		expect(offer("completion", "z")).toEqual(["zsh"]);
		expect(offer("help", "usb")).toEqual(["usb"]);
		expect(offer("validate", "set")).toEqual(["settings.yaml"]);
		expect(offer("validate", "--config", "set")).toEqual(["settings.yaml"]);
		expect(offer("test", "--policy-dir", "set").filter((word) => word !== "")).toEqual([]);
	});
});

test("every option of every command is there, and each parses", async () => {
	const all = await completedCommands(commands);
	expect(all.map(({ path }) => path.join(" "))).toEqual(
		expect.arrayContaining(["run", "usb", "usb list", "policy sign", "panic-open", "completion", "version"]),
	);
	expect(all.find(({ path }) => path.join(" ") === "release")).toMatchObject({ words: [["usb"]] });
	for (const { path, options } of all) {
		if (path[0] === "help") continue;
		for (const { name } of options.filter((option) => option.name !== "--help")) {
			const { code, error } = await portward(...path, name, "--nonsense");
			expect([path, name, code]).toEqual([path, name, 64]);
			expect(error).not.toContain(`there is no option "${name}"`);
		}
	}
});

test("as JSON, and another shell is wrong usage", async () => {
	const { out } = await portward("completion", "bash", "--json");
	expect(JSON.parse(out)).toEqual({ shell: "bash", script: (await portward("completion", "bash")).out });
	for (const args of [[], ["csh"], ["bash", "zsh"]])
		expect((await portward("completion", ...args)).code).toBe(64);
});
