/**
 * npm run docs
 *
 * Writes what is said in two places from the one where it is known: tables in
 * docs/, the man page, the pictures. Tests fail when they are not up to date.
 */

import { join } from "node:path";
import type { Command } from "../src/cli/command.ts";
import { allCommands } from "../src/cli/commands.ts";
import { type Setting, settings } from "../src/config/reference.ts";
import { metricsTable } from "./docs-metrics.ts";
import { dashboards, dashboardText } from "./monitoring/dashboards.ts";
import { writePictures } from "./picture.ts";
import { answerSchemas, commandSchemas, schemaTables } from "./schema.ts";

/** The page with the part between two marks made anew; throws where the marks are missing. */
export function withPart(page: string, name: string, part: string): string {
	const begin = `<!-- ${name}: npm run docs -->`;
	const from = page.indexOf(begin);
	const to = page.indexOf(`<!-- end of ${name} -->`);
	if (from < 0 || to < from) throw new Error(`the page has no ${begin} … and its end`);
	return `${page.slice(0, from)}${begin}\n${part}\n${page.slice(to)}`;
}

function settingsTable(known: readonly Setting[] = settings): string {
	const rows = known.map(
		({ key, fallback, meaning }) =>
			`| \`${key}\` | ${fallback === "" ? "" : `\`${fallback}\``} | ${meaning} |`,
	);
	return ["| key | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

/** Every page with a part that is made here, and what it is to be. */
export function madePages(): readonly {
	readonly path: string;
	readonly name: string;
	readonly part: string;
}[] {
	return [
		{ path: "docs/settings.md", name: "settings", part: settingsTable() },
		{ path: "docs/metrics.md", name: "metrics", part: metricsTable() },
		{ path: "docs/http.md", name: "fields", part: schemaTables(answerSchemas) },
		{ path: "docs/json.md", name: "fields", part: schemaTables(commandSchemas) },
	];
}

const files: readonly (readonly [string, string])[] = [
	["/etc/portward/config.yaml", "The settings. Without it the defaults hold."],
	["/etc/portward/policies/", "The policies. Only root may write there."],
	["/var/lib/portward/boot.json", "The last confirmed ruleset, for restore."],
	["/var/lib/portward/last-good.json", "The last good version of every policy."],
	["/var/lib/portward/settings.json", "The last good settings, for a start while the file is broken."],
	["/var/lib/portward/usb.json", "What the USB lock replaced, and what was there before it."],
	[
		"/var/lib/portward/pending.json",
		"The change that waits for its confirmation, with its copy in pending/.",
	],
	["/var/lib/portward/confirmed/", "What was confirmed last, where confirm is required."],
	["/var/lib/portward/panic.json", "Who opened the network table with panic-open, when and why."],
	[
		"/var/lib/portward/serial.json",
		"The highest serial number of a signed policy directory that was enforced.",
	],
	[
		"/var/lib/portward/serial-reset.json",
		"That policy reset-serial was used while no daemon ran; the next start alerts it.",
	],
	["/var/lib/portward/control.sock", "Where root's commands reach the daemon."],
	["/var/lib/portward/status.sock", "The whole status, for root, where TCP tells the metrics only."],
	["/etc/systemd/system/portward.service", "The daemon."],
	[
		"/etc/systemd/system/portward-restore.service",
		"Puts the last confirmed rules back before the network comes up.",
	],
	[
		"/etc/systemd/system/nftables.service.d/portward.conf",
		"Keeps nftables.service from flushing every table while the machine goes down.",
	],
];

/** Text as roff takes it literally: no escape, no request at the start of a line, and hyphens that can be copied. */
function roff(text: string): string {
	return text
		.replaceAll("\\", "\\e")
		.replaceAll("-", "\\-")
		.replace(/^([.'])/gm, "\\&$1");
}

/** A sentence for running text: without the marks of Markdown. */
function prose(text: string): string {
	return roff(text.replaceAll("`", ""));
}

/** The man page of section 8; `man`(7) and groff_man(7) describe its language. */
export function manPage(commands: readonly Command[]): string {
	const lines: string[] = [
		'.\\" Made by npm run docs from the commands and the settings.',
		'.TH PORTWARD 8 "" "portward" "System Administration"',
		".SH NAME",
		"portward \\- guards a Linux host's network and USB ports with KubeArmor policies",
		".SH SYNOPSIS",
		".B portward",
		".I COMMAND",
		"[\\fIOPTION\\fR]...",
		".SH DESCRIPTION",
		prose(
			"Portward reads policies (KubeArmorNetworkPolicy, and the device block of KubeArmorHostPolicy) from a directory and enforces them in the kernel: with one nftables table, and with the authorization of USB devices. What is enforced stays when the daemon stops. It starts no other process and needs no network.",
		),
		".SH COMMANDS",
	];
	for (const { name, summary, help } of commands) {
		lines.push(`.SS "${roff(name)} \\- ${roff(summary)}"`, ".nf", roff(help.trimEnd()), ".fi");
	}
	lines.push(
		".SH SETTINGS",
		prose("YAML in /etc/portward/config.yaml. Flags win over the file; an unknown key is an error."),
	);
	for (const { key, fallback, meaning } of settings) {
		lines.push(".TP", `.BR ${roff(key)}${fallback === "" ? "" : ` " (${roff(fallback)})"`}`, prose(meaning));
	}
	lines.push(".SH FILES");
	for (const [path, meaning] of files) lines.push(".TP", `.I ${roff(path)}`, prose(meaning));
	lines.push(
		".SH SIGNALS",
		".TP",
		".B SIGHUP",
		prose("Reads the policies and the settings again, and certificates and tokens with them."),
		".TP",
		'.BR SIGTERM ", " SIGINT',
		prose("End the daemon within two seconds. The rules stay in force."),
		".SH EXIT STATUS",
		prose("0: all is well, warnings included. 1: failure. 2: what the commands say above. 64: wrong usage."),
		".SH ENVIRONMENT",
		".TP",
		".B NO_COLOR",
		prose("Turns colours off."),
		".TP",
		'.BR NOTIFY_SOCKET ", " WATCHDOG_USEC ", " WATCHDOG_PID',
		prose("Set by systemd: see sd_notify(3) and sd_watchdog_enabled(3)."),
		".TP",
		".B SSH_CONNECTION",
		prose(
			"Tells plan, apply and confirm which connection the operator came by; the daemon looks for itself.",
		),
		".SH EXAMPLES",
		".nf",
		roff("portward validate /etc/portward/policies"),
		roff("portward plan --policy-dir /root/new-policies"),
		roff("portward apply --policy-dir /root/new-policies --confirm-within 60s"),
		roff("portward confirm"),
		roff("portward explain ingress tcp 192.0.2.7 22"),
		".fi",
		".SH SEE ALSO",
		".BR nft (8),",
		".BR systemd.service (5),",
		".BR udevadm (8)",
	);
	return `${lines.join("\n")}\n`;
}

/** Every command, for its help alone. */
export function documentedCommands(): readonly Command[] {
	return allCommands(() => {
		throw new Error("the documentation starts no daemon");
	});
}

if (import.meta.main) {
	const root = join(import.meta.dir, "..");
	for (const { path, name, part } of madePages()) {
		const page = join(root, path);
		await Bun.write(page, withPart(await Bun.file(page).text(), name, part));
	}
	await Bun.write(join(root, "packaging/portward.8"), manPage(documentedCommands()));
	for (const [name, one] of Object.entries(dashboards))
		await Bun.write(join(root, `packaging/monitoring/dashboards/${name}.json`), dashboardText(one));
	await writePictures(root);
}
