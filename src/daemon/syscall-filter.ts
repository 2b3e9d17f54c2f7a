/**
 * The system calls that a guard never needs, as a filter of seccomp(2). Each is answered with an error, as if the
 * kernel did not permit it: no other program is ever run, no module loaded, no other process looked into, no file
 * system mounted, nothing about the host's name, clock or power changed. Pure.
 */

import type { Instruction } from "../../ffi/confine.ts";

interface Architecture {
	/** AUDIT_ARCH_* (linux/audit.h). */
	readonly audit: number;
	readonly clone: number;
	readonly clone3: number;
	readonly socket: number;
	/** Answered with EPERM. */
	readonly refused: readonly number[];
}

/** Calls by name, with their numbers on x86-64 and on arm64, or null where there is none. */
const refused: readonly (readonly [string, number | null, number | null])[] = [
	// Other programs and processes.
	["execve", 59, 221],
	["execveat", 322, 281],
	["fork", 57, null],
	["vfork", 58, null],
	["ptrace", 101, 117],
	["process_vm_readv", 310, 270],
	["process_vm_writev", 311, 271],
	["kcmp", 312, 272],
	["pidfd_getfd", 438, 438],
	["personality", 135, 92],
	// The kernel's own code and insides.
	["init_module", 175, 105],
	["finit_module", 313, 273],
	["delete_module", 176, 106],
	["kexec_load", 246, 104],
	["kexec_file_load", 320, 294],
	["bpf", 321, 280],
	["perf_event_open", 298, 241],
	["userfaultfd", 323, 282],
	["iopl", 172, null],
	["ioperm", 173, null],
	["modify_ldt", 154, null],
	["syslog", 103, 116],
	// File systems, devices and namespaces.
	["mount", 165, 40],
	["umount2", 166, 39],
	["pivot_root", 155, 41],
	["chroot", 161, 51],
	["open_tree", 428, 428],
	["move_mount", 429, 429],
	["fsopen", 430, 430],
	["fsconfig", 431, 431],
	["fsmount", 432, 432],
	["fspick", 433, 433],
	["mount_setattr", 442, 442],
	["mknod", 133, null],
	["mknodat", 259, 33],
	["open_by_handle_at", 304, 265],
	["fanotify_init", 300, 262],
	["quotactl", 179, 60],
	["swapon", 167, 224],
	["swapoff", 168, 225],
	["acct", 163, 89],
	["setns", 308, 268],
	["unshare", 272, 97],
	// Keys, and the host's name, clock and power.
	["add_key", 248, 217],
	["request_key", 249, 218],
	["keyctl", 250, 219],
	["sethostname", 170, 161],
	["setdomainname", 171, 162],
	["settimeofday", 164, 170],
	["clock_settime", 227, 112],
	["adjtimex", 159, 171],
	["clock_adjtime", 305, 266],
	["reboot", 169, 142],
];

/** `refused`, with the same number everywhere. */
const ioUringSetup = 425;

const architectures: Readonly<Record<string, Architecture>> = {
	x64: { audit: 0xc000003e, clone: 56, clone3: 435, socket: 41, refused: numbersOf(1) },
	arm64: { audit: 0xc00000b7, clone: 220, clone3: 435, socket: 198, refused: numbersOf(2) },
};

function numbersOf(column: 1 | 2): readonly number[] {
	return refused.flatMap((call) => call[column] ?? []);
}

/** linux/bpf_common.h: load a word, jump if equal, at least, or any bit set, mask, and return. */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_ANY = 0x45;
const AND = 0x54;
const RETURN = 0x06;

