/** RPM packages of format 4: https://rpm-software-management.github.io/rpm/manual/format_v4.html */

import { basename, dirname } from "node:path";
import { cpio, modeOf } from "./cpio.ts";
import { byPath, type Entry, maintainer, type Package, packageVersion, wrapped } from "./entry.ts";
import { compressPieces } from "./gzip.ts";
import type { PgpKey } from "./openpgp.ts";
import { type RpmValue, rpmHeader } from "./rpm-header.ts";

/** https://rpm-software-management.github.io/rpm/manual/tags.html */
const tag = {
	i18nTable: 100,
	name: 1000,
	version: 1001,
	release: 1002,
	summary: 1004,
	description: 1005,
	buildTime: 1006,
	buildHost: 1007,
	size: 1009,
	vendor: 1011,
	license: 1014,
	packager: 1015,
	group: 1016,
	os: 1021,
	arch: 1022,
	fileSizes: 1028,
	fileModes: 1030,
	fileDeviceNumbers: 1033,
	fileTimes: 1034,
	fileDigests: 1035,
	fileLinks: 1036,
	fileFlags: 1037,
	fileUsers: 1039,
	fileGroups: 1040,
	sourcePackage: 1044,
	fileVerify: 1045,
	provides: 1047,
	requireFlags: 1048,
	requires: 1049,
	requireVersions: 1050,
	rpmVersion: 1064,
	changelogTime: 1080,
	changelogName: 1081,
	changelogText: 1082,
	fileDevices: 1095,
	fileInodes: 1096,
	fileLanguages: 1097,
	provideFlags: 1112,
	provideVersions: 1113,
	directoryIndexes: 1116,
	baseNames: 1117,
	directoryNames: 1118,
	payloadFormat: 1124,
	payloadCompressor: 1125,
	payloadFlags: 1126,
	fileDigestAlgorithm: 5011,
	encoding: 5062,
	payloadDigest: 5092,
	payloadDigestAlgorithm: 5093,
	payloadDigestUnpacked: 5097,
} as const;

/** Tags of a script and of the program that runs it, by the script's name. */
const scriptTags: Readonly<Record<string, readonly [number, number]>> = {
	pre: [1023, 1085],
	post: [1024, 1086],
	preun: [1025, 1087],
	postun: [1026, 1088],
};

/** Tags of the signature header. */
const signatureTag = { headerEdDsa: 267, headerSha1: 269, headerSha256: 273, size: 1000, payloadSize: 1007 };

/** As rpm names a kind of machine in what a package provides, by the architecture. */
const machine: Readonly<Record<string, string>> = { x86_64: "x86-64", aarch64: "aarch-64" };

/** SHA-256 in OpenPGP's list of hashes: RFC 4880, 9.4. */
const sha256Id = 8;

const fileFlag = { config: 1, doc: 2, noReplace: 16, licence: 128 };
const sense = {
	less: 2,
	greater: 4,
	equal: 8,
	rpmlib: 1 << 24,
	script: { pre: 1 << 9, post: 1 << 10, preun: 1 << 11, postun: 1 << 12 },
};

const text = (value: string): RpmValue => ({ type: "string", value });
const texts = (value: readonly string[]): RpmValue => ({ type: "strings", value });
const words = (value: readonly number[]): RpmValue => ({ type: "int32", value });
const halves = (value: readonly number[]): RpmValue => ({ type: "int16", value });
const sha256 = (bytes: Buffer): string => new Bun.SHA256().update(bytes).digest("hex");

function flagsOf({ config, kind }: Entry): number {
	if (config) return fileFlag.config | fileFlag.noReplace;
	return kind === undefined ? 0 : kind === "doc" ? fileFlag.doc : fileFlag.licence;
}

function fileTags(entries: readonly Entry[], date: number): [number, RpmValue][] {
	const directories = [...new Set(entries.map(({ path }) => `${dirname(path)}/`))];
	const all = <T>(value: T): T[] => entries.map(() => value);
	return [
		[tag.fileSizes, words(entries.map(({ content }) => content?.bytes.length ?? 4096))],
		[tag.fileModes, halves(entries.map(modeOf))],
		[tag.fileDeviceNumbers, halves(all(0))],
		[tag.fileTimes, words(all(date))],
		[
			tag.fileDigests,
			texts(entries.map(({ content }) => (content === undefined ? "" : sha256(content.bytes)))),
		],
		[tag.fileLinks, texts(all(""))],
		[tag.fileFlags, words(entries.map(flagsOf))],
		[tag.fileUsers, texts(all("root"))],
		[tag.fileGroups, texts(all("root"))],
		[tag.fileVerify, words(all(0xffffffff))],
		[tag.fileDevices, words(all(1))],
		[tag.fileInodes, words(entries.map((_, at) => at + 1))],
		[tag.fileLanguages, texts(all(""))],
		[tag.directoryIndexes, words(entries.map(({ path }) => directories.indexOf(`${dirname(path)}/`)))],
		[tag.baseNames, texts(entries.map(({ path }) => basename(path)))],
		[tag.directoryNames, texts(directories)],
		[tag.fileDigestAlgorithm, words([sha256Id])],
	];
}

