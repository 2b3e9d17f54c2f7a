/** Asks the host which interfaces lead to the receivers of its alerts. */

import { localInterfaces } from "../../../kernel/local-interfaces.ts";
import { RouteLookup } from "../../../kernel/routes.ts";
import type { Receiver, RoutedReceiver } from "../compile/verdict/refused-receivers.ts";

/** None to which no route leads: what is wrong there is no policy. */
export function routedReceivers(receivers: readonly Receiver[]): readonly RoutedReceiver[] {
	if (receivers.length === 0) return [];
	const lookup = RouteLookup.open();
	const links = localInterfaces();
	if (lookup === null || !links.ok) {
		lookup?.close();
		return [];
	}
	try {
		return receivers.flatMap((receiver) => {
			const index = lookup.interfaceTo(receiver.address, "");
			const name = index === null ? undefined : links.interfaces.byIndex.get(index);
			return name === undefined ? [] : [{ ...receiver, interface: name }];
		});
	} finally {
		lookup.close();
	}
}
