/** What `portward doctor` found out about one thing, and what to do about it. */

export interface Finding {
	/** What was looked at: kernel, firewalls, certificates, … */
	readonly check: string;
	readonly state: "ok" | "warning" | "error";
	readonly message: string;
	/** What to do; "" where all is well. */
	readonly remedy: string;
}

export function ok(check: string, message: string): Finding {
	return { check, state: "ok", message, remedy: "" };
}

export function warning(check: string, message: string, remedy: string): Finding {
	return { check, state: "warning", message, remedy };
}

export function error(check: string, message: string, remedy: string): Finding {
	return { check, state: "error", message, remedy };
}
