import { expect, test } from "bun:test";
import { FeedHub } from "../../../src/serve/grpc/feed-hub.ts";

/** A client that takes `room` messages at a time. */
function client(peer: string) {
	const got: string[] = [];
	let room = Number.POSITIVE_INFINITY;
	return {
		peer,
		got,
		allow(more: number) {
			room = more;
		},
		write(message: Buffer) {
			got.push(message.toString());
			return --room > 0;
		},
	};
}

const message = (number: number) => Buffer.from(`m${number}`);

test("everybody who watches a feed gets its messages, and nobody else", () => {
	const hub = new FeedHub(() => {});
	const [a, b, other] = [client("a"), client("b"), client("c")];
	hub.subscribe("alerts", a);
	const second = hub.subscribe("alerts", b);
	hub.subscribe("logs", other);
	hub.publish("alerts", message(1));
	second?.end();
	second?.end();
	hub.publish("alerts", message(2));
	expect([a.got, b.got, other.got]).toEqual([["m1", "m2"], ["m1"], []]);
	expect(hub.counts).toEqual({
		subscribers: { alerts: 1, logs: 1, messages: 0 },
		sent: { alerts: 3, logs: 0, messages: 0 },
		dropped: { slow: 0, busy: 0 },
	});
	expect([hub.isWatched("alerts"), hub.isWatched("messages")]).toEqual([true, false]);
	expect([...hub.peers()].toSorted()).toEqual(["a", "c"]);
});

test("who reads slowly keeps the oldest 1000, in their order, and holds up nobody", () => {
	const hub = new FeedHub(() => {});
	const [slow, quick] = [client("slow"), client("quick")];
	const subscription = hub.subscribe("alerts", slow);
	hub.subscribe("alerts", quick);
	slow.allow(1);
	for (let number = 0; number < 1500; number++) hub.publish("alerts", message(number));
	expect(quick.got).toHaveLength(1500);
	expect(slow.got).toEqual(["m0"]);
	expect(hub.counts.dropped.slow).toBe(499);
	slow.allow(10);
	subscription?.drained();
	expect(slow.got).toHaveLength(11);
	slow.allow(Number.POSITIVE_INFINITY);
	subscription?.drained();
	hub.publish("alerts", message(1500));
	expect(slow.got).toEqual([...Array.from({ length: 1001 }, (_, index) => `m${index}`), "m1500"]);
});

test("long messages are bounded by their bytes", () => {
	const hub = new FeedHub(() => {});
	const slow = client("slow");
	hub.subscribe("logs", slow);
	slow.allow(1);
	for (let number = 0; number < 5; number++) hub.publish("logs", Buffer.alloc(300 * 1024));
	expect(hub.counts).toMatchObject({ sent: { logs: 1 }, dropped: { slow: 1 } });
});

test("there are 128 at most, of all feeds together", () => {
	const hub = new FeedHub(() => {});
	const taken = Array.from({ length: 128 }, (_, index) =>
		hub.subscribe(index % 2 === 0 ? "alerts" : "messages", client("x")),
	);
	expect(taken.includes(null)).toBe(false);
	expect(hub.subscribe("logs", client("y"))).toBeNull();
	taken[5]?.end();
	expect(hub.subscribe("logs", client("y"))).not.toBeNull();
});
