/** Waiting for descriptors without burning time: poll(2), and an eventfd(2) by which another thread ends the wait. */

import { EAGAIN, EFD_CLOEXEC, EFD_NONBLOCK, EINTR, POLLIN, POLLPRI } from "./constants.ts";
import { Libc } from "./libc.ts";
import { checkedInteger } from "./library.ts";

type Failure = { readonly ok: false; readonly error: string };

/** A flag that any thread of the process can raise and that poll can wait for. */
export class EventFd {
	readonly #libc: Libc;
	#fd: number;

	private constructor(libc: Libc, fd: number) {
		this.#libc = libc;
		this.#fd = fd;
	}

	static create(): { readonly ok: true; readonly event: EventFd } | Failure {
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		const created = library.libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		return created.ok ? { ok: true, event: new EventFd(library.libc, created.value) } : created;
	}

	/** The descriptor: a plain number that other threads of this process may use; -1 after close(). */
	get fd(): number {
		return this.#fd;
	}

	/** Raises the flag. */
	signal(): void {
		if (this.#fd >= 0) this.#libc.write(this.#fd, new Uint8Array(BigUint64Array.of(1n).buffer));
	}

	/** Lowers the flag. True when it was up. */
	clear(): boolean {
		return this.#fd >= 0 && this.#libc.read(this.#fd, new Uint8Array(8)).ok;
	}

	/** Closes the descriptor. Only after every thread that polls it has ended; a second call does nothing. */
	close(): void {
		if (this.#fd >= 0) this.#libc.close(this.#fd);
		this.#fd = -1;
	}
}

/** Waits until one of a fixed list of descriptors can be read, or one of files of /proc/sys has another content. */
export class Poller {
	readonly #libc: Libc;
	/** Array of struct pollfd: int fd, short events, short revents. */
	readonly #descriptors: Uint8Array;
	readonly #view: DataView;

	private constructor(libc: Libc, fds: readonly number[], changing: readonly number[]) {
		const all = [...fds, ...changing];
		this.#libc = libc;
		this.#descriptors = new Uint8Array(all.length * 8);
		this.#view = new DataView(this.#descriptors.buffer);
		for (const [index, fd] of all.entries()) {
			this.#view.setInt32(index * 8, checkedInteger(fd, 0, 0x7fffffff, "fd"), true);
			this.#view.setInt16(index * 8 + 4, index < fds.length ? POLLIN : POLLPRI, true);
		}
	}

	/** @param changing files of /proc/sys that tell poll(2) of a change (proc_sys_poll): `hostname` and `domainname` do */
	static create(
		fds: readonly number[],
		changing: readonly number[] = [],
	): { readonly ok: true; readonly poller: Poller } | Failure {
		const library = Libc.open();
		if (!library.ok) return { ok: false, error: library.reason };
		return { ok: true, poller: new Poller(library.libc, fds, changing) };
	}

	/**
	 * @param timeout milliseconds, -1 to wait for ever.
	 * @returns for each descriptor in order, `changing` last, whether it has data, a change or an error to read; all false after the
	 * timeout and after a signal (EINTR).
	 */
	wait(timeout: number): { readonly ok: true; readonly ready: readonly boolean[] } | Failure {
		const count = this.#descriptors.length / 8;
		const polled = this.#libc.poll(this.#descriptors, checkedInteger(timeout, -1, 0x7fffffff, "timeout"));
		if (!polled.ok) {
			if (polled.errno !== EINTR && polled.errno !== EAGAIN) return polled;
			return { ok: true, ready: new Array<boolean>(count).fill(false) };
		}
		return {
			ok: true,
			ready: Array.from({ length: count }, (_, index) => this.#view.getInt16(index * 8 + 6, true) !== 0),
		};
	}
}
