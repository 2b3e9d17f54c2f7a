import { type Command, exit } from "./command.ts";
import { parseOnlyOptions } from "./options.ts";

/** Replaced by build.ts; running from source there is no such constant. */
declare const BUILD: { readonly version: string; readonly commit: string } | undefined;

/** Version and commit of this executable; "source" when it was not built. */
export const build: { readonly version: string; readonly commit: string } =
	typeof BUILD === "undefined" ? { version: "0.0.0", commit: "source" } : BUILD;

export const version: Command = {
	name: "version",
	summary: "print the version",
	help: "Usage: portward version\n\nPrints version, commit, architecture and runtime.\n",
	async run(args, io) {
		parseOnlyOptions(args, {});
		io.out(`portward ${build.version} (${build.commit}) linux/${process.arch} bun ${Bun.version}\n`);
		return exit.ok;
	},
};
