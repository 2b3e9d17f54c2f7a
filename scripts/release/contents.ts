/** What the packages put where, from the sources. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allCommands } from "../../src/cli/commands.ts";
import { bashScript } from "../../src/cli/completion/bash.ts";
import { fishScript } from "../../src/cli/completion/fish.ts";
import { completedCommands } from "../../src/cli/completion/tables.ts";
import { zshScript } from "../../src/cli/completion/zsh.ts";
import { type Entry, maintainer, type Package, packageVersion } from "./entry.ts";
import { compress, type Piece } from "./gzip.ts";

export type Format = "deb" | "rpm";

/** Everything that the packages of a release have in common. */
export interface Source {
	/** Folder of the checkout. */
	readonly root: string;
	readonly version: string;
	/** Seconds since 1970. */
	readonly date: number;
	/** Licences: name of the file to its path, relative to `root`. */
	readonly licences: ReadonlyMap<string, string>;
	/** SPDX expression of all that is inside. */
	readonly license: string;
}

/** What a config that is newly written says of containers: as install.sh has it. */
const guests = `
# New installations: policies hold for containers and other guests too, for the ports that they publish and for what
# they send. With audit alerts tell what would be refused, and nothing is.
guests:
  forwarded: enforce
`;

const summary = "guard of this host's network and USB ports";
const description = [
	"Portward reads the policies that KubeArmor users write from a directory, and the kernel enforces them: nftables " +
		"for packets, authorization for USB devices. Alerts, metrics and a status page tell what was refused.",
	"Without policies nothing is blocked. Rules that are in force stay so over upgrades, restarts and reboots; removing " +
		"the package releases them.",
];

const units = ["portward.service", "portward-restore.service", "nftables.service.d/portward.conf"];
const shells = {
	bash: { deb: "bash-completion/completions/portward", rpm: "bash-completion/completions/portward" },
	zsh: { deb: "zsh/vendor-completions/_portward", rpm: "zsh/site-functions/_portward" },
	fish: { deb: "fish/vendor_completions.d/portward.fish", rpm: "fish/vendor_completions.d/portward.fish" },
} as const;

async function completions(): Promise<Record<keyof typeof shells, string>> {
	const commands = allCommands(() => {
		throw new Error("a release starts no daemon");
	});
	const completed = await completedCommands(commands);
	return {
		bash: bashScript(completed),
		zsh: zshScript(completed, commands),
		fish: fishScript(completed, commands),
	};
}

function debianChangelog({ version, date }: Source): string {
	const day = new Date(1000 * date).toUTCString().replace("GMT", "+0000");
	return `portward (${packageVersion(version)}) stable; urgency=medium

  * Release ${version}: changelog.gz says what is new.

 -- ${maintainer}  ${day}
`;
}

/** @param executable for the package's architecture */
export async function packageOf(format: Format, source: Source, executable: Piece): Promise<Package> {
	const { root, version, date } = source;
	const read = (path: string): Buffer => readFileSync(join(root, path));
	const file = (path: string, bytes: Buffer | string, more: Partial<Entry> = {}): Entry => ({
		path,
		mode: 0o644,
		content: { bytes: Buffer.from(bytes) },
		...more,
	});
	const directory = (path: string, mode = 0o755): Entry => ({ path, mode });
	const doc = { kind: "doc" } as const;
	const documents = "/usr/share/doc/portward";
	const licences = format === "deb" ? `${documents}/licenses` : "/usr/share/licenses/portward";
	const scripts = await completions();
	const samples = [...new Bun.Glob("*/*.yaml").scanSync({ cwd: join(root, "policies") })].sort();
	const folders = new Set(samples.map((name) => `${documents}/policies/${name.slice(0, name.indexOf("/"))}`));
	const own = [
		documents,
		`${documents}/policies`,
		...folders,
		`${documents}/selinux`,
		licences,
		"/usr/lib/portward",
	];
	const entries: Entry[] = [
		{ path: "/usr/bin/portward", mode: 0o755, content: executable },
		file("/usr/lib/portward/package.sh", read("packaging/package.sh")),
		...units.map((name) =>
			file(
				`/usr/lib/systemd/system/${name}`,
				read(`packaging/systemd/${name}`).toString().replaceAll("/usr/local/bin", "/usr/bin"),
			),
		),
		file("/etc/portward/config.yaml", read("packaging/config.yaml") + guests, { config: true }),
		directory("/etc/portward"),
		directory("/etc/portward/policies"),
		directory("/var/lib/portward", 0o700),
		...own.map((path) => directory(path)),
		directory("/usr/lib/systemd/system/nftables.service.d"),
		...(Object.keys(shells) as (keyof typeof shells)[]).map((shell) =>
			file(`/usr/share/${shells[shell][format]}`, scripts[shell]),
		),
		...samples.map((name) => file(`${documents}/policies/${name}`, read(`policies/${name}`), doc)),
		...["te", "fc", "if"].map((suffix) =>
			file(`${documents}/selinux/portward.${suffix}`, read(`packaging/selinux/portward.${suffix}`), doc),
		),
		...[...source.licences].map(([name, path]) =>
			file(`${licences}/${name}`, read(path), { kind: "licence" }),
		),
		file(`${documents}/changelog.gz`, await compress(read("CHANGELOG.md")), doc),
		...(existsSync(join(root, "packaging/portward.8"))
			? [file("/usr/share/man/man8/portward.8.gz", await compress(read("packaging/portward.8")), doc)]
			: []),
	];
	if (format === "deb") {
		const log = await compress(Buffer.from(debianChangelog(source)));
		entries.push(
			file(`${documents}/changelog.Debian.gz`, log),
			file(`${documents}/copyright`, read("packaging/deb/copyright")),
			file("/usr/share/lintian/overrides/portward", read("packaging/deb/lintian-overrides")),
		);
	}
	const names = readdirSync(join(root, "packaging", format)).filter((name) => scriptNames.has(name));
	return {
		version,
		license: source.license,
		summary,
		description,
		date,
		entries,
		scripts: Object.fromEntries(
			names.sort().map((name) => [name, read(`packaging/${format}/${name}`).toString()]),
		),
	};
}

const scriptNames = new Set(["preinst", "postinst", "prerm", "postrm", "pre", "post", "preun", "postun"]);
