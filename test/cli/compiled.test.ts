/** The exit codes and streams of the compiled file, which src/main.ts puts together. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { formatListenAddress } from "../../src/serve/http/address.ts";
import { sampleAlert, sampleSource } from "../report/sample.ts";
import { serve } from "../serve/http/wire.ts";
import { executable } from "../system/support/built.ts";
import { policy, port } from "../system/support/case.ts";
import { flowJson, historyText } from "./journey/support/flows.ts";
import { Files } from "./support/portward.ts";

// The first test may have to build it.
setDefaultTimeout(180_000);

function start(argv: readonly string[], env: Record<string, string> = {}) {
	const { exitCode, stdout, stderr } = Bun.spawnSync([executable(), ...argv], { env });
	return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
}

describe("the compiled file", () => {
	test("0, 1 and 64, with results on stdout and complaints on stderr", () => {
		const ssh = policy("ssh", { action: "Block", ingress: [{ ports: [port("TCP", "ssh")] }] });
		using files = new Files({ "a.yaml": ssh });
		const config = ["--config", files.config()];
		expect(start(["validate", files.path, ...config])).toEqual({
			code: 0,
			out: "1 valid, 0 errors, 0 warnings\n",
			error: "",
		});
		const explained = start([
			"explain",
			"--policy-dir",
			files.path,
			...config,
			"ingress",
			"tcp",
			"192.0.2.1",
			"ssh",
		]);
		expect([explained.code, explained.error]).toEqual([0, ""]);
		expect(explained.out).toStartWith("Block: ssh ingress[0] (");
		files.put("b.yaml", "kind: [");
		const broken = start(["validate", files.path, ...config]);
		expect(broken.code).toBe(1);
		expect(broken.out).toBe("1 valid, 1 error, 0 warnings\n");
		expect(broken.error).toContain("b.yaml:1:");
		expect(broken.error).not.toContain("\x1b");
		const misspelt = start(["explan"]);
		expect([misspelt.code, misspelt.out]).toEqual([64, ""]);
		expect(misspelt.error).toContain("did you mean explain?");
	});

	test("prints all of a large answer into a pipe whose reader is slow, and ends when the reader leaves", async () => {
		const many = Array.from({ length: 3000 }, (_, index) =>
			policy(`p${index}`, { action: "Bloc", ingress: [{}] }),
		);
		using files = new Files({ "a.yaml": many.join("\n---\n") });
		const shell = (command: string) =>
			Bun.spawnSync(["sh", "-c", command, executable(), files.path, files.config()], { stdout: "pipe" });
		const slow = shell('"$0" validate --json "$1" --config "$2" | (sleep 0.2; cat)');
		const { diagnostics }: { diagnostics: unknown[] } = JSON.parse(slow.stdout.toString());
		expect(diagnostics).toHaveLength(3000);
		const gone = shell('"$0" validate --json "$1" --config "$2" | head -c 10');
		expect(gone.stdout.toString()).toHaveLength(10);
		expect(gone.stderr.toString()).toBe("");
	});

	test("an answer that cannot be written is a failure", () => {
		const shell = (command: string) => Bun.spawnSync(["sh", "-c", command, executable()]);
		const full = shell('"$0" version > /dev/full');
		expect(full.exitCode).toBe(1);
		expect(full.stderr.toString()).toMatch(/^portward: the answer could not be written: ENOSPC.*\n$/u);
		using files = new Files({ "a.yaml": policy("a", { action: "Block", ingress: [{}] }) });
		const from = files.put("flows.json", historyText([flowJson]));
		const argv = [
			"simulate",
			"--policy-dir",
			join(files.path, "a.yaml"),
			"--from",
			from,
			"--config",
			files.config(),
		];
		const simulate = (out: string) =>
			Bun.spawnSync(["sh", "-c", `"$0" "$@" > ${out}`, executable(), ...argv]);
		expect([simulate("/dev/null").exitCode, simulate("/dev/full").exitCode]).toEqual([2, 1]);
	});

	test("alerts --follow ends, without an error, when its reader has left", async () => {
		const { source, sink } = sampleSource();
		const { server } = await serve(source);
		const address = formatListenAddress(server.address);
		const command = '"$0" alerts --follow --config /dev/null --status-address "$1" | head -n 1';
		const argv = ["bash", "-o", "pipefail", "-c", command, executable(), address];
		const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe" });
		// Alerts until it ends: only a write into the closed pipe tells the program.
		const timer = setInterval(() => sink.publish([sampleAlert()]), 20);
		expect(await child.exited).toBe(0);
		clearInterval(timer);
		expect((await new Response(child.stdout).text()).split("\n")).toHaveLength(2);
		expect(await new Response(child.stderr).text()).toBe("");
		server.stop();
	});

	test.each(["HTTP_PROXY", "http_proxy"])("asks the daemon itself, not the proxy in %s", async (name) => {
		const { server } = await serve();
		const argv = ["status", "--config", "/dev/null", "--status-address", formatListenAddress(server.address)];
		const proxy = "http://127.0.0.1:1";
		const child = Bun.spawn([executable(), ...argv], { env: { [name]: proxy }, stdout: "pipe" });
		expect(await new Response(child.stdout).text()).toStartWith("portward 0.2.0 on vm1");
		expect(await child.exited).toBe(0);
		server.stop();
	});
});
