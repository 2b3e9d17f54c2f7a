import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listeners } from "../../src/kernel/listeners.ts";
import { socketHolders, unitOf } from "../../src/kernel/socket-holders.ts";

test("the innermost unit, in one hierarchy and in several", () => {
	expect(unitOf("0::/system.slice/postgresql.service\n")).toBe("postgresql.service");
	expect(unitOf("0::/system.slice/system-postgresql.slice/postgresql@15-main.service/x\n")).toBe(
		"postgresql@15-main.service",
	);
	expect(unitOf("0::/user.slice/user-0.slice/session-3.scope\n")).toBe("session-3.scope");
	expect(unitOf("12:pids:/x\n1:name=systemd:/system.slice/ssh.service\n0::/\n")).toBe("ssh.service");
	expect(unitOf("0::/\n")).toBeNull();
	expect(unitOf("")).toBeNull();
});

test("systemd is asked for a socket when nobody else holds it", () => {
	const root = mkdtempSync(join(tmpdir(), "portward-proc-"));
	const process = (pid: number, name: string, cgroup: string, inodes: readonly number[]) => {
		mkdirSync(join(root, String(pid), "fd"), { recursive: true });
		writeFileSync(join(root, String(pid), "comm"), `${name}\n`);
		writeFileSync(join(root, String(pid), "cgroup"), `0::${cgroup}\n`);
		for (const [i, inode] of inodes.entries())
			symlinkSync(`socket:[${inode}]`, join(root, String(pid), "fd", `${i}`));
	};
	try {
		process(1, "systemd", "/init.scope", [11, 12]);
		process(40, "sshd", "/system.slice/ssh.service", [11]);
		process(50, "worker", "/system.slice/web.service", [13]);
		process(45, "web", "/system.slice/web.service", [13, 14]);
		expect(socketHolders(new Set([11, 12, 13]), root)).toEqual(
			new Map([
				[13, { pid: 45, process: "web", unit: "web.service" }],
				[11, { pid: 40, process: "sshd", unit: "ssh.service" }],
				[12, { pid: 1, process: "systemd", unit: "init.scope" }],
			]),
		);
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
});

test("what this process listens on, and that it does", () => {
	using all = Bun.listen({ hostname: "0.0.0.0", port: 0, socket: { data() {} } });
	using one = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	const read = listeners();
	if (!read.ok) throw new Error(read.error);
	const find = (port: number) =>
		read.listeners.filter((listener) => listener.protocol === "tcp" && listener.port === port);
	expect(find(all.port)).toMatchObject([{ address: "0.0.0.0", families: [4], interfaceIndex: 0 }]);
	expect(find(one.port)).toMatchObject([{ address: "127.0.0.1", families: [4] }]);
	const [listener] = find(all.port);
	const holders = socketHolders(new Set([listener?.inode ?? 0]));
	expect(holders.get(listener?.inode ?? 0)?.pid).toBe(process.pid);
});

test("a socket of :: hears IPv4 as well, unless it does not want to", async () => {
	using both = Bun.listen({ hostname: "::", port: 0, socket: { data() {} } });
	using six = Bun.listen({
		hostname: "::",
		port: 0,
		ipv6Only: true,
		socket: { data() {} },
	} as never) as typeof both;
	const read = listeners();
	if (!read.ok) throw new Error(read.error);
	const families = (port: number) => read.listeners.find((listener) => listener.port === port)?.families;
	expect(families(both.port)).toEqual([4, 6]);
	expect([[6], [4, 6]]).toContainEqual([...(families(six.port) ?? [])]);
});
