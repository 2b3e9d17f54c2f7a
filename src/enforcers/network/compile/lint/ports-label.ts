/** A protocol with its ports or its type, in the words of a reader. */

import { icmpTypeLabel } from "../../../../base/icmp-type.ts";
import type { PortRange, Protocol } from "../../../../base/model.ts";
import { rangeText } from "../../../../base/port-range.ts";
import { isIcmp, protocolLabel } from "../../../../base/protocol.ts";

/**
 * `TCP 22`, `UDP from port 1900`, `ICMP echo-request`, `GRE`.
 *
 * @param source source ports, or the type of ICMP
 */
export function portsLabel(protocol: Protocol, range: PortRange | null, source: PortRange | null): string {
	const parts = [protocolLabel(protocol)];
	if (range !== null) parts.push(rangeText(range));
	if (source !== null)
		parts.push(isIcmp(protocol) ? icmpTypeLabel(protocol, source.first) : `from port ${rangeText(source)}`);
	return parts.join(" ");
}
