/**
 * Bun finds the program that it carries through one address in its data. Where
 * that address is zero, it is the plain Bun command line instead, without a
 * word: so it is after `strip`, which does not know of the address and clears it.
 *
 * A sealed executable cannot get there. It has no section headers, so that
 * `strip` refuses it, and it starts in a few instructions of our own
 * (scripts/seal/*.s), which compare the address and a digest of the program
 * with what was built, and say so and end where they differ. They lie before
 * the program in the file and ask the kernel whether its end is there, so a
 * file that was cut there says so too; one that was cut before is none that the
 * kernel starts. And they empty the environment of everything
 * that portward has no use for, before the runtime can look at it, and put the
 * variables there that the runtime is to know.
 *
 * What the runtime wants zeroed before the program (.bss), Bun writes out as zeros to have the program behind it in one
 * segment. A sealed executable has the program in a segment of its own, and the kernel makes the zeros. The two more
 * program headers lie over the path of the dynamic loader, which moves, and over the linker's notes.
 *
 * ELF: System V ABI, chapters 4 and 5. Everything here is little-endian, 64 bit.
 */

const headerSize = 64;
const programHeaderSize = 56;
const sectionHeaderSize = 64;
const segment = { load: 1, interpreter: 3, note: 4, table: 6 } as const;
const flag = { execute: 1, write: 2, read: 4 } as const;
const fixedAddresses = 2;
const trailer = Buffer.from("\n---- Bun! ----\n");
/** An odd number, so that multiplying by it loses nothing: any one word that differs makes another digest. */
const prime = 0x100000001b3n;

export const damagedMessage =
	"portward: this file is damaged: its program is gone or was changed (stripped, cut off, or copied badly). Install it again.\n";

/** How many words scripts/seal/*.s have at their end. */
const tableWords = 11;

/**
 * How the names begin of the variables that portward sees. The runtime obeys a few hundred others: BUN_JSC_functionOverrides,
 * to name one, replaces the text of any function by what stands in a file.
 */
export const keptVariables = [
	"PORTWARD_",
	// How systemd talks to a service.
	"NOTIFY_SOCKET=",
	"WATCHDOG_PID=",
	"WATCHDOG_USEC=",
	"LISTEN_",
	"INVOCATION_ID=",
	"JOURNAL_STREAM=",
	"CREDENTIALS_DIRECTORY=",
	// Who asks, and from where.
	"SSH_",
	"SUDO_",
	"USER=",
	"LOGNAME=",
	// How the terminal wants to be written to.
	"TERM=",
	"COLORTERM=",
	"NO_COLOR=",
	"FORCE_COLOR=",
	"COLUMNS=",
	"LINES=",
	"LANG=",
	"LC_",
	"TZ=",
] as const;

/**
 * What the runtime is told in the places of variables that were emptied, in this order; who starts a program gives it
 * some, PATH to name one. Measured with Bun 1.4.5, of a daemon with one policy on a quiet host:
 *
 * - Its own timer would collect garbage each second on each thread that has a heap, and wake the processor for it; so
 *   it does once a minute. JavaScriptCore collects besides when enough was allocated. Without any timer, what a few
 *   answers of 27 MB left behind stayed for as long as nothing else happened.
 * - A thread of the allocator would look every second for memory to give back. The other threads do so as they go.
 * - JavaScriptCore would stop its threads by signals, which a thread of its own sends each millisecond until they are
 *   heard, 240 times a minute; loops look for themselves instead, which 10 000 rules did not notice.
 * - A function is compiled once it has run four times as often as JavaScriptCore would have it. What runs at a start
 *   alone is not, which spares memory; what takes long is compiled as before.
 */
export const givenVariables = [
	"BUN_GC_TIMER_INTERVAL=60000",
	"MIMALLOC_SCAVENGER=0",
	"BUN_JSC_usePollingTraps=1",
	"BUN_JSC_thresholdForJITAfterWarmUp=2000",
] as const;

