/** The settings of guests: what lives behind this host, and whether policies hold for what it forwards to and from them. */

import * as v from "valibot";
import type { InterfaceMatch } from "../base/model.ts";
import { parseInterface } from "../document/iface.ts";

/** Each is compared with the interfaces of each new forwarded flow, so there are few. */
const mostInterfaces = 16;

const mostUplinks = 64;

const interfaceHint = "write an interface name of at most 15 bytes, or its beginning with *, such as ve-*";

const guestInterface = v.pipe(
	v.string(interfaceHint),
	v.rawTransform(({ dataset, addIssue, NEVER }): InterfaceMatch => {
		const parsed = parseInterface(dataset.value);
		if (parsed.ok && parsed.match !== "any") return parsed.match;
		const all = "not every interface leads to guests: name those that do, such as ve-*";
		addIssue({ message: parsed.ok ? all : parsed.hint || interfaceHint });
		return NEVER;
	}),
);

const uplinkHint = "write a bridge's name of at most 15 bytes, such as vmbr0";

const uplink = v.pipe(
	v.string(uplinkHint),
	v.rawTransform(({ dataset, addIssue, NEVER }): string => {
		const parsed = parseInterface(dataset.value);
		if (parsed.ok && parsed.match !== "any" && !parsed.match.prefix) return parsed.match.name;
		addIssue({ message: parsed.ok ? uplinkHint : parsed.hint || uplinkHint });
		return NEVER;
	}),
);

export const guestsSchema = v.object(
	{
		forwarded: v.optional(
			v.picklist(["off", "audit", "enforce"], "write off, audit or enforce, in lower case"),
			"audit",
		),
		interfaces: v.optional(
			v.pipe(
				v.array(guestInterface, "write a list of interfaces, such as [ve-*]"),
				v.maxLength(mostInterfaces, `write at most ${mostInterfaces} interfaces`),
			),
			[],
		),
		uplinks: v.optional(
			v.pipe(
				v.array(uplink, "write a list of bridges, such as [vmbr0]"),
				v.maxLength(mostUplinks, `write at most ${mostUplinks} bridges`),
			),
			[],
		),
	},
	"write guests: {forwarded: enforce}",
);
