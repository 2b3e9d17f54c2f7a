/** Confines itself as the daemon does, then tries what it must not do. Prints what came of each attempt as JSON. */

import { dlopen } from "bun:ffi";
import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { parseConfig } from "../../../src/config/parse.ts";
import { confine } from "../../../src/daemon/confinement.ts";

const [directory = "", mode = "enforce"] = process.argv.slice(2);
const settings = {
	policyDir: `${directory}/etc/policies`,
	stateDir: `${directory}/state`,
	alerts: { file: `${directory}/log/alerts.jsonl` },
	confinement: mode,
};
const parsed = parseConfig("config.yaml", JSON.stringify(settings));
if (!parsed.ok) throw new Error("the settings are refused");
// A thread of the runtime's pool that was there before is the hardest case for rules that hold for a thread.
await writeFile(`${directory}/before`, "");
const confinement = confine(parsed.config);

async function outcome(attempt: () => unknown): Promise<string> {
	try {
		await attempt();
		return "done";
	} catch (error) {
		return error instanceof Error && "code" in error ? String(error.code) : String(error);
	}
}

const libc = dlopen("libc.so.6", {
	socket: { args: ["int", "int", "int"], returns: "int" },
	fork: { args: [], returns: "int" },
	mount: { args: ["cstring", "cstring", "cstring", "u64", "ptr"], returns: "int" },
}).symbols;
const text = (value: string) => Buffer.from(`${value}\0`);

// Where nothing holds them, these two would do harm.
const harmful = (attempt: () => number) =>
	mode === "off" ? "not tried" : attempt() < 0 ? "refused" : "done";
const results = {
	run: await outcome(() => Bun.spawnSync(["/bin/true"])),
	fork: harmful(() => libc.fork()),
	mount: harmful(() => libc.mount(text("none"), text(directory), text("tmpfs"), 0, null)),
	packet: libc.socket(17, 3, 0) < 0 ? "refused" : "done",
	raw: libc.socket(2, 3, 1) < 0 ? "refused" : "done",
	netlink: libc.socket(16, 3, 12) < 0 ? "refused" : "done",
	elsewhere: await outcome(() => writeFileSync(`${directory}/elsewhere`, "x")),
	elsewhereLater: await outcome(() => Bun.write(`${directory}/elsewhere`, "x")),
	truncated: await outcome(() => writeFileSync(`${directory}/before`, "x")),
	state: await outcome(() => writeFileSync(`${directory}/state/file`, "x")),
	besidePolicies: await outcome(() => writeFileSync(`${directory}/etc/copy`, "x")),
	alerts: await outcome(() => writeFileSync(`${directory}/log/alerts.jsonl`, "x")),
};
process.stdout.write(JSON.stringify({ confinement, results }));
process.exit(0);
