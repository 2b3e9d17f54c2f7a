/** What is left out is not there, and says so where something of it is used after all. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { withoutUnused } from "../../scripts/unused.ts";

const root = resolve(import.meta.dir, "../..");
const grpc = join(root, "node_modules/@grpc/grpc-js/build/src");

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-unused-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Builds `entry` without what is left out, to one file, and says what went into it. */
async function bundle(entry: string): Promise<{ readonly file: string; readonly inputs: readonly string[] }> {
	const { outputs, metafile } = await Bun.build({
		entrypoints: [entry],
		target: "bun",
		outdir: join(directory, "out"),
		plugins: [withoutUnused],
		metafile: true,
	});
	return { file: outputs[0]?.path ?? "", inputs: Object.keys(metafile?.inputs ?? {}) };
}

test("the thread that serves gRPC has the server of grpc-js and nothing that only a client needs", async () => {
	const { inputs } = await bundle(join(root, "src/serve/grpc/grpc.worker.ts"));
	const files = inputs.flatMap((path) => /\/@grpc\/grpc-js\/build\/src\/(.+)$/.exec(path)?.[1] ?? []);
	expect(files).toContain("server.js");
	expect(files).toContain("server-interceptors.js");
	expect(
		files.filter((file) => /client|resolving|load-bal|transport|subchannel\.|^index/.test(file)),
	).toEqual([]);
});

test.each([
	["channelz", `require("${grpc}/channelz.js").getChannelzServiceDefinition()`, "@grpc/proto-loader"],
	["ORCA", `new (require("${grpc}/orca.js").PerRequestMetricRecorder)().serialize()`, "@grpc/proto-loader"],
	[
		"a client",
		`new (require("${grpc}/channel.js").ChannelImplementation)("unix:/x", {}, {})`,
		"grpc-js ./channel-credentials",
	],
])("%s says that it is left out", async (_, asked, missing) => {
	const entry = join(directory, "entry.js");
	writeFileSync(
		entry,
		`try { ${asked}; console.log("went well"); } catch (error) { console.log(error.message); }`,
	);
	const { file } = await bundle(entry);
	const { stdout } = Bun.spawnSync([process.execPath, file], { env: {} });
	expect(stdout.toString()).toBe(`${missing} is left out of this build\n`);
});
