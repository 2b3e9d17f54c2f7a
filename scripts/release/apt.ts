/** A repository for apt, which a web server or a directory gives: https://wiki.debian.org/DebianRepository/Format */

import type { Deb } from "./deb.ts";
import { compress } from "./gzip.ts";
import type { PgpKey } from "./openpgp.ts";

interface Member {
	/** Relative to the repository. */
	readonly path: string;
	readonly bytes: Buffer;
}

/** As RFC 5322 and apt write a time. */
function written(seconds: number): string {
	return new Date(1000 * seconds).toUTCString().replace("GMT", "+0000");
}

function listing(deb: Deb): string {
	const { name, bytes, control } = deb;
	const description = control.indexOf("Description:");
	const sha256 = new Bun.SHA256().update(bytes).digest("hex");
	return `${control.slice(0, description)}Filename: pool/${name}
Size: ${bytes.length}
SHA256: ${sha256}
${control.slice(description)}
`;
}

/**
 * The repository's files.
 * @param debs by Debian's name of the architecture
 * @param date when it was made, in seconds since 1970
 * @param expires the first day, YYYY-MM-DD, on which apt takes nothing from it any more
 */
export async function aptRepository(
	debs: ReadonlyMap<string, Deb>,
	date: number,
	expires: string,
	key: PgpKey | null,
): Promise<Member[]> {
	const lists: Member[] = [];
	for (const [architecture, deb] of debs) {
		const bytes = Buffer.from(listing(deb));
		const path = `main/binary-${architecture}/Packages`;
		lists.push({ path, bytes }, { path: `${path}.gz`, bytes: await compress(bytes) });
	}
	const sums = lists.map(({ path, bytes }) => {
		const digest = new Bun.SHA256().update(bytes).digest("hex");
		return ` ${digest} ${String(bytes.length).padStart(8)} ${path}\n`;
	});
	const release = `Origin: Portward
Label: Portward
Suite: stable
Codename: stable
Date: ${written(date)}
Valid-Until: ${written(Date.parse(`${expires}T23:59:59Z`) / 1000)}
Architectures: ${[...debs.keys()].join(" ")}
Components: main
Description: Portward, for hosts that reach nothing else
SHA256:
${sums.join("")}`;
	const at = (path: string, bytes: Buffer): Member => ({ path: `dists/stable/${path}`, bytes });
	return [
		...[...debs.values()].map(({ name, bytes }) => ({ path: `pool/${name}`, bytes })),
		...lists.map(({ path, bytes }) => at(path, bytes)),
		at("Release", Buffer.from(release)),
		...(key === null
			? []
			: [
					at("InRelease", Buffer.from(key.clear(release, date))),
					at("Release.gpg", Buffer.from(key.detached(release, date))),
					{ path: "portward.asc", bytes: Buffer.from(key.publicKey) },
				]),
	];
}
