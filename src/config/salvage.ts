/** What a settings file that is broken still tells for sure enough to look there. Pure. */

/** At the start of a line, or behind a brace or comma as in JSON; quoted or not. */
const stateDirPattern =
	/(?:^|[{,])[ \t]*["']?stateDir["']?[ \t]*:[ \t]*(?:"(\/[^"\n]*)"|'(\/[^'\n]*)'|(\/[^\s#,}"']*))/m;

/** The state directory that the text names, or null. Who uses it must not believe that it is right. */
export function salvageStateDir(text: string): string | null {
	const found = stateDirPattern.exec(text);
	const path = found?.[1] ?? found?.[2] ?? found?.[3] ?? null;
	return path === null || path.includes("\0") ? null : path;
}
