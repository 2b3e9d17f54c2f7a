/** The graph in the languages of others: Mermaid, and Graphviz' DOT. Every text is quoted. Pure. */

import type { Action } from "../../base/model.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Zone } from "../../enforcers/network/compile/verdict/zones.ts";
import {
	drawn,
	type Headings,
	interfaceText,
	mostServices,
	ownHeadings,
	serviceText,
	zoneLines,
} from "../../enforcers/network/report/graph/labels.ts";

interface Edge {
	readonly zone: string;
	readonly service: string;
	readonly action: Action;
}

/** A zone's own services, and all the rest as one. */
function edgesOf(zone: Zone, id: string): Edge[] {
	const told = zone.services.slice(0, mostServices);
	const more = zone.services.length - told.length;
	return [
		...told.map((service) => ({ zone: id, service: serviceText(service), action: service.action })),
		...(more > 0 ? [{ zone: id, service: `and ${more} more`, action: "Audit" as const }] : []),
		{
			zone: id,
			service: zone.services.length === 0 ? "everything" : "everything else",
			action: zone.otherwise,
		},
	];
}

function labelOf(zone: Zone): string[] {
	const place = interfaceText(zone);
	return place === "" ? zoneLines(zone) : [...zoneLines(zone), place];
}

/** Mermaid has character references in place of escapes (https://mermaid.js.org/syntax/flowchart.html). */
function mermaidText(lines: readonly string[]): string {
	const text = (line: string) =>
		escapeForTerminal(line).replace(/[^A-Za-z0-9 .:/,*_-]/gu, (sign) => `#${sign.codePointAt(0)};`);
	return `"${lines.map(text).join("<br>")}"`;
}

export function mermaid(zones: readonly Zone[], headings: Headings = ownHeadings): string {
	const lines = ["flowchart LR"];
	for (const { direction, zones: own, hidden } of drawn(zones)) {
		lines.push(`  subgraph ${direction} ["${headings[direction]}"]`);
		const edges = own.flatMap((zone, index) => {
			const id = `${direction}_z${index}`;
			lines.push(`    ${id}[${mermaidText(labelOf(zone))}]`);
			return edgesOf(zone, id);
		});
		const services = [...new Set(edges.map(({ service }) => service))];
		for (const [index, service] of services.entries())
			lines.push(`    ${direction}_s${index}([${mermaidText([service])}])`);
		for (const { zone, service, action } of edges) {
			const end = `${direction}_s${services.indexOf(service)}`;
			lines.push(`    ${zone} ${action === "Block" ? `-. ${action} .-x` : `-- ${action} -->`} ${end}`);
		}
		if (hidden > 0) lines.push(`    ${direction}_more["and ${hidden} more zones"]`);
		lines.push("  end");
	}
	return `${lines.join("\n")}\n`;
}

/** In a quoted string of DOT a quote and a backslash are escaped (https://graphviz.org/doc/info/lang.html). */
function dotText(lines: readonly string[]): string {
	const text = (line: string) => escapeForTerminal(line).replace(/["\\]/gu, (sign) => `\\${sign}`);
	return `"${lines.map(text).join("\\n")}"`;
}

const dotStyles: Readonly<Record<Action, string>> = {
	Allow: 'color="#1a7f37"',
	Audit: 'color="#8a5a00", style=dashed',
	Block: 'color="#c21c2c", style=dotted, arrowhead=tee',
};

export function dot(zones: readonly Zone[], headings: Headings = ownHeadings): string {
	const lines = ["digraph portward {", "  rankdir=LR;", "  node [shape=box];"];
	for (const { direction, zones: own, hidden } of drawn(zones)) {
		lines.push(`  subgraph cluster_${direction} {`, `    label=${dotText([headings[direction]])};`);
		const edges = own.flatMap((zone, index) => {
			const id = `${direction}_z${index}`;
			lines.push(`    ${id} [label=${dotText(labelOf(zone))}];`);
			return edgesOf(zone, id);
		});
		const services = [...new Set(edges.map(({ service }) => service))];
		for (const [index, service] of services.entries())
			lines.push(`    ${direction}_s${index} [shape=ellipse, label=${dotText([service])}];`);
		for (const { zone, service, action } of edges) {
			const end = `${direction}_s${services.indexOf(service)}`;
			lines.push(`    ${zone} -> ${end} [label=${dotText([action])}, ${dotStyles[action]}];`);
		}
		if (hidden > 0) lines.push(`    ${direction}_more [label=${dotText([`and ${hidden} more zones`])}];`);
		lines.push("  }");
	}
	return `${[...lines, "}"].join("\n")}\n`;
}
