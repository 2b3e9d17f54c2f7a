/** A report as one HTML file that prints well, or as Markdown. Pure. */

import { escapeForTerminal } from "../../base/terminal.ts";
import { type Html, html, trusted } from "../../report/page/html.ts";
import type { ReportLine } from "./lines.ts";
import type { Profile } from "./profiles.ts";

export interface Report {
	/** RFC 3339. */
	readonly time: string;
	readonly host: string;
	readonly version: string;
	readonly profile: Profile | null;
	readonly lines: readonly (ReportLine & { readonly controls: readonly string[] })[];
	/** An SVG of ours; null where there is none. */
	readonly drawing: string | null;
}

export const disclaimer =
	"Each line says what was measured on this host, how and when. None says that a requirement is met: that is for whoever assesses it.";

const words: Readonly<Record<ReportLine["state"], string>> = {
	yes: "yes",
	no: "NO",
	unknown: "not established",
	info: "for information",
};

const style = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1f2328; --dim: #59636e; --line: #c9d1d9; --yes: #1a7f37; --no: #c21c2c; --unknown: #8a5a00; --info: #59636e; }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --ink: #e6edf3; --dim: #9198a1; --line: #3d444d; --yes: #4cc05f; --no: #ff7b72; --unknown: #f2c14e; --info: #9198a1; } }
@media print { :root { --ground: #fff; --ink: #000; --dim: #444; --line: #888; --yes: #1a7f37; --no: #c21c2c; --unknown: #8a5a00; --info: #444; } article { break-inside: avoid; } @page { margin: 18mm; } }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0; } .dim, small { color: var(--dim); }
article { border-top: 1px solid var(--line); padding: .8rem 0; } article h2 { display: flex; justify-content: space-between; gap: 1rem; }
.yes { color: var(--yes); } .no { color: var(--no); } .unknown { color: var(--unknown); } .info { color: var(--info); }
p { margin: .3rem 0; overflow-wrap: anywhere; } ul { margin: .3rem 0; padding-left: 1.2rem; } li { overflow-wrap: anywhere; } svg { max-width: 100%; height: auto; }`;

function article(line: Report["lines"][number]): Html {
	const shown = (text: string) => escapeForTerminal(text);
	const details = line.details.map((text) => html`<li>${shown(text)}</li>`);
	const controls =
		line.controls.length === 0
			? html``
			: html`<p><small>Evidence for: ${shown(line.controls.join("; "))}</small></p>`;
	const list = details.length === 0 ? html`` : html`<ul>${details}</ul>`;
	return html`<article id="${line.id}"><h2><span>${line.title}</span><span class="${line.state}">${words[line.state]}</span></h2>
<p>${shown(line.text)}</p>${list}${controls}
<p><small>Established by ${shown(line.how)}, at ${line.time}</small></p></article>
`;
}

export function reportHtml({ time, host, version, profile, lines, drawing }: Report): string {
	const title = `Portward on ${escapeForTerminal(host)}`;
	const about = profile === null ? html`` : html`<p><strong>${profile.title}</strong>. ${profile.note}</p>`;
	const picture =
		drawing === null
			? html``
			: html`<article><h2>What the policies let pass</h2>${trusted(drawing)}</article>`;
	return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<h1>${title}</h1>
<p class="dim">${time}, portward ${version}</p>
<p>${disclaimer}</p>
${about}
${lines.map(article)}${picture}
</body>
</html>
`.text;
}

/** What would be markup in Markdown is escaped: the texts are of devices, policies and files. */
function plain(text: string): string {
	return escapeForTerminal(text).replace(/[\\`*_{}[\]()<>#+|~!&-]/gu, (sign) => `\\${sign}`);
}

export function reportMarkdown({ time, host, version, profile, lines }: Report): string {
	const parts = [
		`# Portward on ${plain(host)}`,
		`${time}, portward ${version}`,
		disclaimer,
		...(profile === null ? [] : [`**${profile.title}**. ${profile.note}`]),
		...lines.flatMap((line) => [
			`## ${line.title}: ${words[line.state]}`,
			plain(line.text),
			...(line.details.length === 0 ? [] : [line.details.map((text) => `- ${plain(text)}`).join("\n")]),
			...(line.controls.length === 0 ? [] : [`Evidence for: ${plain(line.controls.join("; "))}`]),
			`Established by ${plain(line.how)}, at ${line.time}`,
		]),
	];
	return `${parts.join("\n\n")}\n`;
}
