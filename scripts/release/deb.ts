/** Debian packages: deb(5), deb-control(5). */

import { type Entry, maintainer, type Package, packageVersion, wrapped } from "./entry.ts";
import { compressPieces, type Piece } from "./gzip.ts";
import { tar } from "./tar.ts";

export interface Deb {
	/** Such as portward_1.2.3-1_amd64.deb. */
	readonly name: string;
	readonly bytes: Buffer;
	/** The control file, which an archive's list of packages repeats. */
	readonly control: string;
}

/** A member of an ar archive: ar(5). */
function member(name: string, bytes: Buffer, date: number): Buffer[] {
	const fields = `${name.padEnd(16)}${String(date).padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}`;
	const head = Buffer.from(`${fields}${String(bytes.length).padEnd(10)}\`\n`, "latin1");
	return [head, bytes, Buffer.from(bytes.length % 2 === 0 ? "" : "\n")];
}

/** KiB as dpkg-gencontrol counts: each file rounded up, and one for everything else. */
function installedSize(entries: readonly Entry[]): number {
	return entries.reduce(
		(sum, { content }) => sum + Math.max(1, Math.ceil((content?.bytes.length ?? 0) / 1024)),
		0,
	);
}

/** Text of a field of several lines: each begins with a blank, and what would be empty is a dot. */
function paragraphs(texts: readonly string[]): string {
	return texts.map((text) => wrapped(text).replace(/^/gmu, " ")).join("\n .\n");
}

function controlOf({ version, summary, description, entries }: Package, architecture: string): string {
	return `Package: portward
Version: ${packageVersion(version)}
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${installedSize(entries)}
Depends: libc6 (>= 2.17), libnftables1, init-system-helpers (>= 1.54~)
Recommends: libudev1
Section: admin
Priority: optional
Description: ${summary}
${paragraphs(description)}
`;
}

/**
 * The package for a Debian architecture. The same package gives the same bytes.
 * @param architecture as dpkg names it, such as amd64
 */
export async function makeDeb(made: Package, architecture: string): Promise<Deb> {
	const { date, entries, scripts, version } = made;
	const control = controlOf(made, architecture);
	const files = entries.filter(({ content }) => content !== undefined);
	const sums = files
		.filter(({ config }) => !config)
		.map(({ path, content }) => {
			const digest = new Bun.MD5().update(content?.bytes ?? "").digest("hex");
			return `${digest}  ${path.slice(1)}\n`;
		});
	const settings = files.filter(({ config }) => config).map(({ path }) => `${path}\n`);
	const file = (path: string, text: string, mode = 0o644): Entry => ({
		path,
		mode,
		content: { bytes: Buffer.from(text) },
	});
	const about = [
		file("/control", control),
		file("/conffiles", settings.join("")),
		file("/md5sums", sums.join("")),
		...Object.entries(scripts).map(([name, text]) => file(`/${name}`, text, 0o755)),
	];
	const pack = async (pieces: readonly Piece[]): Promise<Buffer> => await compressPieces(pieces);
	const bytes = Buffer.concat([
		Buffer.from("!<arch>\n"),
		...member("debian-binary", Buffer.from("2.0\n"), date),
		...member("control.tar.gz", await pack(tar(about, date)), date),
		...member("data.tar.gz", await pack(tar(entries, date)), date),
	]);
	return { name: `portward_${packageVersion(version)}_${architecture}.deb`, bytes, control };
}
