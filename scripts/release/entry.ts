/** A file or directory that a package puts on a host. */

import type { Piece } from "./gzip.ts";

export interface Entry {
	/** Absolute, ASCII. */
	readonly path: string;
	/** Permission bits. */
	readonly mode: number;
	/** Of a file; a directory has none. */
	readonly content?: Piece;
	/** Of settings that the administrator changes and an upgrade keeps. */
	readonly config?: boolean;
	readonly kind?: "doc" | "licence";
}

/** Who the package is and what every format says of it. */
export interface Package {
	/** Of the release, such as 1.2.3 or 1.2.3-rc.1. */
	readonly version: string;
	/** SPDX expression. */
	readonly license: string;
	readonly summary: string;
	/** Paragraphs of prose. */
	readonly description: readonly string[];
	/** Seconds since 1970 that every time in the package is set to. */
	readonly date: number;
	readonly entries: readonly Entry[];
	/** Scripts by the name that the format has for them. */
	readonly scripts: Readonly<Record<string, string>>;
}

/** Who Debian and RPM are told to turn to. The address is of no host, by RFC 2606: SECURITY.md says where to report. */
export const maintainer = "Portward maintainers <maintainers@portward.invalid>";

/** The version as both formats sort it: what a pre-release has behind its hyphen comes before nothing. */
export function packageVersion(version: string): string {
	return `${version.replace("-", "~").replaceAll("-", ".")}-1`;
}

/** Compares as bytes, as a file name sorts everywhere. */
export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
	return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** Prose in lines of at most 76 characters. */
export function wrapped(text: string): string {
	return text.replace(/(.{1,76})(?: |$)/gu, "$1\n").trimEnd();
}
