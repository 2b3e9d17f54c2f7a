import { expect, test } from "bun:test";
import { salvageStateDir } from "../../src/config/salvage.ts";

test.each([
	["stateDir: /srv/state\npolicyDir: [", "/srv/state"],
	["a: 1\n  stateDir: '/srv/my state' # kept\n", "/srv/my state"],
	['{"policyDir":"/p","stateDir":"/srv/s","x"', "/srv/s"],
	["stateDir:   /srv/state   # there\n", "/srv/state"],
])("the state directory of broken settings is found: %p", (text, path) => {
	expect(salvageStateDir(text)).toBe(path);
});

test.each([
	"",
	"stateDir: relative",
	"# stateDir: /x",
	"otherstateDir: /x",
	"stateDir: [/x]",
	"stateDir: '/a\0b'",
])("nothing is made up: %p", (text) => {
	expect(salvageStateDir(text)).toBe(null);
});
