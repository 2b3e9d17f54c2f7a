/** The users and groups whom test cases are about. */

import type { ResolveAccount } from "../../enforcers/network/compile/sender.ts";
import { lastAccount } from "../../enforcers/network/parse/sender.ts";
import { HostAccounts } from "../../kernel/senders/accounts.ts";

/**
 * Those of this host; and for each name that it does not know a number of its own, counted down from the greatest, which
 * nobody gives out. So a case says the same where the account is still to be made, as in a CI system.
 */
export function testAccounts(known: Pick<HostAccounts, "number"> = new HostAccounts()): ResolveAccount {
	const strangers = new Map<string, number>();
	return (kind, name) => {
		if (kind === "service") return 0;
		const own = known.number(kind, name);
		if (own !== null) return own;
		const number = strangers.get(name) ?? lastAccount - strangers.size;
		strangers.set(name, number);
		return number;
	};
}
