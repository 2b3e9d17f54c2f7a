import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findSshSession, parseSshConnection } from "../../src/kernel/ssh-session.ts";
import { until } from "../system/support/isolated.ts";

const proc = mkdtempSync(join(tmpdir(), "portward-proc-"));
afterAll(() => rmSync(proc, { recursive: true }));

function process(
	pid: number,
	parent: number,
	startTicks: number,
	environment: string | null,
	title = "sh",
): void {
	mkdirSync(join(proc, String(pid)));
	const rest = Array.from({ length: 17 }, () => "0").join(" ");
	writeFileSync(join(proc, `${pid}/stat`), `${pid} (a ) b) S ${parent} ${rest} ${startTicks} 0\n`);
	writeFileSync(join(proc, `${pid}/cmdline`), `${title}\0`);
	if (environment !== null) writeFileSync(join(proc, `${pid}/environ`), environment);
}

const connection = "198.51.100.7 50022 192.0.2.1 22";

describe("the session of a process", () => {
	test("is its own, or that of the nearest ancestor that tells, since the oldest of that session", () => {
		process(10, 1, 100, "PATH=/\0");
		process(11, 10, 250, `A=b\0SSH_CONNECTION=${connection}\0`);
		process(12, 11, 300, `SSH_CONNECTION=${connection}\0`);
		process(13, 12, 400, "SUDO_USER=x\0");
		process(14, 13, 500, null);
		for (const pid of [11, 12, 13, 14])
			expect(findSshSession(pid, proc)).toEqual({ connection, opened: 2.5 });
		expect(findSshSession(10, proc)).toBeNull();
		expect(findSshSession(99, proc)).toBeNull();
	});

	test("ends where another session begins, and what nobody wrote is passed over", () => {
		process(20, 11, 600, "SSH_CONNECTION=2001:db8::7 1 2001:db8::1 22\0");
		process(21, 20, 700, "SSH_CONNECTION=nonsense\0XSSH_CONNECTION=1\0");
		expect(findSshSession(21, proc)).toEqual({ connection: "2001:db8::7 1 2001:db8::1 22", opened: 6 });
	});

	test("is as old as sshd's process for the connection, which several shells may share, not as the one that listens", () => {
		process(40, 1, 10, null, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups");
		process(41, 40, 200, null, "sshd: operator [priv]");
		process(42, 41, 210, "", "sshd: operator@pts/0");
		process(43, 42, 900, `SSH_CONNECTION=${connection}\0`);
		expect(findSshSession(43, proc)).toEqual({ connection, opened: 2 });
		process(50, 1, 10, null, "/usr/sbin/sshd");
		process(51, 50, 300, null, "sshd-session: root@pts/1");
		process(52, 51, 950, `SSH_CONNECTION=${connection}\0`);
		expect(findSshSession(52, proc)).toEqual({ connection, opened: 3 });
	});

	test("is looked for in a circle of parents only so often", () => {
		process(30, 31, 1, null);
		process(31, 30, 1, null);
		expect(findSshSession(30, proc)).toBeNull();
	});

	test("of a real process is read from its environment", async () => {
		const child = Bun.spawn(["sleep", "60"], { env: { SSH_CONNECTION: connection } });
		try {
			// Until its program runs, the process has this one's environment.
			await until(() => findSshSession(child.pid) !== null, "its session is found");
			const found = findSshSession(child.pid);
			expect(found?.connection).toBe(connection);
			expect(found?.opened).toBeGreaterThan(0);
		} finally {
			child.kill("SIGKILL");
		}
	});
});

test("the ends of a connection", () => {
	expect(parseSshConnection("fe80::1%eth0 50022 fe80:0::2%eth0 22")).toEqual({
		family: 6,
		client: "fe80::1",
		clientPort: 50022,
		server: "fe80::2",
		serverPort: 22,
	});
	for (const text of [
		"",
		"198.51.100.7 50022 192.0.2.1",
		`${connection} 5`,
		"198.51.100.7 0 192.0.2.1 22",
		"198.51.100.7 65536 192.0.2.1 22",
		"198.51.100.7 1 2001:db8::1 22",
		"a 1 b 2",
	])
		expect(parseSshConnection(text)).toBeNull();
});