/** What scripts/seal/x64.s assembles to, without the words at its end. */
const x64Code =
	"488b04244c8d4cc4104c8b157801000052498b394885ff7449488b3560010000803e00741e31c98a040e84c0742e3a040f750548" +
	"ffc1ebef8a0648ffc684c075f7ebddc607004d89114c89d68a0648ffc684c075f7803e004c0f45d64983c108ebaf488b05cf0000" +
	"00488b35d00000004839300f8595000000b80e000000bfffffffff488b35be00000031d241ba080000000f054883f8f27474488b" +
	"359f000000488b0da80000004c8b05a900000031c0483306490fafc04889c248c1ea204831d04883c60848ffc975e6483b058e00" +
	"0000753a4881ec00100000b84f0000004889e7be001000000f054883f8fe751066c704242f00b8500000004889e70f054881c400" +
	"1000005aff255a000000b801000000bf02000000488b3551000000488b15520000000f05b8e7000000bf010000000f05cccccccc";
/** The same of scripts/seal/arm64.s. */
const arm64Code =
	"f30300aae90340f9e96f298b294100910f0c00582a8540f80a0300b46b0b00586c0140398c0100340d0080d26c696d382cffff34" +
	"4e696d389f010e6b61000054ad050091faffff176c154038ecffff35f4ffff175f0100392f811ff8eb030faa6c154038ecffff35" +
	"6c0140399f010071ef018b9ae8ffff17490600586a060058290140f93f010aeba1040054e81080d200008092e1050058020080d2" +
	"030180d2010000d41f3800b1a00300546b0500588c0500580d0080d24e8540f8ad010ecaad7d0c9bad814dca6b0500f161ffff54" +
	"ce040058bf010eeb21020054ff0740d1280280d2e0030091010082d2010000d41f0800b1c1000054e9058052e9030079280680d2" +
	"e0030091010000d4ff074091e00313aaf002005800021fd6080880d2400080d2a1020058c2020058010000d4c80b80d2200080d2" +
	"010000d41f2003d5";

/** By ELF's e_machine. */
export const entryCode: ReadonlyMap<number, { readonly name: "x64" | "arm64"; readonly code: Buffer }> =
	new Map([
		[62, { name: "x64", code: Buffer.from(x64Code, "hex") }],
		[183, { name: "arm64", code: Buffer.from(arm64Code, "hex") }],
	]);

interface Segment {
	readonly type: number;
	readonly flags: number;
	readonly offset: bigint;
	readonly address: bigint;
	readonly fileSize: bigint;
	readonly memorySize: bigint;
	readonly align: bigint;
}

type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

const failed = (error: string) => ({ ok: false, error }) as const;
const up = (value: bigint, unit: bigint) => ((value + unit - 1n) / unit) * unit;
const endOf = (segment: Segment) => segment.offset + segment.fileSize;

function segmentsOf(file: Buffer): Segment[] {
	const table = Number(file.readBigUInt64LE(32));
	return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
		const header = table + index * programHeaderSize;
		return {
			type: file.readUInt32LE(header),
			flags: file.readUInt32LE(header + 4),
			offset: file.readBigUInt64LE(header + 8),
			address: file.readBigUInt64LE(header + 16),
			fileSize: file.readBigUInt64LE(header + 32),
			memorySize: file.readBigUInt64LE(header + 40),
			align: file.readBigUInt64LE(header + 48),
		};
	});
}

function writeHeader(file: Buffer, at: number, each: Segment): void {
	file.writeUInt32LE(each.type, at);
	file.writeUInt32LE(each.flags, at + 4);
	const { offset, address, fileSize, memorySize, align } = each;
	[offset, address, address, fileSize, memorySize, align].forEach((value, index) => {
		file.writeBigUInt64LE(value, at + 8 + 8 * index);
	});
}

/** Address and size of the section `name`. */
function findSection(file: Buffer, name: string): { address: bigint; offset: bigint; size: bigint } | null {
	const table = Number(file.readBigUInt64LE(40));
	const at = (index: number) => table + index * sectionHeaderSize;
	const names = Number(file.readBigUInt64LE(at(file.readUInt16LE(62)) + 24));
	const wanted = Buffer.from(`${name}\0`);
	for (let index = 0; index < file.readUInt16LE(60); index++) {
		const start = names + file.readUInt32LE(at(index));
		if (!file.subarray(start, start + wanted.length).equals(wanted)) continue;
		return {
			address: file.readBigUInt64LE(at(index) + 16),
			offset: file.readBigUInt64LE(at(index) + 24),
			size: file.readBigUInt64LE(at(index) + 32),
		};
	}
	return null;
}

