/** A wait that ended without what it waited for. */
export class TimedOut extends Error {
	override readonly name = "TimedOut";
}

/** Beside another guest, or on a slow machine, an emulated processor takes several times as long. */
const slowness = 3;

/**
 * Resolves as `promise` does, or throws TimedOut with `what` in the message: after `ms` milliseconds, of a machine that
 * has nothing else to do.
 */
export async function within<T>(ms: number, what: string | (() => string), promise: Promise<T>): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => {
			reject(new TimedOut(`waited ${slowness * ms} ms for ${typeof what === "string" ? what : what()}`));
		}, slowness * ms);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Between two looks passes no more than this, and no more than such a part of what was waited already. */
const longestPause = 2_000;
const pauseShare = 1 / 10;

/**
 * Calls `probe` until it returns something other than undefined or false; throws TimedOut as within does. The first waits
 * take `every` milliseconds, later ones a part of what has passed: a question costs an emulated processor a third of a
 * second and more, and who asks all the time slows down what it waits for.
 */
export async function until<T>(
	ms: number,
	what: string | (() => string),
	probe: () => Promise<T | undefined | false> | T | undefined | false,
	every = 50,
): Promise<T> {
	const started = Date.now();
	const deadline = started + slowness * ms;
	for (;;) {
		const value = await probe();
		if (value !== undefined && value !== false) return value;
		if (Date.now() >= deadline)
			throw new TimedOut(`waited ${slowness * ms} ms for ${typeof what === "string" ? what : what()}`);
		await Bun.sleep(Math.max(every, Math.min(longestPause, (Date.now() - started) * pauseShare)));
	}
}

/** A list that grows, with waiters that look at every new item. */
export class Stream<T> {
	readonly items: T[] = [];
	private readonly waiters = new Set<() => void>();

	push(item: T): void {
		this.items.push(item);
		for (const waiter of [...this.waiters]) waiter();
	}

	/** The place after the last item so far; give it to `find` and `since` to look only at what follows. */
	mark(): number {
		return this.items.length;
	}

	since(mark: number): readonly T[] {
		return this.items.slice(mark);
	}

	/** The first item from `mark` on that satisfies `predicate`, waiting for it as within does. */
	find(
		predicate: (item: T) => boolean,
		what: string,
		options: { mark?: number; ms?: number } = {},
	): Promise<T> {
		let next = options.mark ?? 0;
		const look = (): T | undefined => {
			while (next < this.items.length) {
				const item = this.items[next++];
				if (item !== undefined && predicate(item)) return item;
			}
			return undefined;
		};
		let waiter: (() => void) | undefined;
		const found = new Promise<T>((resolve) => {
			waiter = () => {
				const item = look();
				if (item !== undefined) resolve(item);
			};
			this.waiters.add(waiter);
			waiter();
		});
		return within(options.ms ?? 30_000, what, found).finally(() => {
			if (waiter) this.waiters.delete(waiter);
		});
	}
}
