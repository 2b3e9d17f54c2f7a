/** Who sends the packet of a test case, or of all cases of a table: `user`, `group` and `service`, one of each at most. */

import type { Direction } from "../../../base/model.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import { readAccount, readService, senderFields } from "./sender.ts";
import type { CaseSender } from "./test-model.ts";

/**
 * Null where the fields name nobody. What is wrong is reported.
 * @param direction null where it is wrong itself
 */
export function readCaseSender(
	reader: NodeReader,
	fields: Fields,
	{ direction, guest }: { readonly direction: Direction | null; readonly guest: boolean },
): CaseSender | null {
	const named = senderFields.filter((name) => fields.has(name));
	if (named.length === 0) return null;
	for (const name of named) {
		const field = fields.get(name);
		if (field === undefined || (direction !== "ingress" && !guest)) continue;
		const who = guest ? "what a guest sends" : "what comes in";
		const message = `${who} has no ${name} of this host`;
		reader.error(field.key, field.path, "wrong-direction", message, `leave ${name} out`);
	}
	const read = <T>(
		name: (typeof senderFields)[number],
		of: (...at: Parameters<typeof readService>) => T | null,
	) => {
		const field = reader.present(fields, name);
		return field && of(reader, field.node, field.path);
	};
	const user = read("user", (...at) => readAccount(...at, "user"));
	const group = read("group", (...at) => readAccount(...at, "group"));
	const service = read("service", readService);
	return user === null && group === null && service === null ? null : { user, group, service };
}

/** As people read it, names as they are written. */
export function caseSenderText(by: CaseSender): string {
	return senderFields.flatMap((name) => (by[name] === null ? [] : `${name} ${by[name]}`)).join(" and ");
}
