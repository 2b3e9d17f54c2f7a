/** What Portward needs of the host: its kernel, libraries, certificates, clock and disks. Judged here, read elsewhere. */

import { error, type Finding, ok, warning } from "./finding.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** A certificate is to be replaced so long before it ends. */
const soonMs = 30 * dayMs;

/** Kernels before this one have nf_tables and need another form of ruleset; before the other, none that is tried. */
const wholeKernel = [5, 6] as const;
const oldestKernel = [4, 4] as const;

export function kernelFindings(
	release: string,
	tables: { readonly ok: true } | { readonly ok: false; readonly error: string },
	isRoot: boolean,
): Finding[] {
	const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/u.exec(release) ?? [];
	const version = [Number(major), Number(minor)] as const;
	const before = ([a, b]: readonly [number, number]) =>
		version[0] < a || (version[0] === a && version[1] < b);
	const age = before(oldestKernel)
		? error("kernel", `Linux ${release} is older than 4.4`, "install a newer kernel")
		: before(wholeKernel)
			? warning(
					"kernel",
					`Linux ${release} has no interval sets over concatenations: rulesets take another form, which is larger`,
					"from 5.6 on the kernel has them; until then keep an eye on maxElements",
				)
			: ok("kernel", `Linux ${release}`);
	if (tables.ok) return [age, ok("nf_tables", "the kernel has nf_tables")];
	const unread = isRoot
		? error(
				"nf_tables",
				`the kernel shows no nf_tables: ${tables.error}`,
				"load it (modprobe nf_tables), or use a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET",
			)
		: warning("nf_tables", `only root may look at nf_tables: ${tables.error}`, "run portward doctor as root");
	return [age, unread];
}

/** When a certificate ends, or why it cannot be read. */
export type CertificateEnd =
	| { readonly name: string; readonly expires: number }
	| { readonly name: string; readonly problem: string; readonly hint: string };

export function certificateFindings(certificates: readonly CertificateEnd[], now: number): Finding[] {
	if (certificates.length === 0) return [ok("certificates", "the settings name none")];
	return certificates.map((certificate) => {
		if ("problem" in certificate)
			return error("certificates", `${certificate.name} ${certificate.problem}`, certificate.hint);
		const { name, expires } = certificate;
		const day = new Date(expires).toISOString().slice(0, 10);
		const renew = "put a new one in its place, and systemctl reload portward";
		if (expires <= now) return error("certificates", `${name} expired on ${day}`, renew);
		const left = Math.floor((expires - now) / dayMs);
		return expires - now < soonMs
			? warning("certificates", `${name} expires on ${day}, in ${left} ${left === 1 ? "day" : "days"}`, renew)
			: ok("certificates", `${name} expires on ${day}`);
	});
}

/** A clock that is behind by less is a file system's rounding. */
const toleranceMs = 60 * 1000;

/** @param newest the latest time at which one of our own files was written; null where there is none. */
export function clockFindings(synchronized: boolean | null, newest: number | null, now: number): Finding[] {
	const keep = "run one that sets it: systemctl enable --now systemd-timesyncd, or chronyd";
	if (newest !== null && newest > now + toleranceMs) {
		const day = new Date(newest).toISOString();
		return [error("clock", `the clock is behind: a file of Portward's was written at ${day}`, keep)];
	}
	if (synchronized === true) return [ok("clock", "something keeps the clock right")];
	return [
		warning(
			"clock",
			"nothing keeps the clock right, by which alerts, confirmations and certificates are timed",
			keep,
		),
	];
}

export interface Disk {
	readonly path: string;
	readonly freeBytes: number;
	readonly bytes: number;
}

/** Less than this, or than a fiftieth, is told before it is too late. */
const scarceBytes = 64 * 1024 * 1024;

/** @param warnings what cannot be written already. */
export function diskFindings(warnings: readonly string[], disks: readonly Disk[]): Finding[] {
	const found = warnings.map((message) =>
		error("disk", message, "make room, or mount it writable; df -h shows what is full"),
	);
	for (const { path, freeBytes, bytes } of warnings.length > 0 ? [] : disks) {
		const free = `${path} has ${Math.floor(freeBytes / 1024 / 1024)} MiB left`;
		found.push(
			freeBytes < Math.min(scarceBytes, bytes / 50)
				? warning("disk", free, "make room before state and alerts cannot be written any more")
				: ok("disk", free),
		);
	}
	return found;
}

export interface FoundLibrary {
	readonly name: string;
	readonly opened:
		| { readonly ok: true; readonly path: string }
		| { readonly ok: false; readonly reason: string; readonly remedy: string };
}

export function libraryFindings(libraries: readonly FoundLibrary[]): Finding[] {
	return libraries.map(({ name, opened }) =>
		opened.ok
			? ok("libraries", `${name}: ${opened.path}`)
			: error("libraries", `${name} cannot be used: ${opened.reason}`, opened.remedy),
	);
}
