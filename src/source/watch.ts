/**
 * Notices that a directory tree changed: inotify on its directories, never on
 * its files (a watched file goes blind when another is renamed over it), and a
 * periodic look behind it for what inotify cannot see.
 */

import { type FSWatcher, statSync, watch } from "node:fs";
import { untilTick } from "../base/tick.ts";
import { type DirectoryScan, isRelevant, quickFiles, scanDirectory, waitingFiles } from "./directory-scan.ts";

export interface WatchOptions {
	/** Milliseconds without a further event after which a change is told. */
	readonly quietMs?: number;
	/** Milliseconds after which it is told even while events go on. */
	readonly burstMs?: number;
	/** Milliseconds between two periodic looks. */
	readonly rescanMs?: number;
	/** Whether to use inotify; without it only the periodic look is left. */
	readonly events?: boolean;
	/** Called at the first event of a burst: a change will most likely be told. */
	readonly stirred?: () => unknown;
	/** Of so many periodic looks one is taken where inotify sees all. */
	readonly watchedShare?: number;
}

/** inotify misses what other hosts do to a shared directory. */
const defaultWatchedShare = 3;

/** So many entries are looked at in less time than other threads take to begin. */
const fewEntries = 64;

interface Watched {
	readonly watcher: FSWatcher;
	/** Device and inode: another directory may have taken the path. */
	readonly identity: string;
}

export class DirectoryWatcher {
	readonly #quietMs: number;
	readonly #burstMs: number;
	readonly #events: boolean;
	readonly #watchedShare: number;
	readonly #stirred: () => unknown;
	readonly #watched = new Map<string, Watched>();
	/** Which entries of a watched directory matter; null for all. */
	#relevant: DirectoryScan["watch"] = new Map();
	#signature: string | null = null;
	#entries = Number.POSITIVE_INFINITY;
	/** Whether each directory of the tree is watched. */
	#seesAll = false;
	/** Where the path led at the last look. */
	#identity: string | null = null;
	/** Periods since the last look. */
	#passed = 0;
	#timer: ReturnType<typeof setTimeout> | null = null;
	/** When the first event that is not told yet came. */
	#burstStart = 0;
	#looking = false;
	#again: "event" | "periodic" | null = null;
	#stopped = false;
	#periodic: ReturnType<typeof setTimeout>;

	/**
	 * Watches from construction on; a change before the first look has finished may be told or not.
	 * @param path the directory, which may be a link, may be swapped, and need not exist.
	 * @param changed called on the main thread after something under it changed.
	 */
	constructor(
		private readonly path: string,
		private readonly changed: () => void,
		options: WatchOptions = {},
	) {
		this.#quietMs = options.quietMs ?? 40;
		this.#burstMs = options.burstMs ?? 100;
		this.#events = options.events ?? true;
		this.#watchedShare = options.watchedShare ?? defaultWatchedShare;
		this.#stirred = options.stirred ?? (() => {});
		this.#periodic = this.#lookLater(options.rescanMs ?? 10_000);
		this.ready = this.#look("periodic");
	}

	/** Resolves once the first look has finished: from then on every change is told. */
	readonly ready: Promise<void>;

	/** Ends the watch; `changed` is not called any more. A second call does nothing. */
	stop(): void {
		this.#stopped = true;
		clearTimeout(this.#periodic);
		if (this.#timer !== null) clearTimeout(this.#timer);
		for (const { watcher } of this.#watched.values()) watcher.close();
		this.#watched.clear();
	}

	#lookLater(period: number): ReturnType<typeof setTimeout> {
		return setTimeout(
			() => {
				this.#periodic = this.#lookLater(period);
				// Where inotify sees all, it is held against the tree more rarely. It does not see that a directory above
				// got another name, or that something was mounted there.
				const rests = this.#seesAll && identityOf(this.path) === this.#identity;
				if (!rests || ++this.#passed >= this.#watchedShare) void this.#look("periodic");
			},
			untilTick(performance.now(), period),
		);
	}

	#onEvent(directory: string, name: string | null): void {
		if (this.#stopped) return;
		const relevant = this.#relevant.get(directory);
		if (name !== null && relevant !== undefined) {
			if (relevant === null ? !isRelevant(name) : !relevant.has(name)) return;
		}
		const now = performance.now();
		const first = this.#timer === null;
		if (this.#timer === null) this.#burstStart = now;
		else clearTimeout(this.#timer);
		const wait = Math.min(this.#quietMs, Math.max(0, this.#burstStart + this.#burstMs - now));
		this.#timer = setTimeout(() => {
			this.#timer = null;
			void this.#look("event");
		}, wait);
		if (first) this.#stirred();
	}

	/** Looks at the tree, watches what is new in it, and tells a change. One look at a time. */
	async #look(cause: "event" | "periodic"): Promise<void> {
		if (this.#looking) {
			if (this.#again !== "event") this.#again = cause;
			return;
		}
		this.#looking = true;
		this.#passed = 0;
		this.#identity = identityOf(this.path);
		const files = this.#entries <= fewEntries ? quickFiles : waitingFiles;
		let scan = await scanDirectory(this.path, files);
		// What came into a new directory before it was watched had no event, so it is looked at once more.
		if (!this.#stopped && this.#rearm(scan.watch)) scan = await scanDirectory(this.path, files);
		this.#entries = scan.entries;
		this.#looking = false;
		if (this.#stopped) return;
		const differs = this.#signature !== null && this.#signature !== scan.signature;
		this.#signature = scan.signature;
		// An event counts even where the signature is equal: two writes within a tick of the file system's clock.
		if (cause === "event" || differs) this.changed();
		const again = this.#again;
		this.#again = null;
		if (again !== null) await this.#look(again);
	}

	/** Makes the watched directories those of the scan. True when there is a new one. */
	#rearm(wanted: DirectoryScan["watch"]): boolean {
		this.#relevant = wanted;
		if (!this.#events) return false;
		for (const [directory, { watcher, identity }] of this.#watched) {
			if (wanted.has(directory) && identityOf(directory) === identity) continue;
			watcher.close();
			this.#watched.delete(directory);
		}
		let added = false;
		for (const directory of wanted.keys()) {
			if (!this.#watched.has(directory) && this.#watch(directory)) added = true;
		}
		this.#seesAll = this.#watched.size === wanted.size;
		return added;
	}

	#watch(directory: string): boolean {
		const identity = identityOf(directory);
		if (identity === null) return false;
		try {
			const watcher = watch(directory, (_, name) => this.#onEvent(directory, name));
			watcher.on("error", () => this.#onEvent(directory, null));
			this.#watched.set(directory, { watcher, identity });
			return true;
		} catch {
			// Out of inotify watches (inotify(7), max_user_watches), or gone again: the periodic look remains.
			return false;
		}
	}
}

/** Null where there is nothing to watch. */
function identityOf(directory: string): string | null {
	try {
		const { dev, ino } = statSync(directory);
		return `${dev}:${ino}`;
	} catch {
		return null;
	}
}
