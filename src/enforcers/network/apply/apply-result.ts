/** What became of a change of our table. */

export type ApplyResult =
	| {
			readonly ok: true;
			/** Objects that had to be loaded; the rest was there. */
			readonly loaded: number;
			/** Why connections that were open before the first ruleset may stall; absent where they do not. */
			readonly unadopted?: string;
	  }
	| {
			readonly ok: false;
			/** `foreign`: a table of that name is not ours. `refused`: the kernel or library said no; what was in force still is. */
			readonly reason: "foreign" | "refused";
			readonly error: string;
	  };

export type Failure = Extract<ApplyResult, { readonly ok: false }>;

export type OpenResult = { readonly ok: true; readonly opened: boolean } | Failure;
export type CloseResult = { readonly ok: true; readonly closed: boolean } | Failure;

export function foreignTable(table: string): Failure {
	return {
		ok: false,
		reason: "foreign",
		error:
			`table inet ${table} exists and was not made by portward; ` +
			"remove it, or choose another name with `table:` in the config",
	};
}

export function refused(error: string): Failure {
	return { ok: false, reason: "refused", error: error.trim() };
}
