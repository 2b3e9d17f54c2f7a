/** What libraries ask for and portward never runs stays out of the executable. */

import { leftOut } from "./release-lock.ts";

/**
 * Files of grpc-js that make its clients, and ask for nearly all of it. The server asks for them in channelz and ORCA
 * alone, behind proto-loader, which is left out too: without that nothing of them can be used.
 */
const clientFiles = /^\.\/(?:make-client|channel-credentials)$/;
const grpcFile = /\/@grpc\/grpc-js\/build\/src\/[^/]+$/;

/**
 * Puts modules that throw into the places of packages that are left out whole, at the first that is asked of them, and
 * of what only gRPC's clients need. The latter are loaded where the server is, so they throw when something of theirs
 * is used.
 */
export const withoutUnused: Bun.BunPlugin = {
	name: "without what is left out",
	setup(build) {
		build.onResolve({ filter: new RegExp(`^(?:${leftOut.join("|")})$`) }, ({ path }) => ({
			path,
			namespace: "left-out",
		}));
		build.onResolve({ filter: clientFiles }, ({ path, importer }) =>
			grpcFile.test(importer) ? { path: `grpc-js ${path}`, namespace: "left-out" } : undefined,
		);
		build.onLoad({ filter: /./, namespace: "left-out" }, ({ path }) => ({
			contents: `module.exports = new Proxy({}, { get() { throw new Error(${JSON.stringify(`${path} is left out of this build`)}); } });`,
			loader: "js",
		}));
	},
};