/** Offsets in struct seccomp_data; of an argument, the low half on the little-endian machines that we are built for. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (index: number) => 16 + index * 8;

/** linux/seccomp.h */
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (value: number) => 0x00050000 | value;

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** On x86-64 the numbers from here on are those of x32. */
const X32 = 0x40000000;
/** linux/sched.h: a new thread, not a new process. */
const CLONE_THREAD = 0x10000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
/** Of a socket's type, what is not a flag. */
const SOCK_TYPE = 0xf;
/** linux/netlink.h: addresses and links, sockets, netfilter, device events. */
const netlinkProtocols = [0, 4, 12, 15];

/** Instructions with jumps to labels, which are resolved at the end; only forwards, by at most 255. */
class Assembler {
	readonly #lines: { code: number; yes: string; no: string; operand: number }[] = [];
	readonly #labels = new Map<string, number>();

	load(offset: number): void {
		this.#lines.push({ code: LOAD, yes: "", no: "", operand: offset });
	}

	mask(bits: number): void {
		this.#lines.push({ code: AND, yes: "", no: "", operand: bits });
	}

	/** "" goes on with the next instruction. */
	jump(code: number, operand: number, yes: string, no = ""): void {
		this.#lines.push({ code, yes, no, operand });
	}

	end(label: string, value: number): void {
		this.label(label);
		this.#lines.push({ code: RETURN, yes: "", no: "", operand: value });
	}

	label(name: string): void {
		this.#labels.set(name, this.#lines.length);
	}

	/** @throws RangeError for a jump that is too long or leads nowhere, a bug. */
	get program(): readonly Instruction[] {
		const distance = (from: number, label: string): number => {
			if (label === "") return 0;
			const to = (this.#labels.get(label) ?? -1) - from - 1;
			if (to < 0 || to > 255) throw new RangeError(`a jump to ${label} of ${to} instructions`);
			return to;
		};
		return this.#lines.map(({ code, yes, no, operand }, at) => ({
			code,
			jumpTrue: distance(at, yes),
			jumpFalse: distance(at, no),
			operand,
		}));
	}
}

/** The filter for an architecture as `process.arch` names it, or null for one that is not known. */
export function systemCallFilter(architecture: string): readonly Instruction[] | null {
	const known = architectures[architecture];
	if (known === undefined) return null;
	const code = new Assembler();
	code.load(ARCHITECTURE);
	code.jump(JUMP_EQUAL, known.audit, "", "kill");
	code.load(NUMBER);
	code.jump(JUMP_AT_LEAST, X32, "kill");
	code.jump(JUMP_EQUAL, known.clone, "clone");
	// Its arguments lie in memory, where a filter cannot look: the C library then takes clone.
	code.jump(JUMP_EQUAL, known.clone3, "unknown");
	code.jump(JUMP_EQUAL, ioUringSetup, "unknown");
	code.jump(JUMP_EQUAL, known.socket, "socket");
	for (const number of known.refused) code.jump(JUMP_EQUAL, number, "refuse");
	code.jump(JUMP_AT_LEAST, 0, "allow");
	code.label("clone");
	code.load(argument(0));
	code.jump(JUMP_ANY, CLONE_THREAD, "allow", "refuse");
	code.label("socket");
	code.load(argument(0));
	code.jump(JUMP_EQUAL, AF_UNIX, "allow");
	code.jump(JUMP_EQUAL, AF_NETLINK, "netlink");
	code.jump(JUMP_EQUAL, AF_INET, "internet");
	code.jump(JUMP_EQUAL, AF_INET6, "internet", "family");
	code.label("internet");
	code.load(argument(1));
	code.mask(SOCK_TYPE);
	code.jump(JUMP_EQUAL, SOCK_RAW, "refuse", "allow");
	code.label("netlink");
	code.load(argument(2));
	for (const protocol of netlinkProtocols) code.jump(JUMP_EQUAL, protocol, "allow");
	code.end("family", errno(EAFNOSUPPORT));
	code.end("unknown", errno(ENOSYS));
	code.end("refuse", errno(EPERM));
	code.end("kill", KILL_PROCESS);
	code.end("allow", ALLOW);
	return code.program;
}
