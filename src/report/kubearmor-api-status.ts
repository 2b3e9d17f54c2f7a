/** What is told of KubeArmor's log service: whether it is served, who reads, and what readers missed. Pure. */

/** What clients can watch. */
export const feeds = ["alerts", "logs", "messages"] as const;
export type Feed = (typeof feeds)[number];
export type FeedCounts = Readonly<Record<Feed, number>>;

/** Why a client missed something. `slow`: it reads too slowly. `busy`: the thread had no time for it. */
export type ApiDrop = "slow" | "busy";

export interface KubearmorApiState {
	/** As in the settings. */
	readonly address: string;
	readonly healthAddress: string | null;
	/** `failing`: an address cannot be had, or a file not be used. `refused`: the settings would let everybody read. */
	readonly state: "starting" | "serving" | "failing" | "refused";
	/** Why it is not served, or what was wrong last; "" for nothing. */
	readonly error: string;
	/** Now. */
	readonly connections: number;
	readonly subscribers: FeedCounts;
	/** Since the start. */
	readonly sent: FeedCounts;
	readonly dropped: Readonly<Record<ApiDrop, number>>;
	/** Connections that there was no room for, or that ended by an error, such as a handshake that failed. */
	readonly errors: number;
}

export function noFeeds(): Record<Feed, number> {
	return { alerts: 0, logs: 0, messages: 0 };
}

/** A service of which nothing has been heard yet. */
export function unheardApi(address: string, healthAddress: string | null): KubearmorApiState {
	return {
		address,
		healthAddress,
		state: "starting",
		error: "",
		connections: 0,
		subscribers: noFeeds(),
		sent: noFeeds(),
		dropped: { slow: 0, busy: 0 },
		errors: 0,
	};
}

/** What the operator should know about it. */
export function apiWarnings(api: KubearmorApiState | null): string[] {
	if (api === null || (api.state !== "failing" && api.state !== "refused")) return [];
	return [`KubeArmor's clients are not served: ${api.error}`];
}
