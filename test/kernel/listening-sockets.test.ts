import { expect, test } from "bun:test";
import { listeningSockets, parseListening } from "../../src/kernel/listening-sockets.ts";
import { command, enterIsolatedNetwork } from "../system/support/isolated.ts";

test("what listens in this namespace is told, and what is connected is not taken for it", async () => {
	const network = enterIsolatedNetwork();
	try {
		expect(listeningSockets(["tcp", "udp", "raw"])).toEqual([]);
		const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
		const client = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
		const udp = await Bun.udpSocket({ hostname: "::1", port: 5353 });
		expect(listeningSockets(["tcp", "udp", "raw"])).toEqual([
			{ kind: "tcp", family: 4, local: "127.0.0.1", number: server.port, remotePort: 0 },
			{ kind: "udp", family: 6, local: "::1", number: 5353, remotePort: 0 },
		]);
		expect(listeningSockets(["raw"])).toEqual([]);
		client.end();
		udp.close();
		server.stop(true);
		expect(command("true")).toBe("");
	} finally {
		network.leave();
	}
});

test("a raw socket is told with its protocol, as the kernel prints it", () => {
	const text =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n" +
		"  112: 00000000:0070 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20514 2 0000000000000000 0\n";
	expect(parseListening("raw", 4, text)).toEqual([
		{ kind: "raw", family: 4, local: "0.0.0.0", number: 112, remotePort: 0 },
	]);
	expect(parseListening("udp", 4, "nonsense\n 1: 0:0 0:0 0A")).toEqual([]);
});
