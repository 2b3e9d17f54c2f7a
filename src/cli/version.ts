import { type Command, exit } from "./command.ts";
import { prettyJson } from "./json.ts";
import { parseOnlyOptions } from "./options.ts";
import { jsonOption } from "./outcome.ts";

/** Replaced by build.ts; running from source there is no such constant. */
declare const BUILD: { readonly version: string; readonly commit: string } | undefined;

/** Version and commit of this executable; "source" when it was not built. */
export const build: { readonly version: string; readonly commit: string } =
	typeof BUILD === "undefined" ? { version: "0.0.0", commit: "source" } : BUILD;

export const version: Command = {
	name: "version",
	summary: "print the version",
	help: `Usage: portward version [--json]

Prints version, commit, architecture and runtime.

  --json  print {version, commit, platform, architecture, runtime}
`,
	async run(args, io) {
		const { json } = parseOnlyOptions(args, jsonOption);
		const { arch, platform } = process;
		if (json) {
			io.out(prettyJson({ ...build, platform, architecture: arch, runtime: `bun ${Bun.version}` }));
			return exit.ok;
		}
		io.out(`portward ${build.version} (${build.commit}) linux/${arch} bun ${Bun.version}\n`);
		return exit.ok;
	},
};
