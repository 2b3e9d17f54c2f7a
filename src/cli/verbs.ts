/** Commands of several verbs, such as `portward usb list`. */

import { suggest } from "../base/suggest.ts";
import { type Command, UsageError } from "./command.ts";
import { askedForOptions } from "./options.ts";

export type Verbs = Readonly<Record<string, Command["run"]>>;

/** Thrown in place of running, where a command is asked what it takes: its verbs. */
export class CommandVerbs extends Error {
	constructor(readonly verbs: Verbs) {
		super("a command was asked for its verbs");
	}
}

/** Runs the verb that the first argument names; another is wrong usage, and the nearest one is offered. */
export function runVerb(verbs: Verbs): Command["run"] {
	return (args, io) => {
		const [verb, ...rest] = args;
		if (verb === askedForOptions) throw new CommandVerbs(verbs);
		const names = Object.keys(verbs);
		if (verb === undefined) throw new UsageError(`write one of ${names.join(", ")}`);
		const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
		if (run === undefined) {
			throw new UsageError(
				`there is no ${JSON.stringify(verb.slice(0, 80))}; ${suggest(verb, names, "verbs")}`,
			);
		}
		return run(rest, io);
	};
}
