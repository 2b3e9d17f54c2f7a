/** Globs over USB port chains, such as `1-4.*`. */

/** Digits, dashes and dots with `*` and `?`; longer than any chain of the kernel's. */
const form = /^[0-9*?][-0-9.*?]{0,63}$/;

/** Whether a text may be a port glob. It need not match any port that exists. */
export function isPortGlob(text: string): boolean {
	return form.test(text);
}

/** Whether a port glob has wildcards, as opposed to being a literal port. */
export function isPortPattern(glob: string): boolean {
	return glob.includes("*") || glob.includes("?");
}

/** What stands before the first wildcard, and every port that matches begins with; "" where that says nothing. */
export function portBeginning(glob: string): string {
	return /^[^*?]*/.exec(glob)?.[0] ?? "";
}

/**
 * Whether the glob matches the whole port name. `*` is any run of characters,
 * dots included, so `1-4.*` is everything behind the hub on 1-4; `?` is any one
 * character. Cost: at most the product of the lengths, whatever the glob.
 */
export function matchesPort(glob: string, port: string): boolean {
	let inGlob = 0;
	let inPort = 0;
	let star = -1;
	let resume = 0;
	while (inPort < port.length) {
		const symbol = glob[inGlob];
		if (symbol === "*") {
			star = inGlob++;
			resume = inPort;
		} else if (symbol === "?" || symbol === port[inPort]) {
			inGlob++;
			inPort++;
		} else if (star !== -1) {
			inGlob = star + 1;
			inPort = ++resume;
		} else return false;
	}
	while (glob[inGlob] === "*") inGlob++;
	return inGlob === glob.length;
}
