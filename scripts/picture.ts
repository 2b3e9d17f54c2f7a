/**
 * bun scripts/picture.ts
 *
 * Draws the picture of README, in light and in dark colours, into docs/. A test
 * fails when they are not up to date. Part of `npm run docs`.
 */

import { join } from "node:path";

interface Theme {
	readonly name: "light" | "dark";
	readonly ground: string;
	readonly card: string;
	readonly line: string;
	readonly text: string;
	readonly faint: string;
	readonly accent: string;
	readonly pass: string;
	readonly refuse: string;
}

export const themes: readonly Theme[] = [
	{
		name: "light",
		ground: "#ffffff",
		card: "#f6f8fa",
		line: "#c9d1d9",
		text: "#1f2328",
		faint: "#59636e",
		accent: "#0b5cad",
		pass: "#1a7f37",
		refuse: "#c21c2c",
	},
	{
		name: "dark",
		ground: "#0d1117",
		card: "#161b22",
		line: "#3d444d",
		text: "#e6edf3",
		faint: "#9198a1",
		accent: "#6cb6ff",
		pass: "#4cc05f",
		refuse: "#ff7b72",
	},
];

const width = 880;
const height = 336;
const sans = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
const mono = "ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', monospace";

function xml(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

interface Style {
	readonly size?: number;
	readonly colour: string;
	readonly font?: string;
	readonly weight?: number;
	readonly anchor?: "start" | "middle";
}

function words(x: number, y: number, text: string, style: Style): string {
	const { size = 13, colour, font = sans, weight = 400, anchor = "start" } = style;
	return `<text x="${x}" y="${y}" font-family="${font}" font-size="${size}" font-weight="${weight}" fill="${colour}" text-anchor="${anchor}" xml:space="preserve">${xml(text)}</text>`;
}

/** A rounded rectangle from its left upper corner. */
function card(theme: Theme, x: number, y: number, w: number, h: number, edge = theme.line): string {
	return `<rect x="${x}" y="${y}" width="${w}" height="${h}" rx="8" fill="${theme.card}" stroke="${edge}" stroke-width="1.5"/>`;
}

/** A line with a head at its end, which goes along one axis. */
function arrow(from: readonly [number, number], to: readonly [number, number], colour: string): string {
	const [dx, dy] = [Math.sign(to[0] - from[0]), Math.sign(to[1] - from[1])];
	const [x, y] = to;
	const head = `M${x - 7 * dx - 4 * dy} ${y - 7 * dy - 4 * dx}L${x} ${y}L${x - 7 * dx + 4 * dy} ${y - 7 * dy + 4 * dx}`;
	return `<path d="M${from[0]} ${from[1]}L${x} ${y}${head}" fill="none" stroke="${colour}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`;
}

/** A tick or a cross, 12 pixels high, with its centre at the point. */
function mark(x: number, y: number, passes: boolean, colour: string): string {
	const path = passes ? `M${x - 6} ${y}l4 5l8 -10` : `M${x - 5} ${y - 5}l10 10M${x + 5} ${y - 5}l-10 10`;
	return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/>`;
}

function policies(theme: Theme): string[] {
	const { text, faint, accent } = theme;
	const file = (y: number, title: string, lines: readonly string[]) => [
		card(theme, 20, y, 232, 112),
		words(34, y + 24, title, { colour: accent, font: mono, size: 12, weight: 600 }),
		...lines.map((line, index) =>
			words(34, y + 46 + index * 17, line, { colour: text, font: mono, size: 12 }),
		),
	];
	return [
		words(20, 34, "policies, in KubeArmor's language", { colour: faint }),
		...file(48, "KubeArmorNetworkPolicy", [
			"action: Block",
			"ingress:",
			"- from: 0.0.0.0/0, except …",
			"  ports: TCP ssh",
		]),
		...file(176, "KubeArmorHostPolicy", [
			"- class: ALL  # action: Block",
			"- class: MASS-STORAGE",
			"  unlessAlso: [HID]",
			"  action: Allow",
		]),
	];
}

function product(theme: Theme): string[] {
	const { text, faint, accent } = theme;
	const middle: Style = { colour: faint, anchor: "middle" };
	return [
		arrow([256, 104], [306, 104], accent),
		arrow([256, 232], [306, 232], accent),
		card(theme, 312, 48, 200, 240, accent),
		words(412, 82, "portward", { ...middle, colour: text, size: 20, weight: 700 }),
		words(412, 104, "one executable, no network", { ...middle, size: 12 }),
		...["validate · explain · plan", "apply · confirm · roll back", "repair what others change"].map(
			(line, index) => words(412, 142 + index * 22, line, { ...middle, colour: text }),
		),
		words(412, 232, "alerts: JSON lines", middle),
		words(412, 252, "metrics: Prometheus", middle),
		words(412, 272, "status: page, HTTP", middle),
		arrow([516, 104], [566, 104], accent),
		arrow([516, 232], [566, 232], accent),
	];
}

function kernel(theme: Theme): string[] {
	const { text, faint, pass, refuse } = theme;
	const gate = (y: number, title: string, rows: readonly (readonly [boolean, string])[]) => [
		card(theme, 572, y, 288, 112),
		words(586, y + 24, title, { colour: text, weight: 600 }),
		...rows.flatMap(([passes, line], index) => [
			mark(592, y + 46 + index * 22, passes, passes ? pass : refuse),
			words(606, y + 50 + index * 22, line, { colour: text, size: 12 }),
		]),
	];
	return [
		words(572, 34, "the kernel decides", { colour: faint }),
		...gate(48, "network ports: nftables", [
			[true, "192.168.10.3 → port 22, a jump host"],
			[false, "203.0.113.66 → port 22: an alert"],
			[false, "open connections like it end"],
		]),
		...gate(176, "USB ports: authorization", [
			[true, "a stick"],
			[false, "a stick that is also a keyboard"],
			[false, "no driver ever meets what is refused"],
		]),
	];
}

/** The picture as the text of an SVG file. */
export function picture(theme: Theme): string {
	const title =
		"Policies in KubeArmor's language go to portward, which puts them into the kernel: nftables decides about packets, USB authorization about devices. Out come alerts, metrics and a status page.";
	const parts = [
		`<rect width="${width}" height="${height}" rx="10" fill="${theme.ground}"/>`,
		...policies(theme),
		...product(theme),
		...kernel(theme),
		words(
			width / 2,
			height - 16,
			"Nothing is blocked before a policy says so, and the rules stay when the daemon stops.",
			{ colour: theme.faint, anchor: "middle" },
		),
	];
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"><title>${xml(title)}</title>\n${parts.join("\n")}\n</svg>\n`;
}

/** Where a theme's picture lies, from the root of the project. */
export function picturePath({ name }: Pick<Theme, "name">): string {
	return `docs/portward-${name}.svg`;
}

export async function writePictures(root: string): Promise<void> {
	for (const theme of themes) await Bun.write(join(root, picturePath(theme)), picture(theme));
}

if (import.meta.main) await writePictures(join(import.meta.dir, ".."));
