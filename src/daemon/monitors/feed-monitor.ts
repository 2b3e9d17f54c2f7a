/** The files of address groups: watched where no policy lies beside them, told once for each problem, and shown. */

import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import type { FeedReport } from "../../engine/groups/feeds.ts";
import type { HostIdentity } from "../../report/alert.ts";
import { describeFeed, type FeedState, feedAlert } from "../../report/feed-status.ts";
import type { AlertSink } from "../../report/sinks/alert-sink.ts";
import { isRelevant } from "../../source/directory-scan.ts";
import { DirectoryWatcher } from "../../source/watch.ts";

export interface FeedMonitorOptions {
	readonly sink: Pick<AlertSink, "publish">;
	readonly identity: HostIdentity;
	/** Files below it are watched with the policies; null where these wait for a confirmation, and files do not. */
	readonly watched: () => string | null;
	/** A file that is watched here changed. */
	readonly changed: () => void;
}

export class FeedMonitor {
	readonly #options: FeedMonitorOptions;
	readonly #watchers = new Map<string, DirectoryWatcher>();
	#state: readonly FeedState[] = [];

	constructor(options: FeedMonitorOptions) {
		this.#options = options;
	}

	/** None before the first reading. */
	get state(): readonly FeedState[] {
		return this.#state;
	}

	/** What the operator should know about them. */
	get warnings(): readonly string[] {
		return this.#state.flatMap((feed) => describeFeed(feed) ?? []);
	}

	/** Takes what a reading found. The same problem is alerted once, and again when it has gone and come back. */
	read(reports: readonly FeedReport[]): void {
		const before = new Map(this.#state.map((feed) => [feed.group, feed]));
		this.#state = reports;
		this.#watch(new Set(reports.map(({ file }) => file)));
		const { sink, identity } = this.#options;
		const news = reports.filter(({ group, state, problem }) => {
			const known = before.get(group);
			return state !== "current" && (known?.problem !== problem || known.state !== state);
		});
		if (news.length > 0) sink.publish(news.map((feed) => feedAlert(feed, Date.now(), identity)));
	}

	stop(): void {
		this.#watch(new Set());
	}

	#watch(files: ReadonlySet<string>): void {
		const { watched, changed } = this.#options;
		const covered = watched();
		const wanted = (file: string) => files.has(file) && (covered === null || !isSeen(covered, file));
		for (const [file, watcher] of this.#watchers) {
			if (wanted(file)) continue;
			watcher.stop();
			this.#watchers.delete(file);
		}
		for (const file of files) {
			if (!wanted(file) || this.#watchers.has(file)) continue;
			this.#watchers.set(file, new DirectoryWatcher(file, changed));
		}
	}
}

/** Whether the watch of a directory sees what becomes of a file: not behind hidden names, nor where a link leads out. */
function isSeen(directory: string, file: string): boolean {
	if (!isBelow(directory, file)) return false;
	try {
		return isBelow(realpathSync(directory), realpathSync(file));
	} catch {
		// Where it will come into being is not known before it does.
		return false;
	}
}

function isBelow(directory: string, file: string): boolean {
	return file.startsWith(directory + sep) && relative(directory, file).split(sep).every(isRelevant);
}
