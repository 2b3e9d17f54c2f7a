/** The C library: the few calls that Bun has no equivalent for. Every wrapper reads errno at once after its call. */

import { type FFIFunction, type Library, type Pointer, ptr, read, toArrayBuffer } from "bun:ffi";
import { getSystemErrorMap } from "node:util";
import { checkedInteger, type LibraryFailure, type LibrarySpec, openLibrary } from "./library.ts";

/** linux/fcntl.h */
const F_DUPFD_CLOEXEC = 1030;

const INT_MAX = 0x7fffffff;

const FUNCTIONS = {
	__errno_location: { args: [], returns: "ptr" },
	socket: { args: ["int", "int", "int"], returns: "int" },
	bind: { args: ["int", "ptr", "u32"], returns: "int" },
	getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
	setsockopt: { args: ["int", "int", "int", "ptr", "u32"], returns: "int" },
	getsockopt: { args: ["int", "int", "int", "ptr", "ptr"], returns: "int" },
	recvfrom: { args: ["int", "ptr", "u64", "int", "ptr", "ptr"], returns: "i64" },
	sendto: { args: ["int", "ptr", "u64", "int", "ptr", "u32"], returns: "i64" },
	poll: { args: ["ptr", "u64", "int"], returns: "int" },
	eventfd: { args: ["u32", "int"], returns: "int" },
	read: { args: ["int", "ptr", "u64"], returns: "i64" },
	write: { args: ["int", "ptr", "u64"], returns: "i64" },
	close: { args: ["int"], returns: "int" },
	fcntl: { args: ["int", "int", "int"], returns: "int" },
	if_indextoname: { args: ["u32", "ptr"], returns: "ptr" },
	syncfs: { args: ["int"], returns: "int" },
	clock_gettime: { args: ["int", "ptr"], returns: "int" },
	adjtimex: { args: ["ptr"], returns: "int" },
	madvise: { args: ["u64", "u64", "int"], returns: "int" },
	syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
} as const satisfies Record<string, FFIFunction>;

/** Symbols that musl and glibc do not share. */
const OPTIONAL = { malloc_trim: { args: ["u64"], returns: "int" } } as const satisfies Record<
	string,
	FFIFunction
>;

const MUSL_NAMES: Readonly<Record<string, string>> = {
	x64: "libc.musl-x86_64.so.1",
	arm64: "libc.musl-aarch64.so.1",
};

const SPEC: LibrarySpec = {
	fileNames: ["libc.so.6", MUSL_NAMES[process.arch] ?? "libc.musl.so.1"],
	remedy: "Portward needs glibc or musl on x86-64 or arm64; run it on a supported Linux distribution",
};

type Symbols = Library<typeof FUNCTIONS>["symbols"];

/** What a call gave: its return value, or the error number that it left. */
export type CallResult = { readonly ok: true; readonly value: number } | CallFailure;

export interface CallFailure {
	readonly ok: false;
	/** errno. */
	readonly errno: number;
	/** "socket: EPERM: operation not permitted". */
	readonly error: string;
}

export class Libc {
	readonly #symbols: Symbols;
	readonly #errno: Pointer;
	readonly #errnoCell: Int32Array;
	readonly #trim: ((pad: number) => number) | null;

	private constructor(symbols: Symbols) {
		this.#symbols = symbols;
		this.#errno = toPointer(symbols.__errno_location());
		this.#errnoCell = new Int32Array(toArrayBuffer(this.#errno, 0, 4));
		const optional = openLibrary(SPEC, OPTIONAL);
		this.#trim = optional.ok ? optional.symbols.malloc_trim : null;
	}

	/** The C library of this process; opened once a thread, as errno lives in the thread. */
	static open(): { readonly ok: true; readonly libc: Libc } | LibraryFailure {
		if (opened !== null) return { ok: true, libc: opened };
		const result = openFunctions();
		if (!result.ok) return result;
		opened = new Libc(result.symbols);
		return { ok: true, libc: opened };
	}

	/** socket(2). */
	socket(domain: number, type: number, protocol: number): CallResult {
		return this.#result("socket", this.#symbols.socket(int(domain), int(type), int(protocol)));
	}

	/** fcntl(2): another descriptor of the same file. */
	duplicate(fd: number): CallResult {
		return this.#result("fcntl", this.#symbols.fcntl(int(fd), F_DUPFD_CLOEXEC, 0));
	}

	/** bind(2). */
	bind(fd: number, address: Uint8Array): CallResult {
		return this.#result("bind", this.#symbols.bind(int(fd), address, address.byteLength));
	}

	/** getsockname(2); fills `address`. */
	getsockname(fd: number, address: Uint8Array): CallResult {
		const length = Uint32Array.of(address.byteLength);
		return this.#result("getsockname", this.#symbols.getsockname(int(fd), address, length));
	}

	/** setsockopt(2) with a 32-bit option value. */
	setIntegerOption(fd: number, level: number, option: number, value: number): CallResult {
		const bytes = Int32Array.of(int(value));
		return this.#result("setsockopt", this.#symbols.setsockopt(int(fd), int(level), int(option), bytes, 4));
	}

	/** getsockopt(2) of a 32-bit option value. */
	getIntegerOption(fd: number, level: number, option: number): CallResult {
		const bytes = new Int32Array(1);
		const length = Uint32Array.of(4);
		const code = this.#symbols.getsockopt(int(fd), int(level), int(option), bytes, length);
		return code === 0 ? { ok: true, value: bytes[0] ?? 0 } : this.#result("getsockopt", code);
	}

