/**
 * firewalld's zones. A zone is a list with an order: rich rules before the others by their priority, then what is
 * refused, then what is accepted, then later rich rules, ICMP, and the target (firewall/core/nftables.py). Zones by source
 * come before zones by interface, and the one without either is the default.
 */

import type { Place } from "../../base/diagnostic.ts";
import type { Family } from "../../base/model.ts";
import { quote } from "../../base/suggest.ts";
import { Lines } from "../../document/syntax.ts";
import type { Finding } from "../finding.ts";
import type { ChainRule } from "../ordered.ts";
import { everything, type PacketSet, setsOf } from "../packets.ts";
import { Reading, type SourceText } from "../reading.ts";
import { addressesOf, interfaceOf } from "../words.ts";
import { readZoneRules, type ServiceFiles } from "./rules.ts";
import { type Element, parseXml } from "./xml.ts";

export function isFirewalld(text: string): boolean {
	return /^\s*</u.test(text) && /<(?:zone|service)[\s/>]/u.test(text.slice(0, 10_000));
}

interface Zone {
	readonly name: string;
	readonly root: Element;
	readonly place: (element: Element) => Place;
}

interface Problems {
	readonly problems: readonly Omit<Finding, "kind">[];
}

const both: readonly Family[] = [4, 6];

export function readFirewalld(sources: readonly SourceText[]): Reading | Problems {
	const zones: Zone[] = [];
	const services = new Map<string, Element>();
	for (const { file, text } of sources) {
		const lines = new Lines({ source: text, firstLine: 1 });
		const xml = parseXml(text);
		if (!xml.ok) return { problems: [{ file, ...lines.locate(xml.offset), message: xml.message }] };
		const name = file.replace(/^.*\//u, "").replace(/\.xml$/u, "");
		const place = ({ offset }: Element) => ({ file, ...lines.locate(offset) });
		if (xml.root.name === "zone") zones.push({ name, root: xml.root, place });
		else if (xml.root.name === "service") services.set(name, xml.root);
		else {
			const message = `${quote(xml.root.name)} is neither a zone nor a service`;
			return { problems: [{ ...place(xml.root), message }] };
		}
	}
	const [first] = zones;
	if (first === undefined) {
		const file = sources[0]?.file ?? "";
		return {
			problems: [{ file, line: 1, column: 1, message: "there is no zone, which is what uses services" }],
		};
	}
	return readZones(zones, first, services);
}

function readZones(zones: readonly Zone[], first: Zone, services: ServiceFiles): Reading {
	const reading = new Reading();
	const bySource: ChainRule[] = [];
	const byInterface: ChainRule[] = [];
	const unbound: Zone[] = [];
	for (const zone of zones) {
		const { name, root, place } = zone;
		const chain = `zone ${place(root).file}`;
		const rules = readZoneRules(root, { place, services, reading });
		reading.chains.set(chain, rules);
		const go = (element: Element, match: readonly PacketSet[]): ChainRule => ({
			place: place(element),
			text: `zone ${name}`,
			match,
			unless: [],
			target: { kind: "jump", chain, comesBack: false },
		});
		const links = root.children.filter((child) => child.name === "interface");
		const origins = root.children.filter((child) => child.name === "source");
		for (const link of links) {
			const match = interfaceOf(link.attributes.get("name") ?? "");
			if (match === undefined || match === null) reading.lost(place(link), "this is no name of an interface");
			else byInterface.push(go(link, setsOf({ blocks: null, entries: null, interfaces: [match] }, both)));
		}
		for (const origin of origins) {
			const address = origin.attributes.get("address") ?? "";
			const blocks = addressesOf(address);
			if (blocks === null)
				reading.lost(
					place(origin),
					`${[...origin.attributes.keys()].join()}: only addresses can be a source here`,
				);
			else bySource.push(go(origin, setsOf({ blocks, entries: null, interfaces: null }, both)));
		}
		if (links.length + origins.length === 0) unbound.push(zone);
	}
	const fallback = unbound.find(({ name }) => name === "public") ?? unbound[0];
	const start = (fallback ?? first).place((fallback ?? first).root);
	const last: ChainRule[] = [];
	if (fallback !== undefined) {
		const message = "the zone names no interface and no source, and is taken for the default zone";
		reading.changed(start, message);
		const target = { kind: "jump", chain: `zone ${start.file}`, comesBack: false } as const;
		last.push({ place: start, text: `zone ${fallback.name}`, match: everything(), unless: [], target });
	} else {
		const message = "what no zone names belongs to the default zone, which is not given: it is refused";
		reading.changed(start, message);
	}
	for (const zone of unbound) {
		if (zone !== fallback)
			reading.lost(
				zone.place(zone.root),
				`the zone ${zone.name} names no interface and no source, so it is not used`,
			);
	}
	reading.chains.set("zones", [...bySource, ...byInterface, ...last]);
	const entrance = { chain: "zones", packets: everything(), accepts: false, place: start };
	reading.entrances.ingress.push({ ...entrance, text: "no zone" });
	return reading;
}
