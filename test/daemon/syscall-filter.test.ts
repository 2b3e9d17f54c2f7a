/** The filter as the kernel runs it: an interpreter of the few BPF instructions that it uses. */

import { describe, expect, test } from "bun:test";
import type { Instruction } from "../../ffi/confine.ts";
import { systemCallFilter } from "../../src/daemon/syscall-filter.ts";

const allow = 0x7fff0000;
const killed = 0x80000000;
const refused = (errno: number) => 0x00050000 | errno;

/** What the filter returns for a call; struct seccomp_data of a little-endian machine. */
function run(
	program: readonly Instruction[],
	audit: number,
	number: number,
	given: readonly number[] = [],
): number {
	const data = new DataView(new ArrayBuffer(64));
	data.setUint32(0, number, true);
	data.setUint32(4, audit, true);
	for (const [i, value] of given.entries()) data.setBigUint64(16 + i * 8, BigInt(value), true);
	let accumulator = 0;
	for (let at = 0; ; at++) {
		const line = program[at];
		if (line === undefined) throw new Error("the program has no end");
		const { code, operand, jumpTrue, jumpFalse } = line;
		const jump = (taken: boolean) => {
			at += taken ? jumpTrue : jumpFalse;
		};
		if (code === 0x06) return operand;
		if (code === 0x20) accumulator = data.getUint32(operand, true);
		else if (code === 0x54) accumulator = (accumulator & operand) >>> 0;
		else if (code === 0x15) jump(accumulator === operand);
		else if (code === 0x35) jump(accumulator >= operand);
		else if (code === 0x45) jump((accumulator & operand) !== 0);
		else throw new Error(`instruction ${code}`);
	}
}

interface Numbers {
	readonly audit: number;
	readonly clone: number;
	readonly socket: number;
	readonly write: number;
	readonly execve: number;
	readonly execveat: number;
	readonly initModule: number;
	readonly mount: number;
	readonly setns: number;
}

const machines: Readonly<Record<string, Numbers>> = {
	x64: {
		audit: 0xc000003e,
		clone: 56,
		socket: 41,
		write: 1,
		execve: 59,
		execveat: 322,
		initModule: 175,
		mount: 165,
		setns: 308,
	},
	arm64: {
		audit: 0xc00000b7,
		clone: 220,
		socket: 198,
		write: 64,
		execve: 221,
		execveat: 281,
		initModule: 105,
		mount: 40,
		setns: 268,
	},
};

describe.each(Object.entries(machines))("on %s", (name, numbers) => {
	const program = systemCallFilter(name) ?? [];
	const call = (number: number, ...given: number[]) => run(program, numbers.audit, number, given);

	test("other programs, modules, mounts and namespaces are refused", () => {
		for (const number of [
			numbers.execve,
			numbers.execveat,
			numbers.initModule,
			numbers.mount,
			numbers.setns,
		]) {
			expect(call(number)).toBe(refused(1));
		}
	});

	test("threads are made, processes are not", () => {
		expect(call(numbers.clone, 0x3d0f00)).toBe(allow);
		expect(call(numbers.clone, 17)).toBe(refused(1));
		expect(call(435)).toBe(refused(38));
		expect(call(425)).toBe(refused(38));
	});

	test("sockets are those that the daemon has", () => {
		const socket = (...given: number[]) => call(numbers.socket, ...given);
		expect(socket(1, 0x80001, 0)).toBe(allow);
		expect(socket(2, 1, 6)).toBe(allow);
		expect(socket(10, 0x80802, 17)).toBe(allow);
		expect(socket(2, 0x80003, 255)).toBe(refused(1));
		expect(socket(10, 3, 58)).toBe(refused(1));
		for (const protocol of [0, 4, 12, 15]) expect(socket(16, 3, protocol)).toBe(allow);
		expect(socket(16, 3, 16)).toBe(refused(97));
		for (const family of [17, 31, 38, 40, 44]) expect(socket(family, 3, 0)).toBe(refused(97));
	});

	test("everything else passes", () => {
		expect(call(numbers.write, 1, 2, 3)).toBe(allow);
		expect(call(0)).toBe(allow);
		expect(call(999)).toBe(allow);
	});

	test("the calls of another architecture end the process", () => {
		expect(run(program, 0x40000003, 11)).toBe(killed);
		expect(call(0x40000000 + 1)).toBe(killed);
	});
});

test("an unknown architecture has no filter", () => {
	expect(systemCallFilter("s390x")).toBeNull();
});
