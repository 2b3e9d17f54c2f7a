import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { NETLINK_NETFILTER, NETLINK_ROUTE } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "../../../src/kernel/netlink-message.ts";
import { ask, perform } from "../../../src/kernel/netlink-request.ts";
import { enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
/** nf_tables' NFT_MSG_GETTABLE. */
const GET_TABLE = (10 << 8) | 1;

describe("netlink requests in a network namespace", () => {
	let network: IsolatedNetwork;
	const sockets: NetlinkSocket[] = [];

	beforeAll(() => {
		network = enterIsolatedNetwork();
	});
	afterAll(() => {
		for (const socket of sockets) socket.close();
		network.leave();
	});

	function open(protocol: number): NetlinkSocket {
		const opened = NetlinkSocket.open({ protocol });
		if (!opened.ok) throw new Error(opened.error);
		sockets.push(opened.socket);
		return opened.socket;
	}

	test("a refusal gives the error number and its name", () => {
		const request = new MessageWriter(GET_TABLE, NLM_F_REQUEST | NLM_F_ACK, 3)
			.familyHeader(1)
			.text(1, "absent")
			.finish();
		expect(perform(open(NETLINK_NETFILTER), request, 3)).toEqual({
			ok: false,
			errno: 2,
			error: expect.stringContaining("ENOENT"),
		});
	});

	test("a dump yields its messages and ends", () => {
		const request = new MessageWriter(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 9).familyHeader(0).finish();
		const types: number[] = [];
		const answer = ask(open(NETLINK_ROUTE), request, 9);
		for (;;) {
			const step = answer.next();
			if (step.done === true) {
				expect(step.value).toEqual({ ok: true, interrupted: false });
				break;
			}
			types.push(step.value.type);
		}
		expect(types.length).toBeGreaterThan(0);
		expect(new Set(types)).toEqual(new Set([RTM_NEWLINK]));
	});

	test("what is left of an abandoned dump does not answer the next request", () => {
		const socket = open(NETLINK_ROUTE);
		const dump = (sequence: number) =>
			ask(
				socket,
				new MessageWriter(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence).familyHeader(0).finish(),
				sequence,
			);
		const first = dump(1);
		expect(first.next().done).toBe(false);
		const second = dump(2);
		const step = second.next();
		expect(step.done === true ? null : step.value.sequence).toBe(2);
	});

	test("a closed socket is a bug of the caller", () => {
		const socket = open(NETLINK_ROUTE);
		socket.close();
		const request = new MessageWriter(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1).familyHeader(0).finish();
		expect(() => perform(socket, request, 1)).toThrow(RangeError);
	});
});
