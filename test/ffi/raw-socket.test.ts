import { afterEach, beforeEach, expect, test } from "bun:test";
import { RawSocket } from "../../ffi/raw-socket.ts";
import { addressBytes, packetBytes } from "../../src/kernel/probe/packet.ts";
import { enterIsolatedNetwork, type IsolatedNetwork } from "../system/support/isolated.ts";
import { eventually } from "../system/support/netns.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
});
afterEach(() => network.leave());

function opened(...given: Parameters<typeof RawSocket.open>): RawSocket {
	const result = RawSocket.open(...given);
	if (!result.ok) throw new Error(result.error);
	return result.socket;
}

test.each([
	[4, 0x7f000001n],
	[6, 1n],
] as const)("IPv%d: a packet that is sent whole arrives once", async (family, address) => {
	const receiver = opened(family, 47);
	const sender = opened(family, null, 1);
	expect(receiver.take()).toBe(false);
	const packet = packetBytes({
		family,
		source: address,
		destination: address,
		protocol: 47,
		port: 0,
		from: 0,
	});
	expect(sender.send(packet, addressBytes(family, address))).toEqual({ ok: true });
	await eventually("the packet", () => receiver.take());
	expect(receiver.take()).toBe(false);
	receiver.close();
	sender.close();
	expect(receiver.take()).toBeNull();
});

test("a protocol that no socket has is an error, and so is an address to which no way leads", () => {
	expect(RawSocket.open(4, 0)).toMatchObject({ ok: false });
	const sender = opened(4, null);
	const away = packetBytes({
		family: 4,
		source: 0x7f000001n,
		destination: 0xc0000201n,
		protocol: 47,
		port: 0,
		from: 0,
	});
	expect(sender.send(away, addressBytes(4, 0xc0000201n))).toMatchObject({ ok: false });
	sender.close();
});
