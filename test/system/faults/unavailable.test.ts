/** The network enforcer where it cannot enforce: it says so, everywhere, and never passes silently for active. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chownSync } from "node:fs";
import { libraryDirectories } from "../../../ffi/library.ts";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";
import { Prober } from "../support/probe.ts";

let lab: Lab;
let home: Home;

beforeEach(async () => {
	lab = await Lab.create();
	home = new Home();
});
afterEach(() => {
	lab[Symbol.dispose]();
	home[Symbol.dispose]();
});

const policies = {
	"a.yaml": policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] }),
};
const theirs =
	'table inet kubearmor {\n\tchain theirs {\n\t\tcounter packets 0 bytes 0 comment "theirs"\n\t}\n}\n';

/** Programs that run the daemon where every copy of libnftables is an empty file. */
function withoutLibrary(): string[] {
	const hide = libraryDirectories(process.arch)
		.map((directory) => `${directory}/libnftables.so.1`)
		.map((path) => `if [ -e ${path} ]; then mount --bind /dev/null ${path}; fi`)
		.join("; ");
	return ["unshare", "--mount", "sh", "-c", `${hide}; exec "$@"`, "sh"];
}
/** Programs that run the daemon as root without any right over the network. */
const powerless = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];

/** Waits for the verdict of the first attempt, and checks that every place tells it. */
async function unavailable(daemon: Daemon, reason: RegExp): Promise<void> {
	await eventually("a log line", () => daemon.log.includes("the network enforcer is unavailable"));
	const { network } = (await daemon.status()).enforcers;
	expect(network.state).toBe("unavailable");
	expect(network.reason).toMatch(reason);
	expect(daemon.log).toMatch(reason);
	const ready = await daemon.get("/readyz");
	expect(ready.status).toBe(503);
	expect(await ready.text()).toMatch(reason);
	expect((await daemon.get("/healthz")).status).toBe(200);
	expect((await daemon.metrics()).get('portward_enforcer_up{enforcer="network"}')).toBe(0);
	const [found] = (await daemon.status()).policies;
	expect(found?.enforced).toBe(false);
}

test("a library that is missing is named, with the packages that have it", async () => {
	await using daemon = Daemon.spawn(lab.guarded, { policies, under: withoutLibrary() }, home);
	await unavailable(daemon, /libnftables.*apt install libnftables1/su);
	expect(await daemon.stop()).toBe(0);
});

test("a process without the right to change the firewall says that it needs root", async () => {
	// The policies are readable for everybody here; the directories belong to root all the same.
	await using daemon = Daemon.spawn(lab.guarded, { policies, under: powerless }, home);
	await unavailable(daemon, /operation not permitted.*run portward as root/su);
});

test("another user is told to be root", async () => {
	for (const path of [home.path, home.policies, home.state]) chownSync(path, 65_534, 65_534);
	const under = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
	const flags = ["--insecure-permissions"];
	await using daemon = Daemon.spawn(lab.guarded, { policies, under, flags }, home);
	await unavailable(daemon, /run portward as root/u);
});

test("a table of our name that is not ours is left alone, and taken over when it has gone", async () => {
	lab.guarded.nft(theirs);
	const before = lab.guarded.run(["nft", "list", "ruleset"]);
	await using daemon = Daemon.spawn(lab.guarded, { policies }, home);
	await unavailable(daemon, /was not made by portward/u);
	expect(lab.guarded.run(["nft", "list", "ruleset"])).toBe(before);
	lab.guarded.nft("delete table inet kubearmor");
	daemon.signal("SIGHUP");
	await daemon.ready();
	using prober = new Prober(lab);
	expect(
		await prober.send([{ direction: "ingress", protocol: "tcp", remote: "10.9.9.9", port: 80 }]),
	).toEqual([false]);
});

test("a foreign table that takes ours' place is left alone and reported", async () => {
	await using daemon = await Daemon.start(lab.guarded, { policies }, home);
	lab.guarded.nft(`delete table inet kubearmor\n${theirs}`);
	await eventually(
		"the state",
		async () => (await daemon.status()).enforcers.network.state === "unavailable",
	);
	await unavailable(daemon, /was not made by portward/u);
	expect(lab.guarded.run(["nft", "list", "ruleset"])).toBe(theirs);
});

test.each([
	["a missing library", withoutLibrary(), ""],
	["missing rights", powerless, ""],
	["a foreign table", [], theirs],
])("with --strict %s ends the process with 1", async (_, under, script) => {
	if (script !== "") lab.guarded.nft(script);
	await using daemon = Daemon.spawn(lab.guarded, { policies, under, flags: ["--strict"] }, home);
	expect(await daemon.exited()).toBe(1);
	expect(daemon.log).toContain("unavailable");
});

test("an enforcer that is switched off is disabled, which --strict and /readyz accept", async () => {
	const config = { enableNetworkPolicyEnforcer: false };
	await using daemon = await Daemon.start(lab.guarded, { policies, config, flags: ["--strict"] }, home);
	expect((await daemon.status()).enforcers.network).toMatchObject({ state: "disabled" });
	expect((await daemon.status()).policies).toMatchObject([{ name: "a", enforced: false }]);
	expect(lab.guarded.run(["nft", "list", "ruleset"])).toBe("");
});

test("a log group that another process reads costs the alerts alone, which status and log say", async () => {
	const table = { table: "first" };
	await using other = await Daemon.start(lab.guarded, { config: table });
	await using daemon = await Daemon.start(lab.guarded, { policies }, home);
	const { enforcers, warnings } = await daemon.status();
	expect(enforcers.network.state).toBe("active");
	expect(warnings).toEqual([expect.stringMatching(/raise no alerts.*set nflogGroup to a free group/u)]);
	expect(daemon.log).toContain("set nflogGroup to a free group");
	using prober = new Prober(lab);
	expect(
		await prober.send([{ direction: "ingress", protocol: "tcp", remote: "10.9.9.9", port: 80 }]),
	).toEqual([false]);
	expect(await other.stop()).toBe(0);
	await eventually("the group", async () => (await daemon.status()).warnings.length === 0);
});
