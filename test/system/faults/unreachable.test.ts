/** Commands where the daemon is stopped, hangs, or cannot be reached over loopback: each ends in time and says the truth. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { executable } from "../support/built.ts";
import { policy, port } from "../support/case.ts";
import { Daemon, Home } from "../support/daemon.ts";
import { eventually, Lab, spawnBound } from "../support/netns.ts";

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
	"a.yaml": policy("a", { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] }),
};
const config = { status: { address: "127.0.0.1:9755", detail: "full" } };
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** A command's end: exit code, output, seconds. */
async function run(
	command: string,
	as: readonly string[] = [],
	flags: readonly string[] = ["--config", home.config],
) {
	const began = performance.now();
	const child = spawnBound(lab.guarded.inside([...as, executable(), ...command.split(" "), ...flags]));
	const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { out, error, code, seconds: (performance.now() - began) / 1000 };
}

const questions = ["status", "alerts", "alerts --follow", "usb list"];

test("where another firewall drops loopback root's commands work, and others end soon and say so", async () => {
	await using daemon = Daemon.spawn(lab.guarded, { policies, config }, home);
	await eventually("enforced", () => daemon.log.includes("info enforced"));
	lab.guarded.nft("table inet other {\nchain input {\ntype filter hook input priority 0; policy drop;\n}\n}");
	for (const command of ["status", "alerts"]) {
		const { code, seconds } = await run(command);
		expect(code).toBe(0);
		expect(seconds).toBeLessThan(10);
	}
	const readable = ["--config", "/dev/null"];
	const ended = await Promise.all(
		questions.map((command) => run(command, nobody, [...readable, "--status-address", "127.0.0.1:9755"])),
	);
	for (const { code, error, seconds } of ended) {
		expect(error).toContain("does another firewall drop loopback?");
		expect(code).toBe(1);
		expect(seconds).toBeLessThan(12);
	}
});

test("a stopped daemon is said to be stopped, with what its rules do, and never in the runtime's words", async () => {
	const daemon = Daemon.spawn(lab.guarded, { policies, config }, home);
	await eventually("enforced", () => daemon.log.includes("info enforced"));
	await daemon.stop();
	await daemon[Symbol.asyncDispose]();
	for (const command of questions) {
		const { code, error } = await run(command);
		expect(error).toContain(
			"The daemon is not running. Its rules are still in the kernel. Start it with systemctl start portward",
		);
		expect(error).not.toContain("computer");
		expect(code).toBe(1);
	}
	lab.guarded.nft("delete table inet kubearmor");
	expect((await run("status")).error).toContain("it blocks no packet");
});

test("a daemon that hangs holds up no command for ever", async () => {
	await using daemon = Daemon.spawn(lab.guarded, { policies, config }, home);
	await eventually("enforced", () => daemon.log.includes("info enforced"));
	daemon.signal("SIGSTOP");
	const ended = await Promise.all(questions.map((command) => run(command)));
	daemon.signal("SIGCONT");
	for (const { code, error, seconds } of ended) {
		expect(error).toContain("does the daemon hang?");
		expect(code).toBe(1);
		expect(seconds).toBeLessThan(20);
	}
});

test("alerts of before a restart come from the file, each with the command that explains it", async () => {
	const file = join(home.path, "alerts.log");
	const peer = lab.links[0]?.local4 ?? "";
	const knock = () => lab.peer.try(["curl", "--silent", "--max-time", "1", `http://${peer}:81/`]);
	const started = async () => {
		const daemon = Daemon.spawn(lab.guarded, { policies, config: { ...config, alerts: { file } } }, home);
		await eventually("enforced", () => daemon.log.includes("info enforced"));
		return daemon;
	};
	const first = await started();
	knock();
	const alert = await first.alert("the packet", ({ PolicyName }) => PolicyName === "a");
	await first.stop();
	await first[Symbol.asyncDispose]();
	await using second = await started();
	const { out, code } = await run("alerts");
	expect(code).toBe(0);
	expect(out.split("\n")[0]).toStartWith(`${alert.UpdatedTime.slice(0, 23)}Z `);
	const command = out.split("\n")[1]?.trim() ?? "";
	expect(command).toStartWith(`portward explain ingress tcp ${alert.EventData.SourceIP} 81 `);
	const explained = await run(command.replace("portward ", ""));
	expect(explained.out).toStartWith("Block: a ingress[0]");
	expect(await second.stop()).toBe(0);
	// Without a file it is said where they are.
	await using third = Daemon.spawn(lab.guarded, { policies, config }, home);
	await eventually("enforced", () => third.log.includes("info enforced"));
	expect((await run("alerts")).error).toContain("journalctl -u portward");
});
