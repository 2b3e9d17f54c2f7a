import { afterEach, expect, test } from "bun:test";
import { formatListenAddress } from "../../../src/serve/http/address.ts";
import type { HttpServer } from "../../../src/serve/http/server.ts";
import {
	largeGeneration,
	rolledBackGeneration,
	sampleGeneration,
} from "../../report/generations/sample-generations.ts";
import { sampleSource, sampleState } from "../../report/sample.ts";
import { serve } from "../../serve/http/wire.ts";
import { violations } from "../../support/json-schema.ts";
import { portward } from "../support/portward.ts";

const running: { stop(force?: boolean): unknown }[] = [];
afterEach(() => {
	for (const server of running.splice(0)) server.stop(true);
});

async function ask(generations: readonly (typeof sampleGeneration)[], ...args: readonly string[]) {
	const { source } = sampleSource(() => sampleState({ generations }));
	const served: { readonly server: HttpServer } = await serve(source);
	running.push(served.server);
	const address = formatListenAddress(served.server.address);
	return portward("history", "--config", "/dev/null", "--status-address", address, ...args);
}

test("the changes are told, newest last, in words that no terminal obeys", async () => {
	const hostile = { ...largeGeneration, problem: "too\u001b[2J large" };
	const { code, out, error } = await ask([sampleGeneration, rolledBackGeneration, hostile]);
	expect([code, error]).toEqual([0, ""]);
	const lines = out.split("\n");
	expect(lines[0]).toBe("2026-02-23T04:31:35.104Z  too\\x1b[2J large");
	expect(lines).toContain("  took change 0123456789abcdef back");
	expect(lines).toContain("    Allow → Block: ingress tcp 443 on eth0 from 192.0.2.0/24 and 2 more");
	expect((await ask([])).out).toBe("the policies did not change yet\n");
});

test("as JSON they are what the daemon answers", async () => {
	const { code, out } = await ask([sampleGeneration], "--json");
	const document: unknown = JSON.parse(out);
	expect([code, violations(document, "history")]).toEqual([0, []]);
	expect(document).toEqual({ generations: [sampleGeneration] });
});

test("what sends no history is named, and so is nobody who answers", async () => {
	const stranger = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("{}") });
	running.push(stranger);
	const asked = (address: string) =>
		portward("history", "--config", "/dev/null", "--status-address", address);
	const { code, error } = await asked(`127.0.0.1:${stranger.port}`);
	expect([code, error]).toEqual([1, expect.stringContaining("sent no history")]);
	expect((await asked("127.0.0.1:1")).code).toBe(1);
});