/** The digest that the entry code computes: of whole 8-byte words. */
export function digest(bytes: Uint8Array): bigint {
	const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
	let value = 0n;
	for (const word of words) {
		const product = BigInt.asUintN(64, (value ^ word) * prime);
		value = product ^ (product >> 32n);
	}
	return value;
}

/** What has to be known of the executable, or in what it is not as Bun makes it. */
function examine(file: Buffer) {
	if (!file.subarray(0, 6).equals(Buffer.from("\x7fELF\x02\x01", "latin1"))) {
		return failed("not a 64 bit little-endian ELF file");
	}
	const code = entryCode.get(file.readUInt16LE(18));
	if (code === undefined) return failed(`no entry code for ELF machine ${file.readUInt16LE(18)}`);
	if (file.readUInt16LE(16) !== fixedAddresses) return failed("the executable is not one of fixed addresses");
	const segments = segmentsOf(file);
	const [constants, text, data, ...more] = segments.filter(({ type }) => type === segment.load);
	const [note, ...moreNotes] = segments.filter(({ type }) => type === segment.note);
	const interpreter = segments.find(({ type }) => type === segment.interpreter);
	if (constants === undefined || text === undefined || data === undefined || more.length > 0) {
		return failed("expected three loaded segments");
	}
	if (note === undefined || moreNotes.length > 0) return failed("expected one note segment");
	const tableEnd = BigInt(headerSize + programHeaderSize * segments.length);
	if (
		file.readBigUInt64LE(32) !== BigInt(headerSize) ||
		interpreter?.offset !== tableEnd ||
		note.offset - endOf(interpreter) > 8n ||
		endOf(note) < tableEnd + BigInt(programHeaderSize)
	) {
		return failed(
			"expected the dynamic loader's path and notes behind the program headers, with room for one more",
		);
	}
	if (text.flags !== (flag.read | flag.execute) || data.flags !== (flag.read | flag.write)) {
		return failed("expected the second loaded segment to be code and the third to be data");
	}
	if (data.offset < endOf(text) || data.address < text.address || data.fileSize !== data.memorySize) {
		return failed("the data does not follow the code, or is not whole in the file");
	}
	const program = findSection(file, ".bun");
	if (program === null) return failed("the executable has no section .bun");
	const programEnd = program.offset + program.size;
	if (
		programEnd > endOf(data) ||
		endOf(data) - programEnd >= data.align ||
		program.address % data.align !== 0n ||
		program.offset - data.offset !== program.address - data.address
	) {
		return failed("the program is not the end of the data, on pages of its own");
	}
	const bytes = file.subarray(Number(program.offset), Number(programEnd));
	if (bytes.readBigUInt64LE(0) !== program.size - 8n || !bytes.subarray(-trailer.length).equals(trailer)) {
		return failed("the program has not the form that Bun gave it");
	}
	const before = file.subarray(Number(data.offset), Number(program.offset));
	const pointers: number[] = [];
	const wanted = Buffer.alloc(8);
	wanted.writeBigUInt64LE(program.address);
	for (let at = before.indexOf(wanted); at !== -1; at = before.indexOf(wanted, at + 1)) pointers.push(at);
	const [pointer, ...morePointers] = pointers;
	if (pointer === undefined || morePointers.length > 0) {
		return failed(`the address of the program occurs ${pointers.length} times, expected once`);
	}
	return {
		ok: true,
		value: {
			code,
			segments,
			text,
			data,
			note,
			interpreter,
			program,
			pointer: data.address + BigInt(pointer),
		},
	} as const;
}

type Layout = Extract<ReturnType<typeof examine>, { ok: true }>["value"];

