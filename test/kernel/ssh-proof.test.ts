import { afterAll, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkedSshSession, sshdHolds } from "../../src/kernel/ssh-proof.ts";
import { until } from "../system/support/isolated.ts";

const proc = mkdtempSync(join(tmpdir(), "portward-proc-"));
afterAll(() => rmSync(proc, { recursive: true }));

interface Fake {
	readonly program?: string;
	readonly inode?: number;
	readonly uid?: number;
	readonly fileUid?: number;
	readonly mode?: number;
}

function process(
	pid: number,
	parent: number,
	{ program = "sh", inode, uid = 0, fileUid = 0, mode = 0o755 }: Fake = {},
) {
	const directory = join(proc, String(pid));
	mkdirSync(join(directory, "fd"), { recursive: true });
	const rest = Array.from({ length: 17 }, () => "0").join(" ");
	writeFileSync(join(directory, "stat"), `${pid} (a ) b) S ${parent} ${rest} ${pid * 100} 0\n`);
	const file = join(proc, `bin-${pid}`, program);
	mkdirSync(join(proc, `bin-${pid}`));
	writeFileSync(file, "");
	chmodSync(file, mode);
	chownSync(file, fileUid, 0);
	symlinkSync(file, join(directory, "exe"));
	if (inode !== undefined) symlinkSync(`socket:[${inode}]`, join(directory, "fd/4"));
	chownSync(directory, uid, 0);
}

process(1, 0);

test.each([
	["sshd", 0o755],
	["sshd-session", 0o755],
])("an ancestor that runs %s and holds the socket proves it, since it started", (program, mode) => {
	const base = program === "sshd" ? 10 : 20;
	process(base, 1, { program, inode: 77, mode });
	process(base + 1, base, { program, uid: 1000 });
	process(base + 2, base + 1);
	process(base + 3, base + 2);
	expect(sshdHolds(base + 3, 77, proc)).toBe(base);
	expect(sshdHolds(base + 3, 78, proc)).toBeNull();
});

test.each([
	["another program", { program: "socat", inode: 77 }],
	["a program that only begins so", { program: "sshd2", inode: 77 }],
	["an sshd of another user's", { program: "sshd", inode: 77, uid: 1000 }],
	["an sshd whose file is another user's", { program: "sshd", inode: 77, fileUid: 1000 }],
	["an sshd whose file others may write", { program: "sshd", inode: 77, mode: 0o777 }],
	["an sshd without the socket", { program: "sshd", inode: 1 }],
] as const)("%s proves nothing", (what, fake) => {
	const base = 100 + 10 * what.length;
	process(base, 1, fake);
	process(base + 1, base);
	expect(sshdHolds(base + 1, 77, proc)).toBeNull();
});

test("an sshd that is no ancestor proves nothing, and a circle of parents ends", () => {
	process(30, 1, { program: "sshd", inode: 99 });
	process(31, 1);
	expect(sshdHolds(31, 99, proc)).toBeNull();
	process(40, 41);
	process(41, 40);
	expect(sshdHolds(40, 99, proc)).toBeNull();
	expect(sshdHolds(9999, 99, proc)).toBeNull();
});

test("a connection that is only in the environment is unproven; one of sshd's is not", async () => {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
	const client = await Bun.connect({ hostname: "127.0.0.1", port: listener.port, socket: { data() {} } });
	const real = `127.0.0.1 ${client.localPort} 127.0.0.1 ${listener.port}`;
	for (const connection of [real, "192.0.2.7 1 192.0.2.1 22", "fe80::1%lo 1 fe80::2%lo 22"]) {
		const child = Bun.spawn(["sleep", "60"], { env: { SSH_CONNECTION: connection } });
		try {
			await until(() => checkedSshSession(child.pid) !== null, "its session is found");
			expect(checkedSshSession(child.pid)).toMatchObject({ connection, unproven: true });
		} finally {
			child.kill("SIGKILL");
		}
	}
	client.terminate();
	listener.stop(true);
	const directory = mkdtempSync(join(tmpdir(), "portward-sshd-"));
	const sshd = join(directory, "sshd");
	copyFileSync("/proc/self/exe", sshd);
	chmodSync(sshd, 0o755);
	const script = `
		const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {}, open(socket) {
			const connection = ["127.0.0.1", socket.remotePort, "127.0.0.1", server.port].join(" ");
			const child = Bun.spawn(["sleep", "60"], { env: { SSH_CONNECTION: connection } });
			console.log(child.pid);
		} } });
		await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
		await Bun.sleep(60_000);
	`;
	const server = Bun.spawn([sshd, "-e", script], { stdout: "pipe" });
	const { value } = await server.stdout.getReader().read();
	const pid = Number(new TextDecoder().decode(value));
	try {
		await until(
			() => checkedSshSession(pid)?.connection.startsWith("127.0.0.1 ") === true,
			"its session is found",
		);
		expect(checkedSshSession(pid)?.unproven).toBeUndefined();
	} finally {
		globalThis.process.kill(pid, "SIGKILL");
		server.kill("SIGKILL");
		rmSync(directory, { recursive: true });
	}
});
