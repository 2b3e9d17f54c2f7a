/** Bounds of the HTTP server. Times are in milliseconds, sizes in bytes. */

export interface Limits {
	readonly connections: number;
	/** Event streams among the connections, so that streams cannot crowd out requests. */
	readonly streams: number;
	/** From the connection, or the answer before, until a request head must be complete. */
	readonly headTime: number;
	/** From the complete head until the answer must have been taken. */
	readonly answerTime: number;
	/** An event stream's client must take something within this time. */
	readonly stallTime: number;
	/** How long a refused client's remaining bytes are read, lest a reset destroy the answer. */
	readonly lingerTime: number;
	readonly heartbeatTime: number;
	readonly requestsPerConnection: number;
	/** Events queued for one stream. */
	readonly streamBytes: number;
	/** Answers that clients have not taken yet, over all connections; small answers are exempt. */
	readonly outstandingBytes: number;
}

export const defaultLimits: Limits = {
	connections: 128,
	streams: 32,
	headTime: 5000,
	answerTime: 30_000,
	stallTime: 30_000,
	lingerTime: 1000,
	heartbeatTime: 15_000,
	requestsPerConnection: 1000,
	streamBytes: 256 * 1024,
	outstandingBytes: 32 * 1024 * 1024,
};

/** Answers up to this size are given however much is outstanding. */
export const smallAnswer = 64 * 1024;