/** What the package needs: libraries as rpm's own generator of dependencies names them, and features of rpm. */
function requirements({ version, scripts }: Package): [number, RpmValue][] {
	const library = (name: string): [string, number, string] => [`${name}()(64bit)`, 0, ""];
	const feature = (name: string, since: string): [string, number, string] => [
		`rpmlib(${name})`,
		sense.rpmlib | sense.less | sense.equal,
		since,
	];
	const names = Object.keys(scripts);
	const shell = names.reduce(
		(flags, name) => flags | (sense.script[name as keyof typeof sense.script] ?? 0),
		1 << 8,
	);
	const needs: [string, number, string][] = [
		["/bin/sh", shell, ""],
		["libc.so.6(GLIBC_2.17)(64bit)", 0, ""],
		library("libnftables.so.1"),
		["systemd", 0, ""],
		feature("CompressedFileNames", "3.0.4-1"),
		feature("FileDigests", "4.6.0-1"),
		feature("PayloadFilesHavePrefix", "4.0-1"),
		...(version.includes("-") ? [feature("TildeInVersions", "4.10.0-1")] : []),
	];
	return [
		[tag.requires, texts(needs.map(([name]) => name))],
		[tag.requireFlags, words(needs.map(([, flags]) => flags))],
		[tag.requireVersions, texts(needs.map(([, , since]) => since))],
	];
}

function headerTags(made: Package, architecture: string): [number, RpmValue][] {
	const full = packageVersion(made.version);
	const [version = "", release = ""] = full.split("-");
	const provided = ["config(portward)", "portward", `portward(${machine[architecture] ?? architecture})`];
	const translated = (value: string): RpmValue => ({ type: "translated", value: [value] });
	return [
		[tag.i18nTable, texts(["C"])],
		[tag.name, text("portward")],
		[tag.version, text(version)],
		[tag.release, text(release)],
		[tag.summary, translated(made.summary.replace(/^./u, (first) => first.toUpperCase()))],
		[tag.description, translated(made.description.map(wrapped).join("\n\n"))],
		[tag.buildTime, words([made.date])],
		[tag.buildHost, text("portward.invalid")],
		[tag.size, words([made.entries.reduce((sum, { content }) => sum + (content?.bytes.length ?? 0), 0)])],
		[tag.vendor, text("Portward")],
		[tag.license, text(made.license)],
		[tag.packager, text(maintainer)],
		[tag.group, translated("System Environment/Daemons")],
		[tag.os, text("linux")],
		[tag.arch, text(architecture)],
		[tag.sourcePackage, text(`portward-${full}.src.rpm`)],
		[tag.rpmVersion, text("4.14.0")],
		[tag.changelogTime, words([made.date])],
		[tag.changelogName, texts([`Portward <maintainers@portward.invalid> - ${full}`])],
		[tag.changelogText, texts([`- Release ${made.version}: the changelog is in the documentation.`])],
		[tag.provides, texts(provided)],
		[tag.provideFlags, words(provided.map(() => sense.equal))],
		[tag.provideVersions, texts(provided.map(() => full))],
		[tag.payloadFormat, text("cpio")],
		[tag.payloadCompressor, text("gzip")],
		[tag.payloadFlags, text("9")],
		[tag.encoding, text("utf-8")],
		...requirements(made),
		...Object.entries(made.scripts).flatMap(([name, script]): [number, RpmValue][] => {
			const [body, program] = scriptTags[name] ?? [];
			if (body === undefined || program === undefined) throw new Error(`RPM has no script ${name}`);
			return [
				[body, text(script)],
				[program, text("/bin/sh")],
			];
		}),
	];
}

/** What rpm(8) before version 4.0 read first; of it later ones look at the first bytes and the kind alone. */
function lead(name: string): Buffer {
	const bytes = Buffer.alloc(96);
	Buffer.from([0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1]).copy(bytes);
	bytes.write(name.slice(0, 65), 10, "latin1");
	bytes.writeUInt16BE(1, 76);
	bytes.writeUInt16BE(5, 78);
	return bytes;
}

/**
 * The package for an RPM architecture, its header signed if there is a key. The same package gives the same bytes.
 * @param architecture as rpm names it, such as x86_64
 */
export async function makeRpm(
	made: Package,
	architecture: string,
	key: PgpKey | null,
): Promise<{ readonly name: string; readonly bytes: Buffer }> {
	const sorted = [...made.entries].sort(byPath);
	const archive = cpio(sorted, made.date);
	const payload = await compressPieces(archive);
	const unpacked = new Bun.SHA256();
	for (const { bytes } of archive) unpacked.update(bytes);
	const header = rpmHeader(
		63,
		new Map([
			...headerTags(made, architecture),
			...fileTags(sorted, made.date),
			[tag.payloadDigest, texts([sha256(payload)])],
			[tag.payloadDigestAlgorithm, words([sha256Id])],
			[tag.payloadDigestUnpacked, texts([unpacked.digest("hex")])],
		]),
	);
	const signatures = new Map<number, RpmValue>([
		[signatureTag.headerSha1, text(new Bun.SHA1().update(header).digest("hex"))],
		[signatureTag.headerSha256, text(sha256(header))],
		[signatureTag.size, words([header.length + payload.length])],
		[signatureTag.payloadSize, words([archive.reduce((sum, { bytes }) => sum + bytes.length, 0)])],
	]);
	if (key !== null)
		signatures.set(signatureTag.headerEdDsa, { type: "binary", value: key.sign(header, made.date) });
	const signed = rpmHeader(62, signatures);
	const full = `portward-${packageVersion(made.version)}`;
	return {
		name: `${full}.${architecture}.rpm`,
		bytes: Buffer.concat([lead(full), signed, Buffer.alloc(-signed.length & 7), header, payload]),
	};
}
