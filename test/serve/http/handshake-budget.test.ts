import { expect, test } from "bun:test";
import { HandshakeBudget } from "../../../src/serve/http/handshake-budget.ts";

const limits = { perSecond: 50, perClientSecond: 10, clients: 100 };

/** How many of `count` handshakes at one moment are begun. */
function begun(budget: HandshakeBudget, address: string, count: number, now: number): number {
	return Array.from({ length: count }, () => budget.admit(address, now)).filter(Boolean).length;
}

test("one client gets its share, and it back with time", () => {
	const budget = new HandshakeBudget(limits);
	expect(begun(budget, "192.0.2.1", 100, 0)).toBe(20);
	expect(begun(budget, "192.0.2.1", 100, 500)).toBe(5);
	expect(begun(budget, "192.0.2.1", 100, 10_000)).toBe(20);
});

test("a client that floods takes nothing from another", () => {
	const budget = new HandshakeBudget(limits);
	for (let now = 0; now < 10_000; now += 10) {
		begun(budget, "192.0.2.1", 50, now);
		if (now % 1000 === 0) expect(budget.admit("192.0.2.2", now)).toBe(true);
	}
});

test("clients that were authenticated lately get in where all others have used everything up", () => {
	const budget = new HandshakeBudget({ ...limits, reservedSecond: 5 });
	const flood = (now: number) => {
		for (let index = 0; index < 1000; index++) budget.admit(`10.0.${index >> 8}.${index & 255}`, now);
	};
	budget.authenticated("192.0.2.1", 0);
	for (let now = 0; now < 30_000; now += 100) {
		flood(now);
		if (now % 1000 !== 0) continue;
		expect(budget.admit("192.0.2.1", now)).toBe(true);
		expect(budget.admit("192.0.2.2", now)).toBe(false);
	}
	flood(3_600_000);
	expect(budget.admit("192.0.2.1", 3_600_000)).toBe(false);
});

test("the reserve holds a flood of its own", () => {
	const budget = new HandshakeBudget({
		perSecond: 1e-9,
		perClientSecond: 10,
		reservedSecond: 5,
		clients: 100,
	});
	budget.authenticated("192.0.2.1", 0);
	expect(begun(budget, "192.0.2.1", 100, 0)).toBe(10);
	expect(begun(budget, "192.0.2.1", 100, 1000)).toBe(5);
});

test("many clients together get what one second holds, and twice that at first", () => {
	const budget = new HandshakeBudget(limits);
	const many = (now: number) =>
		Array.from({ length: 1000 }, (_, index) => budget.admit(`10.0.${index >> 8}.${index & 255}`, now)).filter(
			Boolean,
		).length;
	expect(many(0)).toBe(100);
	expect(many(1000)).toBe(50);
});

test("the addresses of one IPv6 network are one client", () => {
	const budget = new HandshakeBudget(limits);
	const taken = Array.from({ length: 100 }, (_, index) => budget.admit(`2001:db8:0:7::${index}`, 0));
	expect(taken.filter(Boolean)).toHaveLength(20);
	expect(budget.admit("2001:db8:0:7:1:2:3:4", 0)).toBe(false);
	expect(budget.admit("2001:db8:0:8::1", 0)).toBe(true);
	expect(budget.admit("2001:db8::1", 0)).toBe(true);
	expect(budget.admit("::1", 0)).toBe(true);
});

test("IPv4 addresses at a socket for both families are clients of their own", () => {
	const budget = new HandshakeBudget(limits);
	expect(begun(budget, "::ffff:192.0.2.1", 100, 0)).toBe(20);
	expect(budget.admit("192.0.2.1", 0)).toBe(false);
	expect(budget.admit("::ffff:192.0.2.2", 0)).toBe(true);
	expect(budget.admit("::1", 0)).toBe(true);
});

test("no more clients are remembered than are allowed", () => {
	const budget = new HandshakeBudget({ perSecond: 1e9, perClientSecond: 1, clients: 2 });
	expect(begun(budget, "192.0.2.1", 5, 0)).toBe(2);
	begun(budget, "192.0.2.2", 1, 0);
	begun(budget, "192.0.2.3", 1, 0);
	// Forgotten, so it begins anew.
	expect(begun(budget, "192.0.2.1", 5, 0)).toBe(2);
});

test("a clock that stands still or goes back gives nothing away", () => {
	const budget = new HandshakeBudget(limits);
	expect(begun(budget, "192.0.2.1", 100, 1000)).toBe(20);
	expect(begun(budget, "192.0.2.1", 100, 0)).toBe(0);
});
