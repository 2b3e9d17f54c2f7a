/** Zones, services and verdicts as one SVG, in light and dark colours by the reader's choice. Pure. */

import type { Action } from "../../../../base/model.ts";
import { escapeForTerminal } from "../../../../base/terminal.ts";
import { escapeHtml } from "../../../../report/page/html.ts";
import type { Zone } from "../../compile/verdict/zones.ts";
import {
	drawn,
	type Headings,
	interfaceText,
	mostServices,
	ownHeadings,
	serviceText,
	zoneLines,
} from "./labels.ts";

const width = 920;
const margin = 20;
const zoneWidth = 290;
const chipsFrom = margin + zoneWidth + 60;
const lineHeight = 18;
const chipHeight = 24;
const gap = 8;
/** Of a letter at 12 pixels, in the widest of the fonts that are asked for. */
const letter = 7.3;

/** The text of the style element, for a policy that allows just this. */
export const graphStyle = `
.pw { --ground: #ffffff; --card: #f6f8fa; --line: #c9d1d9; --ink: #1f2328; --dim: #59636e; --pass: #1a7f37; --tell: #8a5a00; --stop: #c21c2c;
  font: 12px ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', monospace; }
@media (prefers-color-scheme: dark) { .pw { --ground: #0d1117; --card: #161b22; --line: #3d444d; --ink: #e6edf3; --dim: #9198a1; --pass: #4cc05f; --tell: #f2c14e; --stop: #ff7b72; } }
@media print { .pw { --ground: #ffffff; --card: #ffffff; --line: #888888; --ink: #000000; --dim: #444444; --pass: #1a7f37; --tell: #8a5a00; --stop: #c21c2c; } }
`;

const colours: Readonly<Record<Action, string>> = {
	Allow: "var(--pass)",
	Audit: "var(--tell)",
	Block: "var(--stop)",
};

interface Part {
	readonly height: number;
	readonly text: string;
}

/** Everything that is written comes from policies, so nothing of it may become markup or steer a terminal. */
function escaped(text: string): string {
	return escapeHtml(escapeForTerminal(text));
}

function words(x: number, y: number, text: string, more = 'fill="var(--ink)"'): string {
	return `<text x="${x}" y="${y}" ${more}>${escaped(text)}</text>`;
}

/** A tick, an exclamation mark or a cross, with its centre at the point: verdicts are told without colours, too. */
function mark(x: number, y: number, action: Action): string {
	const paths: Readonly<Record<Action, string>> = {
		Allow: `M${x - 4} ${y}l3 4l6 -8`,
		Audit: `M${x} ${y - 5}v6M${x} ${y + 4}v.5`,
		Block: `M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8`,
	};
	return `<path d="${paths[action]}" fill="none" stroke="${colours[action]}" stroke-width="2" stroke-linecap="round"/>`;
}

function chips(services: readonly { readonly text: string; readonly action: Action }[], top: number): Part {
	let [x, y] = [chipsFrom, top];
	const parts = services.map(({ text, action }) => {
		const wide = Math.round(text.length * letter) + 34;
		if (x + wide > width - margin && x > chipsFrom) [x, y] = [chipsFrom, y + chipHeight + gap];
		const chip = `<g><rect x="${x}" y="${y}" width="${wide}" height="${chipHeight}" rx="12" fill="var(--card)" stroke="${colours[action]}"/>${mark(x + 15, y + 12, action)}${words(x + 26, y + 16, text)}</g>`;
		x += wide + gap;
		return chip;
	});
	return { height: y + chipHeight - top, text: parts.join("\n") };
}

function zonePart(zone: Zone, top: number): Part {
	const lines = zoneLines(zone);
	const place = interfaceText(zone);
	const more = zone.services.length - mostServices;
	const told = zone.services
		.slice(0, mostServices)
		.map((service) => ({ text: serviceText(service), action: service.action }));
	if (more > 0) told.push({ text: `and ${more} more`, action: "Audit" });
	const everything = zone.services.length === 0 ? "everything" : "everything else";
	const row = chips([...told, { text: everything, action: zone.otherwise }], top + 6);
	const cardHeight = (lines.length + (place === "" ? 0 : 1)) * lineHeight + 16;
	const height = Math.max(cardHeight, row.height + 12);
	const middle = top + height / 2;
	const inward = zone.direction === "ingress";
	const [from, to] = [margin + zoneWidth + 8, chipsFrom - 10];
	const head = inward
		? `M${to - 6} ${middle - 4}L${to} ${middle}l-6 4`
		: `M${from + 6} ${middle - 4}L${from} ${middle}l6 4`;
	const texts = lines.map((line, index) => words(margin + 14, top + 20 + index * lineHeight, line));
	if (place !== "")
		texts.push(words(margin + 14, top + 20 + lines.length * lineHeight, place, 'fill="var(--dim)"'));
	const card = `<rect x="${margin}" y="${top}" width="${zoneWidth}" height="${height}" rx="8" fill="var(--card)" stroke="var(--line)"/>`;
	const arrow = `<path d="M${from} ${middle}H${to}${head}" fill="none" stroke="var(--dim)" stroke-width="1.5" stroke-linecap="round"/>`;
	return { height, text: [card, ...texts, arrow, row.text].join("\n") };
}

export const graphTitle = "What the policies let pass";

/** One file. What is not drawn is said. */
export function svg(zones: readonly Zone[], title: string, headings: Headings = ownHeadings): string {
	let y = 34;
	const parts: string[] = [words(margin, y, title, 'fill="var(--ink)" font-size="16" font-weight="700"')];
	const legend = (["Allow", "Audit", "Block"] as const).map((action, index) => {
		const x = width - margin - 250 + index * 90;
		return `${mark(x, y - 4, action)}${words(x + 12, y, action, 'fill="var(--dim)"')}`;
	});
	parts.push(...legend);
	for (const { direction, zones: own, hidden } of drawn(zones)) {
		y += 34;
		parts.push(words(margin, y, headings[direction], 'fill="var(--dim)" font-size="14" font-weight="600"'));
		y += 14;
		for (const zone of own) {
			const part = zonePart(zone, y);
			parts.push(part.text);
			y += part.height + 12;
		}
		if (hidden > 0) {
			y += 14;
			parts.push(words(margin, y, `and ${hidden} more zones, which --json has`, 'fill="var(--dim)"'));
		}
	}
	const height = Math.ceil(y + margin);
	return `<svg xmlns="http://www.w3.org/2000/svg" class="pw" role="img" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>${escaped(title)}</title>
<style>${graphStyle}</style>
<rect width="${width}" height="${height}" fill="var(--ground)"/>
${parts.join("\n")}
</svg>
`;
}
