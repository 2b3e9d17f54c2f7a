/** What the kernel says of quotas, and what resetting one does. */

import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { NETLINK_NETFILTER } from "../../../ffi/constants.ts";
import { NetlinkSocket } from "../../../ffi/netlink.ts";
import { readQuotas } from "../../../src/enforcers/network/observe/quotas.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../support/isolated.ts";

let network: IsolatedNetwork;
let socket: NetlinkSocket;

beforeAll(() => {
	network = enterIsolatedNetwork();
	const opened = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
	if (!opened.ok) throw new Error(opened.error);
	socket = opened.socket;
});
afterAll(() => {
	socket.close();
	network.leave();
});
afterEach(() => void command("nft", "flush", "ruleset"));

const nothing = { counters: [], reset: [] };
const add = (...words: readonly string[]) => command("nft", "add", ...words);

test("what was used, of one table alone; what is reset gives its last number", () => {
	for (const table of ["t", "u"]) add("table", "inet", table);
	add("quota", "inet", "t", "q", "{ over 1000 bytes used 300 bytes ; }");
	add("quota", "inet", "t", "r", "{ over 9007199254740991 bytes used 9007199254740000 bytes ; }");
	add("quota", "inet", "u", "q", "{ over 1000 bytes used 7 bytes ; }");
	add("counter", "inet", "t", "c", "{ packets 3 bytes 4 ; }");
	const used = { q: 300, r: 9_007_199_254_740_000 };
	const asked = { counters: ["c", "gone"], reset: ["q", "gone"] };
	expect(readQuotas(socket, "t", asked)).toEqual({ used, over: { c: { packets: 3, bytes: 4 } } });
	expect(readQuotas(socket, "t", nothing)).toEqual({ used: { ...used, q: 0 }, over: {} });
	expect(readQuotas(socket, "u", nothing)).toEqual({ used: { q: 7 }, over: {} });
});

test("no table, no quotas", () => {
	expect(readQuotas(socket, "t", { counters: ["c"], reset: ["q"] })).toEqual({ used: {}, over: {} });
});
