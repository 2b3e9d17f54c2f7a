import { afterAll, expect, test } from "bun:test";
import { SocketOwners } from "../../src/kernel/socket-owner.ts";

const owners = new SocketOwners();
afterAll(() => owners.close());

interface Seen {
	readonly remoteAddress: string;
	readonly remotePort: number;
	readonly localAddress: string;
	readonly localPort: number;
}

/** A connection of a process that `argv` starts before the shell that makes it. */
async function connection(hostname: string, target: string, argv: readonly string[] = []) {
	const accepted = Promise.withResolvers<Seen>();
	const listener = Bun.listen({
		hostname,
		port: 0,
		socket: {
			open({ remoteAddress, remotePort, localAddress, localPort }) {
				accepted.resolve({ remoteAddress, remotePort, localAddress, localPort });
			},
			data() {},
		},
	});
	const script = `exec 3<>/dev/tcp/${target}/${listener.port}; echo open; exec sleep 60`;
	const child = Bun.spawn([...argv, "bash", "-c", script], { stdout: "ignore", stderr: "ignore" });
	const seen = await accepted.promise;
	const ends = {
		local: seen.remoteAddress,
		localPort: seen.remotePort,
		remote: seen.localAddress,
		remotePort: seen.localPort,
	};
	return {
		ends,
		pid: child.pid,
		async [Symbol.asyncDispose]() {
			child.kill("SIGKILL");
			await child.exited;
			listener.stop(true);
		},
	};
}

test.each([
	["127.0.0.1", "127.0.0.1"],
	["::1", "::1"],
	["::", "127.0.0.1"],
])("at %s, asked by %s, the socket's user is known", async (hostname, target) => {
	const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
	await using own = await connection(hostname, target);
	await using other = await connection(hostname, target, user);
	expect(owners.find(own.ends)).toMatchObject({ uid: 0, established: true });
	expect(owners.find(other.ends)).toMatchObject({ uid: 65_534, established: true });
	expect(owners.find(own.ends)?.inode).toBeGreaterThan(0);
	expect(owners.find({ ...own.ends, localPort: own.ends.localPort ^ 1 })).toBeNull();
});

test("of what are no two addresses of a family nothing is known", () => {
	const ends = { local: "127.0.0.1", localPort: 1, remote: "127.0.0.1", remotePort: 2 };
	for (const wrong of ["", "::1", "nonsense", "fe80::1%lo"])
		expect(owners.find({ ...ends, remote: wrong })).toBeNull();
});
