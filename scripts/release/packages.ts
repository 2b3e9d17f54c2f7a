/** The packages of a release: for each kind of machine a .deb and an .rpm, and a repository for apt. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { aptRepository } from "./apt.ts";
import { packageOf, type Source } from "./contents.ts";
import { type Deb, makeDeb } from "./deb.ts";
import type { Piece } from "./gzip.ts";
import type { PgpKey } from "./openpgp.ts";
import { makeRpm } from "./rpm.ts";

/** What the distributions call the machine of a target. Those with musl have other packages. */
export const architectures: Readonly<Record<string, { readonly deb: string; readonly rpm: string }>> = {
	"linux-x64-glibc": { deb: "amd64", rpm: "x86_64" },
	"linux-arm64-glibc": { deb: "arm64", rpm: "aarch64" },
};

export class Packages {
	readonly #debs = new Map<string, Deb>();

	/** @param folder the release's; the packages go to apt/ and rpm/ in it */
	constructor(
		private readonly folder: string,
		private readonly source: Source,
		private readonly key: PgpKey | null,
	) {}

	#write(path: string, bytes: Buffer): void {
		const full = join(this.folder, path);
		mkdirSync(dirname(full), { recursive: true });
		writeFileSync(full, bytes);
	}

	/** Makes the packages of a target; of one that is not packaged none. */
	async add(target: string, executable: Piece): Promise<void> {
		const names = architectures[target];
		if (names === undefined) return;
		this.#debs.set(names.deb, await makeDeb(await packageOf("deb", this.source, executable), names.deb));
		const rpm = await makeRpm(await packageOf("rpm", this.source, executable), names.rpm, this.key);
		this.#write(`rpm/${rpm.name}`, rpm.bytes);
		if (this.key !== null) this.#write("rpm/portward.asc", Buffer.from(this.key.publicKey));
	}

	/** The repository for apt, over all that was added. @param expires YYYY-MM-DD */
	async finish(expires: string): Promise<void> {
		if (this.#debs.size === 0) return;
		const debs = new Map([...this.#debs].sort(([a], [b]) => (a < b ? -1 : 1)));
		for (const { path, bytes } of await aptRepository(debs, this.source.date, expires, this.key)) {
			this.#write(`apt/${path}`, bytes);
		}
	}
}
