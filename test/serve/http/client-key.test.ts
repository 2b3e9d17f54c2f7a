import { expect, test } from "bun:test";
import { clientKey, givesWay, networkOf } from "../../../src/serve/http/client-key.ts";

const ends = { remoteAddress: "192.0.2.7", remotePort: 1, localAddress: "192.0.2.1", localPort: 2 };

test("a client is a user of this host, or a network elsewhere", () => {
	expect(clientKey(ends, () => 1000)).toBe("uid 1000");
	expect(clientKey(ends, () => null)).toBe("192.0.2.7");
	expect(networkOf("::ffff:192.0.2.7")).toBe("192.0.2.7");
	expect(networkOf("2001:db8:0:7:1::9")).toBe(networkOf("2001:db8:0:7::1"));
	expect(networkOf("2001:db8:0:8::1")).not.toBe(networkOf("2001:db8:0:7::1"));
	expect(networkOf("uid 1000")).toBe("uid 1000");
});

const held = (...clients: readonly string[]) => clients.map((client, index) => ({ client, index }));
const first = <Place>(own: readonly Place[]) => own[0];

test("who holds most gives way, the newcomer counted", () => {
	expect(givesWay(held("b", "a", "a", "a"), "c", first)?.index).toBe(1);
	expect(givesWay(held("b", "a", "a", "a"), "a", first)?.client).toBe("a");
	expect(givesWay(held("a", "a", "b", "b"), "c", first)?.client).toBe("a");
});

test("nobody gives way to one who holds more already", () => {
	expect(givesWay(held("a", "b"), "c", first)?.client).toBe("a");
	expect(
		givesWay(held("c", "c", "a", "b"), "c", (own) => (own[0]?.client === "c" ? undefined : own[0])),
	).toBeUndefined();
	expect(givesWay(held("a", "a"), "b", () => undefined)).toBeUndefined();
});
