/** The status page's own style and script, and the Content-Security-Policy that allows just these. */

import { createHash } from "node:crypto";
import { alertsScript } from "./script/alerts.ts";
import { commonScript } from "./script/common.ts";
import { flowsScript } from "./script/flows.ts";

export const style = `
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --ink: #1b1f27; --dim: #626b7a; --line: #dfe3ea;
  --good: #12703c; --good-bg: #ddf4e6; --warn: #8a5a00; --warn-bg: #fdf0d2; --bad: #a81c2c; --bad-bg: #fce1e4; --mark: #2f5fd0; --shade: rgb(0 0 0 / .22); }
@media (prefers-color-scheme: dark) { :root { --bg: #12151b; --card: #1b1f28; --ink: #e6e9ef; --dim: #99a2b3; --line: #2d3340;
  --good: #6fdc9a; --good-bg: #14351f; --warn: #f2c14e; --warn-bg: #3a2e0d; --bad: #ff8d98; --bad-bg: #441a20; --mark: #8fb0ff; --shade: rgb(0 0 0 / .6); } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header, main { max-width: 90rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; padding-top: 1.5rem; }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1rem; margin: 0; }
header .host { color: var(--dim); overflow-wrap: anywhere; }
header .ready { margin-left: auto; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: 1.1rem 0; overflow: hidden; }
section > .title { display: flex; align-items: baseline; gap: .75rem; padding: .8rem 1.1rem; border-bottom: 1px solid var(--line); }
.title small { color: var(--dim); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1.1rem; margin-top: 1.1rem; }
.cards section { margin: 0; padding: .9rem 1.1rem; }
.cards h2 { display: flex; justify-content: space-between; align-items: center; margin-bottom: .5rem; }
dl { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: .15rem 1rem; margin: 0; }
dt { color: var(--dim); } dd { margin: 0; text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.badge { display: inline-block; border-radius: 999px; padding: 0 .6rem; font-size: .82rem; font-weight: 600; line-height: 1.6; white-space: nowrap; }
.good { color: var(--good); background: var(--good-bg); } .warn { color: var(--warn); background: var(--warn-bg); }
.bad { color: var(--bad); background: var(--bad-bg); } .idle { color: var(--dim); background: var(--bg); }
/* Where a table is wider than its section, shadows at the edges show that it goes on, and the keyboard scrolls it. */
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--card) 30%, transparent) left / 40px 100% no-repeat local,
  linear-gradient(to left, var(--card) 30%, transparent) right / 40px 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / 14px 100% no-repeat,
  linear-gradient(to left, var(--shade), transparent) right / 14px 100% no-repeat; }
.scroll:focus-visible { outline: 2px solid var(--mark); outline-offset: -2px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .5rem .8rem; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; font-size: .8rem; white-space: nowrap; }
tr:last-child > td { border-bottom: 0; }
td { overflow-wrap: anywhere; } td.name { min-width: 9rem; } td.data { width: 30%; min-width: 14rem; } td.text { width: 40%; min-width: 20rem; } td.tight { white-space: nowrap; overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, .data { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
.place { color: var(--dim); display: block; }
ul { margin: .7rem 1.1rem; padding-left: 1.1rem; } td ul { margin: .35rem 0 0; padding: 0; list-style: none; }
details > summary { padding: .8rem 1.1rem; color: var(--mark); cursor: pointer; }
details > img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
h3 { font-size: .85rem; margin: .6rem 1.1rem 0; color: var(--dim); }
ol.log { list-style: none; margin: 0; padding: 0; } ol.log > li + li { border-top: 1px solid var(--line); } ol.log summary { color: inherit; overflow-wrap: anywhere; }
ol.log p { margin: .3rem 1.1rem; } ol.log ul { margin: .2rem 1.1rem .6rem; overflow-wrap: anywhere; } .when { font-variant-numeric: tabular-nums; }
ul.tree, .tree ul { list-style: none; margin: 0; padding: 0; } ul.tree { padding: .7rem 1.1rem; } .tree ul { border-left: 2px solid var(--line); margin-left: .4rem; padding-left: .9rem; }
.tree li > .device { padding: .3rem 0; overflow-wrap: anywhere; } .tree .hub > .place { display: inline; } .tree ul.functions { border: 0; margin: 0; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem 1rem; padding: .3rem 1.1rem .6rem; } .filter label { color: var(--dim); } .filter input[type=search] { min-width: min(20rem, 70vw); }
input, select, button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .15rem .5rem; }
button { cursor: pointer; color: var(--mark); } .count { margin: 0; padding: .3rem 1.1rem; color: var(--dim); overflow-wrap: anywhere; }
:is(input, select, button, summary, a):focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
/* Above what is read, so that it moves nothing. */
#fresh { position: fixed; right: 1rem; bottom: 1rem; z-index: 1; padding: .5rem 1rem; border-radius: 999px; color: var(--bg); background: var(--mark); font-weight: 600; } #fresh[hidden] { display: none; }
.empty { color: var(--dim); padding: 1rem 1.1rem; margin: 0; }
tr.new td { animation: arrive 2.5s ease-out; } @keyframes arrive { from { background: var(--warn-bg); } }
@media (prefers-reduced-motion: reduce) { tr.new td { animation: none; } }
/* A phone shows each row as a list of its own: no column is cut off. */
@media (max-width: 44rem) {
  header .ready { margin-left: 0; }
  table, tbody, tr, td { display: block; width: auto; } thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  td, td.data, td.text, td.name, td.number { width: auto; min-width: 0; border: 0; padding: .15rem 1.1rem; text-align: left; }
  td.tight, .number { white-space: normal; overflow-wrap: anywhere; }
  td:not(:empty)::before { content: attr(data-label); color: var(--dim); font: 600 .8rem/1.5 system-ui, sans-serif; display: inline-block; min-width: 5.5rem; margin-right: .5rem; }
  td:empty { display: none; }
  tr { padding: .6rem 0; border-bottom: 1px solid var(--line); } tr:last-child { border-bottom: 0; }
}
footer { max-width: 90rem; margin: 0 auto; padding: 0 1.25rem 2rem; color: var(--dim); font-size: .85rem; }
footer a, .title a { color: var(--mark); }
`;

export const script = [commonScript, alertsScript, flowsScript].join("");

/** What a Content-Security-Policy calls a script or a style of this text. */
export function sourceHash(text: string): string {
	return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

export const contentSecurityPolicy = [
	"default-src 'none'",
	`style-src ${sourceHash(style)}`,
	`script-src ${sourceHash(script)}`,
	"connect-src 'self'",
	// The drawing of the policies is an image, in which no script runs.
	"img-src 'self' data:",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
].join("; ");
