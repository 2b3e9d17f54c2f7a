import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processesNamed } from "../../../src/kernel/guests/process-arguments.ts";

test("processes are found by their command's name, and others are not looked into", () => {
	const root = mkdtempSync(join(tmpdir(), "proc-"));
	const process = (pid: string, comm: string, cmdline: string) => {
		mkdirSync(join(root, pid));
		writeFileSync(join(root, pid, "comm"), `${comm}\n`);
		writeFileSync(join(root, pid, "cmdline"), cmdline);
	};
	try {
		process("10", "docker-proxy", "/usr/bin/docker-proxy\0-proto\0tcp\0");
		process("11", "sshd", "sshd\0");
		process("12", "docker-proxy", `x\0${"y".repeat(100_000)}`);
		// It ended between two looks.
		mkdirSync(join(root, "13"));
		writeFileSync(join(root, "uptime"), "");
		const found = processesNamed(new Set(["docker-proxy"]), root);
		expect(found.map(({ args }) => args[0])).toEqual(["/usr/bin/docker-proxy", "x"]);
		expect(found[0]?.args).toEqual(["/usr/bin/docker-proxy", "-proto", "tcp"]);
		expect(found[1]?.args.join("").length).toBeLessThan(5000);
		expect(processesNamed(new Set(["docker-proxy"]), join(root, "absent"))).toEqual([]);
	} finally {
		rmSync(root, { recursive: true });
	}
});
