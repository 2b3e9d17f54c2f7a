import { expect, test } from "bun:test";
import type { FeedState } from "../../../src/report/feed-status.ts";
import { formatFamilies } from "../../../src/report/metrics/exposition.ts";
import { feedMetrics } from "../../../src/report/metrics/feed-metrics.ts";
import { familiesOf } from "../../../src/report/metrics/group.ts";
import { sampleState } from "../sample.ts";

test("metrics say of each group whether its file is taken, and how many blocks are in force of it", () => {
	const feed: FeedState = { group: "bad", file: "/f", state: "current", blocks: 7, problem: "" };
	const feeds: FeedState[] = [
		feed,
		{ ...feed, group: "other", state: "last-good", problem: "p" },
		{ ...feed, group: "third", state: "unusable", blocks: null, problem: "p" },
	];
	const samples = (state: ReturnType<typeof sampleState>) =>
		formatFamilies(familiesOf([feedMetrics], { state }))
			.split("\n")
			.filter((line) => line !== "" && !line.startsWith("#"));
	expect(samples(sampleState({ feeds }))).toEqual([
		'portward_group_file_blocks{group="bad"} 7',
		'portward_group_file_blocks{group="other"} 7',
		'portward_group_file_blocks{group="third"} 0',
		'portward_group_file_current{group="bad"} 1',
		'portward_group_file_current{group="other"} 0',
		'portward_group_file_current{group="third"} 0',
	]);
	expect(samples(sampleState({ feeds: [] }))).toEqual([]);
});