	/** getsockopt(2) into `value`; gives the length that was written. */
	getOption(fd: number, level: number, option: number, value: Uint8Array): CallResult {
		const length = Uint32Array.of(value.byteLength);
		const code = this.#symbols.getsockopt(int(fd), int(level), int(option), value, length);
		return code === 0 ? { ok: true, value: length[0] ?? 0 } : this.#result("getsockopt", code);
	}

	/** recvfrom(2): the length of the message (its real one with MSG_TRUNC); the sender's address lands in `sender`. */
	receiveFrom(fd: number, buffer: Uint8Array, flags: number, sender: Uint8Array): CallResult {
		const length = Uint32Array.of(sender.byteLength);
		const code = this.#symbols.recvfrom(int(fd), buffer, buffer.byteLength, int(flags), sender, length);
		return this.#result("recvfrom", Number(code));
	}

	/** sendto(2); with null for an address, send(2). */
	sendTo(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array | null): CallResult {
		const code = this.#symbols.sendto(
			int(fd),
			bytes,
			bytes.byteLength,
			int(flags),
			address,
			address?.byteLength ?? 0,
		);
		return this.#result("sendto", Number(code));
	}

	/** poll(2) over an array of `struct pollfd`; `timeout` in milliseconds, -1 for ever. */
	poll(descriptors: Uint8Array, timeout: number): CallResult {
		const count = descriptors.byteLength / 8;
		return this.#result(
			"poll",
			this.#symbols.poll(descriptors, checkedInteger(count, 1, 1024, "count"), timeout | 0),
		);
	}

	/** eventfd(2). */
	eventfd(initial: number, flags: number): CallResult {
		return this.#result("eventfd", this.#symbols.eventfd(int(initial), int(flags)));
	}

	/** read(2). */
	read(fd: number, buffer: Uint8Array): CallResult {
		return this.#result("read", Number(this.#symbols.read(int(fd), buffer, buffer.byteLength)));
	}

	/** write(2). */
	write(fd: number, bytes: Uint8Array): CallResult {
		return this.#result("write", Number(this.#symbols.write(int(fd), bytes, bytes.byteLength)));
	}

	/** close(2). */
	close(fd: number): CallResult {
		return this.#result("close", this.#symbols.close(int(fd)));
	}

	/** if_indextoname(3): null when no interface of this network namespace has the index. */
	interfaceName(index: number): string | null {
		const name = new Uint8Array(16);
		if (this.#symbols.if_indextoname(checkedInteger(index, 0, 0xffffffff, "index"), name) === null)
			return null;
		const end = name.indexOf(0);
		return new TextDecoder().decode(name.subarray(0, end < 0 ? name.length : end));
	}

	/** syncfs(2). */
	syncfs(fd: number): CallResult {
		return this.#result("syncfs", this.#symbols.syncfs(int(fd)));
	}

	/** clock_gettime(2); fills `time`, a struct timespec: seconds and nanoseconds. */
	clockGetTime(clock: number, time: BigInt64Array): CallResult {
		return this.#result("clock_gettime", this.#symbols.clock_gettime(int(clock), time));
	}

	/** adjtimex(2) with `modes` 0, which changes nothing; fills a struct timex. */
	readClockState(timex: Uint8Array): CallResult {
		const state = this.#symbols.adjtimex(timex);
		return state < 0 ? this.#result("adjtimex", state) : { ok: true, value: state };
	}

	/** madvise(2) for the mapping from `start` on, both a multiple of the page size. */
	madvise(start: bigint, bytes: bigint, advice: number): CallResult {
		return this.#result("madvise", this.#symbols.madvise(start, bytes, int(advice)));
	}

	/** renameat2(2) by its number, as C libraries before glibc 2.28 have no wrapper; paths end in a NUL. */
	renameAt2(
		number: number,
		from: { readonly fd: number; readonly path: Uint8Array },
		to: { readonly fd: number; readonly path: Uint8Array },
		flags: number,
	): CallResult {
		return this.systemCall("renameat2", number, [int(from.fd), from.path, int(to.fd), to.path, int(flags)]);
	}

	/**
	 * syscall(2), for calls that the C library has no function for: at most five arguments, of which bytes are passed
	 * by their address. `name` is for the error text.
	 */
	systemCall(name: string, number: number, given: readonly (number | Uint8Array)[]): CallResult {
		const [a = 0, b = 0, c = 0, d = 0, e = 0] = given.map((value) =>
			typeof value === "number" ? checkedInteger(value, -INT_MAX - 1, 2 ** 32 - 1, "argument") : ptr(value),
		);
		return this.#result(name, Number(this.#symbols.syscall(int(number), a, b, c, d, e)));
	}

	/** errno as the last call of this thread left it, for libraries that tell failures no other way. */
	get errno(): number {
		return read.i32(this.#errno, 0);
	}

	/** Sets errno to 0, so that a call which leaves it alone can be told from one that failed. */
	clearErrno(): void {
		this.#errnoCell[0] = 0;
	}

	/** malloc_trim(3): gives freed memory back to the kernel. False where the C library has none (musl). */
	trimHeap(): boolean {
		if (this.#trim === null) return false;
		this.#trim(0);
		return true;
	}

	#result(call: string, code: number): CallResult {
		if (code >= 0) return { ok: true, value: code };
		const errno = read.i32(this.#errno, 0);
		const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "unknown error"];
		return { ok: false, errno, error: `${call}: ${name}: ${text}` };
	}
}

let opened: Libc | null = null;

function openFunctions() {
	return openLibrary(SPEC, FUNCTIONS);
}

function toPointer(value: Pointer | bigint | null): Pointer {
	if (typeof value !== "number") throw new TypeError("the C library gave no place for errno");
	return value;
}

function int(value: number): number {
	return checkedInteger(value, -INT_MAX - 1, INT_MAX, "argument");
}
