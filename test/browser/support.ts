/** A page of a state in a browser, for tests that close both. */

import type { EnforcerReport } from "../../src/report/contribution.ts";
import { flowsPath } from "../../src/report/page/flows-section.ts";
import { jsonReply } from "../../src/report/reply.ts";
import type { AlertSink } from "../../src/report/sinks/alert-sink.ts";
import type { DaemonState } from "../../src/report/status.ts";
import type { HttpServer } from "../../src/serve/http/server.ts";
import { sampleSource, sampleState } from "../report/sample.ts";
import { serve, url } from "../serve/http/wire.ts";
import { eventually, openPage, type Page, type PageOptions } from "./chromium.ts";

export const hostile = `"><script>window.owned=1</script><img src=x onerror="window.owned=1"><svg/onload=window.owned=1>'\${window.owned=1}`;

const pages: Page[] = [];
const servers: HttpServer[] = [];

/** For afterEach. */
export async function closeAll(): Promise<void> {
	for (const page of pages.splice(0)) await page.close();
	for (const server of servers.splice(0)) server.stop();
}

export interface Opened {
	readonly page: Page;
	readonly sink: AlertSink;
	readonly server: HttpServer;
}

export async function openState(state: () => DaemonState, options: PageOptions = {}): Promise<Opened> {
	const { source, sink } = sampleSource(state);
	const { server } = await serve(source);
	servers.push(server);
	const page = await openPage(url(server, "/"), options);
	pages.push(page);
	await eventually(async () => (await page.evaluate("live.textContent")) === "live");
	return { page, sink, server };
}

/** The sample with flows that an enforcer answers; null where none does. */
export function stateWithFlows(flows: (() => object) | null): DaemonState {
	const state = sampleState();
	const answer = flows === null ? [] : [{ path: flowsPath, reply: () => jsonReply(200, flows()) }];
	const enforcers = state.enforcers.map((enforcer): EnforcerReport => {
		const others = enforcer.routes.filter(({ path }) => path !== flowsPath);
		return { ...enforcer, routes: enforcer.name === "network" ? [...others, ...answer] : others };
	});
	return { ...state, enforcers };
}
