/** Temporary permissions: a device on a port, for a time, whatever the policies say. They end with the process. */

interface Permission {
	readonly instance: string;
	/** Milliseconds since the epoch. */
	readonly until: number;
	readonly timer: ReturnType<typeof setTimeout>;
	readonly ended: () => void;
}

export class UsbPermissions {
	readonly #byPort = new Map<string, Permission>();

	/** Permits one instance, in place of what was permitted on its port; `ended` is called when the time is up. */
	grant(port: string, instance: string, milliseconds: number, ended: () => void): number {
		this.revoke(port);
		const until = Date.now() + milliseconds;
		const timer = setTimeout(() => this.end(port), milliseconds);
		this.#byPort.set(port, { instance, until, timer, ended });
		return until;
	}

	/** Until when an instance is permitted, in milliseconds since the epoch; null when it is not. */
	until(port: string, instance: string): number | null {
		const permission = this.#byPort.get(port);
		return permission?.instance === instance ? permission.until : null;
	}

	/** Ends what is permitted on a port, and tells. False where nothing is. */
	end(port: string): boolean {
		const permission = this.#byPort.get(port);
		if (permission === undefined) return false;
		this.revoke(port);
		permission.ended();
		return true;
	}

	revoke(port: string): void {
		clearTimeout(this.#byPort.get(port)?.timer);
		this.#byPort.delete(port);
	}

	clear(): void {
		for (const port of [...this.#byPort.keys()]) this.revoke(port);
	}
}
