import { expect, test } from "bun:test";
import fc from "fast-check";
import { jsonType, type Reply } from "../../../src/report/reply.ts";
import { Connection } from "../../../src/serve/http/connection.ts";
import { defaultLimits } from "../../../src/serve/http/limits.ts";

const request = Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");

test("answers of every size arrive whole, one after another, however little the wire takes at a time", () => {
	const answer = fc.record({ length: fc.constantFrom(0, 1, 65_536, 65_537, 300_000), asBytes: fc.boolean() });
	const property = fc.property(
		fc.array(answer, { minLength: 1, maxLength: 4 }),
		fc.integer({ min: 1000, max: 100_000 }),
		(answers, most) => {
			const took: Buffer[] = [];
			let room = 0;
			const wire = {
				write(bytes: Uint8Array) {
					const taken = Math.min(bytes.length, room);
					took.push(Buffer.from(bytes.subarray(0, taken)));
					room -= taken;
					return taken;
				},
				shutdown: () => {},
				close: () => {},
			};
			const limits = { ...defaultLimits, requestsPerConnection: answers.length };
			const host = { limits, monotonic: () => 0, now: () => 0, answer: async () => {} };
			const connection = new Connection(wire, host, "");
			for (const [index, { length, asBytes }] of answers.entries()) {
				const text = String(index).repeat(length);
				const reply: Reply = { status: 200, type: jsonType, body: asBytes ? Buffer.from(text) : text };
				took.length = 0;
				connection.receive(request);
				connection.reply(reply, false, false);
				while (connection.outstanding > 0) {
					room = most;
					connection.drain();
				}
				const [head = "", body] = Buffer.concat(took).toString().split("\r\n\r\n");
				expect(head).toContain(`Content-Length: ${length}\r\n`);
				expect(body).toBe(text);
				expect(connection.phase).toBe(index < answers.length - 1 ? "head" : "linger");
			}
		},
	);
	fc.assert(property);
});

test("what is left of a large answer counts as the whole that it keeps in memory", () => {
	let room = 0;
	const wire = {
		write: (bytes: Uint8Array) => {
			const taken = Math.min(room, bytes.length);
			room -= taken;
			return taken;
		},
		shutdown: () => {},
		close: () => {},
	};
	const host = { limits: defaultLimits, monotonic: () => 0, now: () => 0, answer: async () => {} };
	const connection = new Connection(wire, host, "");
	connection.receive(request);
	const body = new Uint8Array(1_000_000);
	connection.reply({ status: 200, type: jsonType, body }, false, false);
	const all = connection.outstanding;
	expect(all).toBeGreaterThan(body.length);
	room = all - 1;
	connection.drain();
	expect(connection.outstanding).toBe(body.length);
	room = 1;
	connection.drain();
	expect(connection.outstanding).toBe(0);
});
