import { expect, test } from "bun:test";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../../ffi/constants.ts";
import { NetlinkSocket } from "../../ffi/netlink.ts";

const RTM_GETLINK = 18;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;

function open(options: Parameters<typeof NetlinkSocket.open>[0]): NetlinkSocket {
	const result = NetlinkSocket.open(options);
	if (!result.ok) throw new Error(result.error);
	return result.socket;
}

test("a dump of the interfaces comes back to our port", () => {
	const socket = open({ protocol: NETLINK_ROUTE });
	expect(socket.receive()).toEqual({ kind: "empty" });
	const request = new Uint8Array(32);
	const view = new DataView(request.buffer);
	view.setUint32(0, 32, true);
	view.setUint16(4, RTM_GETLINK, true);
	view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
	view.setUint32(8, 7, true);
	expect(socket.send(request).ok).toBe(true);
	const reply = socket.receive();
	if (reply.kind !== "data") throw new Error(reply.kind);
	const header = new DataView(reply.bytes.buffer, reply.bytes.byteOffset, reply.bytes.byteLength);
	expect(header.getUint32(8, true)).toBe(7);
	expect(header.getUint32(12, true)).toBe(socket.portId);
	socket.close();
	socket.close();
	expect(socket.fd).toBe(-1);
	expect(socket.send(request)).toMatchObject({ ok: false, error: expect.stringContaining("EBADF") });
	expect(socket.receive()).toEqual({ kind: "error", error: expect.stringContaining("EBADF") });
});

test("what another process sends is passed over", () => {
	const victim = open({ protocol: NETLINK_ROUTE });
	const sender = open({ protocol: NETLINK_ROUTE });
	const forged = new Uint8Array(16);
	const view = new DataView(forged.buffer);
	view.setUint32(0, 16, true);
	view.setUint32(12, victim.portId, true);
	expect(sender.send(forged, victim.portId).ok).toBe(true);
	expect(victim.receive()).toEqual({ kind: "empty" });
	victim.close();
	sender.close();
});

test("the receive buffer grows as asked where the process may", () => {
	const socket = open({ protocol: NETLINK_NETFILTER, receiveBuffer: 4 << 20 });
	expect(socket.receiveBuffer).toBeGreaterThanOrEqual(process.getuid?.() === 0 ? 8 << 20 : 1);
	socket.close();
});

test("a group that does not exist is an error with the call's name", () => {
	expect(NetlinkSocket.open({ protocol: NETLINK_NETFILTER, groups: [99_999] })).toEqual({
		ok: false,
		error: expect.stringContaining("setsockopt: E"),
	});
});
