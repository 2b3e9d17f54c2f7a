import { expect, test } from "bun:test";
import { describeFeed, type FeedState, feedAlert } from "../../src/report/feed-status.ts";

const host = { hostName: "h", clusterName: "c", nodeId: "n" };
const current: FeedState = { group: "bad", file: "/f", state: "current", blocks: 7, problem: "" };
const standing: FeedState = { ...current, state: "last-good", problem: "/f:3:1: nonsense" };
const unusable: FeedState = { ...standing, state: "unusable", blocks: null };

test("what is taken as it is needs no words", () => {
	expect(describeFeed(current)).toBeNull();
	expect(describeFeed(standing)).toBe(
		"the file of the group bad is not taken, and its last good list of 7 blocks stays: /f:3:1: nonsense",
	);
	expect(describeFeed(unusable)).toContain("policies that name it are not in force: /f:3:1");
});

test("an alert says which file, and what is in its place", () => {
	expect(feedAlert(standing, 0, host)).toMatchObject({
		Action: "Block",
		Resource: "/f",
		Severity: "6",
		EventData: { Group: "bad", Blocks: "7", Reason: "/f:3:1: nonsense" },
	});
	expect(feedAlert(unusable, 0, host)).toMatchObject({ Action: "Audit", Severity: "8" });
});
