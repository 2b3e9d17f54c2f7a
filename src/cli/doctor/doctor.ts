import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { clockSynchronized } from "../../../ffi/clock.ts";
import { openLibrary } from "../../../ffi/library.ts";
import { hasError } from "../../base/diagnostic.ts";
import { escapeForTerminal } from "../../base/terminal.ts";
import type { Config } from "../../config/model.ts";
import { defaultConfig } from "../../config/parse.ts";
import { interfaceFindings, interfaceUses } from "../../enforcers/network/interfaces.ts";
import { networkPart } from "../../enforcers/network/model.ts";
import { foreignChains } from "../../enforcers/network/observe/foreign-chains.ts";
import { readGuests } from "../../enforcers/network/observe/guests/read-guests.ts";
import { sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import { readPolicySet } from "../../engine/policy-set.ts";
import { forwarding, hostFacts } from "../../kernel/host.ts";
import { readLinks } from "../../kernel/links.ts";
import { storageWarnings } from "../../report/storage-warnings.ts";
import { readStatusFiles } from "../../serve/status-files.ts";
import { isRoot } from "../change/panic-settings.ts";
import { type Command, exit } from "../command.ts";
import { plural } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { firewallFindings, usbFindings } from "./conflicts.ts";
import { error, type Finding, ok, warning } from "./finding.ts";
import { guestFindings } from "./guests.ts";
import {
	type CertificateEnd,
	certificateFindings,
	clockFindings,
	type Disk,
	diskFindings,
	type FoundLibrary,
	kernelFindings,
	libraryFindings,
} from "./host.ts";

const help = `Usage: portward doctor [--policy-dir DIR] [--config FILE] [--json]

Looks at what Portward needs, and at what can come between: kernel, libraries,
settings and policies, other firewalls on the same hooks, USBGuard, containers,
interfaces that policies name, certificates, clock and disks. Each line says
what to do. Changes nothing; root is told most.

  --policy-dir DIR  policies (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --json            print {ok, findings: [{check, state, message, remedy}]}

Exit codes: 0 all is well, 2 there are warnings, 1 there are errors.
`;

export const doctor: Command = {
	name: "doctor",
	summary: "what stands in Portward's way on this host, and what to do",
	help,
	async run(args, io) {
		const values = parseOnlyOptions(args, { ...policyOptions, json: { type: "boolean" } });
		const settings = readSettings(values, false);
		const config = settings.config ?? defaultConfig();
		const chains = foreignChains(config.table);
		const guests = readGuests(config.table, config.guests);
		const processes = processNames();
		const findings = [
			...kernelFindings(hostFacts().kernelRelease, chains, isRoot()),
			...libraryFindings(libraries()),
			settings.config === null
				? error(
						"settings",
						"the settings have errors",
						"portward validate --config FILE says which and where",
					)
				: ok("settings", settings.file === null ? "there is no file, so the defaults hold" : settings.file),
			...policyFindings(config),
			...(chains.ok ? firewallFindings(chains.chains) : []),
			...guestFindings(
				config.guests.forwarded,
				processes,
				chains.ok ? chains.chains : [],
				guests.ok ? guests.facts : null,
				forwarding(),
			),
			...usbFindings(
				processes,
				config.enableUSBDeviceHandler && config.enableKubeArmorHostPolicy,
				existsSync(sysfsRoot),
			),
			...certificateFindings(certificates(config), Date.now()),
			...clockFindings(clockSynchronized(), newestFile(config), Date.now()),
			...diskFindings(storageWarnings(config), disks(config)),
		];
		const errors = findings.filter(({ state }) => state === "error").length;
		const warnings = findings.filter(({ state }) => state === "warning").length;
		if (values.json) io.out(prettyJson({ ok: errors + warnings === 0, findings }));
		else io.out(`${describe(findings)}${plural(errors, "error")}, ${plural(warnings, "warning")}\n`);
		return errors > 0 ? exit.failure : warnings > 0 ? exit.changes : exit.ok;
	},
};

function describe(findings: readonly Finding[]): string {
	const lines = findings.flatMap(({ check, state, message, remedy }) => [
		`${state.padEnd("warning".length)}  ${check}: ${message}`,
		...(remedy === "" ? [] : [`${" ".repeat("warning".length)}  do: ${remedy}`]),
	]);
	return lines.map((line) => `${escapeForTerminal(line)}\n`).join("");
}

/** The C library is there, or nothing would run. */
function libraries(): FoundLibrary[] {
	const nftables = openLibrary(
		{
			fileNames: ["libnftables.so.1"],
			remedy: "install it: libnftables1 (Debian, Ubuntu, SUSE), nftables (Fedora, RHEL, Alpine, Arch)",
		},
		{ nft_ctx_new: { args: ["u32"], returns: "ptr" } },
	);
	const udev = openLibrary(
		{
			fileNames: ["libudev.so.1"],
			remedy:
				"install it: libudev1 (Debian, Ubuntu, SUSE), systemd-libs (Fedora, RHEL, Arch), eudev-libs (Alpine)",
		},
		{ udev_new: { args: [], returns: "ptr" } },
	);
	return [
		{ name: "libnftables", opened: nftables },
		{ name: "libudev", opened: udev },
	];
}

function policyFindings(config: Config): Finding[] {
	if (!existsSync(config.policyDir)) {
		const remedy = "create it, owned by root and writable by nobody else, and put policies there";
		return [warning("policies", `${config.policyDir} is not there, so nothing is enforced`, remedy)];
	}
	const set = readPolicySet([config.policyDir], config);
	const read = hasError(set.diagnostics)
		? error(
				"policies",
				`${config.policyDir} has files with errors`,
				`portward validate ${config.policyDir} says which and where`,
			)
		: ok("policies", `${set.selected.length} in ${config.policyDir} are for this host`);
	const links = readLinks();
	const named = links.ok
		? interfaceFindings(interfaceUses(networkPart.of(set.selected), config.failsafe), links.links)
		: [];
	const interfaces = named.map(({ message, users, hint }) =>
		warning("interfaces", `${message} (${users.join(", ")})`, hint),
	);
	return [
		read,
		...(interfaces.length === 0
			? [ok("interfaces", "every interface that policies name is there")]
			: interfaces),
	];
}

function processNames(): ReadonlySet<string> {
	const names = new Set<string>();
	try {
		for (const entry of readdirSync("/proc")) {
			if (!/^\d+$/u.test(entry)) continue;
			try {
				names.add(readFileSync(join("/proc", entry, "comm"), "utf8").trimEnd());
			} catch {
				// It ended meanwhile.
			}
		}
	} catch {
		// Without /proc nothing is known of others.
	}
	return names;
}

/** The server's certificate, and that of who signs those of clients. */
function certificates({ status }: Config): CertificateEnd[] {
	if (status.tls === null && status.tokenFile === null) return [];
	const files = readStatusFiles(status, false);
	if (!files.ok) return [{ name: "the status endpoint:", problem: files.message, hint: files.hint }];
	if (files.tls === null || status.tls === null) return [];
	const own = { name: status.tls.cert, expires: files.tls.expires };
	if (files.tls.clientCa === null || status.tls.clientCa === null) return [own];
	const ca = new X509Certificate(files.tls.clientCa);
	return [own, { name: status.tls.clientCa, expires: Date.parse(ca.validTo) }];
}

/** Of the state and of the policies, when one was last written. */
function newestFile({ stateDir, policyDir }: Config): number | null {
	const times = [stateDir, policyDir].flatMap((directory) => {
		try {
			return readdirSync(directory).map((name) => statSync(join(directory, name)).mtimeMs);
		} catch {
			return [];
		}
	});
	return times.length === 0 ? null : Math.max(...times);
}

function disks({ stateDir, alerts }: Config): Disk[] {
	const paths = new Set([stateDir, ...(alerts.file === null ? [] : [dirname(alerts.file)])]);
	return [...paths].flatMap((path) => {
		try {
			const { bavail, blocks, bsize } = statfsSync(path);
			return [{ path, freeBytes: bavail * bsize, bytes: blocks * bsize }];
		} catch {
			return [];
		}
	});
}
