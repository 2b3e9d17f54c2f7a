/** What passes between the main thread and the observing Workers. */

/** The first and only message to a Worker. After it the Worker blocks in poll(2), where no message reaches it. */
export interface ObserverStart<Settings> {
	/** Descriptor of an eventfd: when it can be read, the Worker ends. */
	readonly stopFd: number;
	/** One Int32: messages that the main thread has dealt with. So the Worker knows how far behind it is. */
	readonly handled: SharedArrayBuffer;
	readonly settings: Settings;
}

/** The Worker is set up and sees all that happens from now on. */
export interface ReadyMessage {
	readonly kind: "ready";
}

/** The Worker could not start, or cannot go on, and ends. */
export interface FailedMessage {
	readonly kind: "failed";
	readonly error: string;
}

/** The Worker was told to stop and has told all that it knew. */
export interface StoppedMessage {
	readonly kind: "stopped";
}

export type ObserverMessage<Report> = Report | FailedMessage | StoppedMessage;