/** What the entry code compares with, and what it says and keeps: all that stands behind it in its segment. */
function entryTable(file: Buffer, layout: Layout, address: bigint, program: Buffer): Buffer {
	const { code, program: section, pointer } = layout;
	const words = BigInt(program.length / 8);
	const message = Buffer.from(damagedMessage);
	const list = (words: readonly string[]) => Buffer.from([...words, ""].map((word) => `${word}\0`).join(""));
	const kept = list(keptVariables);
	const messageAddress = address + BigInt(code.code.length + 8 * tableWords);
	const table = [
		pointer,
		section.address,
		section.address + 8n * (words - 1n),
		words,
		prime,
		digest(Uint8Array.from(program)),
		file.readBigUInt64LE(24),
		messageAddress,
		BigInt(message.length),
		messageAddress + BigInt(message.length),
		messageAddress + BigInt(message.length + kept.length),
	];
	return Buffer.concat([Buffer.from(BigUint64Array.from(table).buffer), message, kept, list(givenVariables)]);
}

/** A compiled executable sealed, or why it is not as it was when this was written. */
export function seal(executable: Uint8Array): Result<Buffer> {
	const file = Buffer.from(executable);
	const examined = examine(file);
	if (!examined.ok) return examined;
	const { code, segments, text, data, note, interpreter, program } = examined.value;
	const page = data.align;

	// What is zero at the end of the data is not in the file.
	let zeros = Number(program.offset);
	while (file[zeros - 1] === 0) zeros--;
	const dataSize = BigInt(zeros) - data.offset;
	const programBytes = Buffer.alloc(Number(up(program.size, 8n)));
	file.copy(programBytes, 0, Number(program.offset), Number(program.offset + program.size));
	const programSize = BigInt(programBytes.length);
	const entryAddress = up(program.address + programSize, page);
	const own = Buffer.concat([code.code, entryTable(file, examined.value, entryAddress, programBytes)]);
	const path = file.subarray(Number(interpreter.offset), Number(endOf(interpreter)));
	const entry = Buffer.concat([own, path]);

	// The code, then ours, then the data, then the program: each loaded segment on pages of its own.
	const entryOffset = up(endOf(text), page);
	const dataOffset = up(entryOffset + BigInt(entry.length), page) + (data.offset % page);
	const programOffset = up(dataOffset + dataSize, page);
	const sealed = Buffer.alloc(Number(programOffset + programSize));
	file.copy(sealed, 0, 0, Number(endOf(text)));
	entry.copy(sealed, Number(entryOffset));
	file.copy(sealed, Number(dataOffset), Number(data.offset), zeros);
	programBytes.copy(sealed, Number(programOffset));

	const moved = (each: Segment) => {
		if (each === data) {
			const memorySize = program.address - data.address;
			return { ...each, offset: dataOffset, fileSize: dataSize, memorySize };
		}
		if (each === interpreter) {
			const before = BigInt(own.length);
			return { ...each, offset: entryOffset + before, address: entryAddress + before };
		}
		if (each.type === segment.table) {
			const size = each.fileSize + BigInt(programHeaderSize);
			return { ...each, fileSize: size, memorySize: size };
		}
		// What lies in the data moves with it.
		return each.offset < data.offset ? each : { ...each, offset: each.offset - data.offset + dataOffset };
	};
	const loaded = (flags: number, offset: bigint, address: bigint, size: bigint) => {
		return { type: segment.load, flags, offset, address, fileSize: size, memorySize: size, align: page };
	};
	// The kernel wants those that are loaded in the order of their addresses. Nothing asks for the notes.
	const headers = [
		...segments.filter((each) => each !== note).map(moved),
		loaded(data.flags, programOffset, program.address, programSize),
		loaded(flag.read | flag.execute, entryOffset, entryAddress, BigInt(entry.length)),
	];
	headers.forEach((each, index) => {
		writeHeader(sealed, headerSize + index * programHeaderSize, each);
	});
	sealed.writeUInt16LE(headers.length, 56);
	sealed.writeBigUInt64LE(entryAddress, 24);
	// No section headers: their offset, the size of one, their number, and the index of their names.
	sealed.writeBigUInt64LE(0n, 40);
	sealed.fill(0, 58, headerSize);
	return { ok: true, value: sealed };
}
