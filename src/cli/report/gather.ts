/** Reads what a report is about: the daemon, its alerts, the policies on disk, and what listens. Changes nothing. */

import { statSync } from "node:fs";
import { hostname } from "node:os";
import * as v from "valibot";
import { formatCidr } from "../../base/cidr.ts";
import type { Config } from "../../config/model.ts";
import type { NetworkModel } from "../../enforcers/network/compile/program.ts";
import { Exposure } from "../../enforcers/network/compile/verdict/exposure.ts";
import { bootPath } from "../../enforcers/network/run/boot-state.ts";
import { modelsIn } from "../../engine/testing/models.ts";
import { readLinks } from "../../kernel/links.ts";
import { type Listener, listeners } from "../../kernel/listeners.ts";
import { socketHolders } from "../../kernel/socket-holders.ts";
import { distrustDirectory } from "../../source/held-directory.ts";
import { alertHistory, joinAlerts } from "../status/alert-history.ts";
import { ask, parseJson } from "../status/client.ts";
import { type Status, statusShape } from "../status/status-text.ts";
import { wholeStatus } from "../status/whole-status.ts";
import { build } from "../version.ts";
import type { Facts, Read, ToldAlert } from "./facts.ts";

/** Alerts that are looked through. */
const mostAlerts = 1_000_000;

export async function gather(config: Config, signal: AbortSignal): Promise<Facts> {
	const models = modelsIn(config.policyDir)(config);
	const meaning: Facts["meaning"] = models.ok
		? { ok: true, value: models }
		: { ok: false, reason: models.diagnostics[0]?.message ?? "the policies cannot be read" };
	return {
		time: new Date().toISOString(),
		host: hostname(),
		version: build.version,
		config,
		status: await readStatus(config, signal),
		alerts: await readAlerts(config, signal),
		meaning,
		exposed: meaning.ok ? exposed(meaning.value.network) : meaning,
		saved: savedAt(config.stateDir),
		distrust: distrustDirectory(config.policyDir, config.policyDir),
	};
}

async function readStatus(config: Config, signal: AbortSignal): Promise<Read<Status>> {
	const reply = await wholeStatus((path) => ask(config, false, path, signal));
	if (!reply.ok) return { ok: false, reason: reply.message };
	const parsed = v.safeParse(statusShape, reply.document);
	return parsed.success
		? { ok: true, value: parsed.output }
		: { ok: false, reason: "what answers sent no status document of this version" };
}

const alertShape = v.looseObject({
	UpdatedTime: v.string(),
	Tags: v.optional(v.string(), ""),
	Operation: v.optional(v.string(), ""),
	Action: v.string(),
	Result: v.optional(v.string(), ""),
	Resource: v.string(),
	PolicyName: v.string(),
	Message: v.string(),
	EventData: v.optional(v.record(v.string(), v.string()), {}),
});

async function readAlerts(config: Config, signal: AbortSignal): Promise<Facts["alerts"]> {
	const history = alertHistory(config.alerts, { policy: undefined, action: undefined, limit: mostAlerts });
	const reply = await ask(config, false, `/v1/alerts?limit=${mostAlerts}`, signal);
	if (!reply.ok && history === null) return { ok: false, reason: reply.message };
	const answer = reply.ok ? parseJson(await reply.response.text()) : { alerts: [] };
	const parsed = v.safeParse(v.object({ alerts: v.array(v.unknown()) }), answer);
	const remembered = parsed.success ? parsed.output.alerts.toReversed() : [];
	return { ok: true, value: joinAlerts(history ?? [], remembered).flatMap(told) };
}

function told(alert: unknown): ToldAlert[] {
	const parsed = v.safeParse(alertShape, alert);
	if (!parsed.success) return [];
	const { UpdatedTime, Tags, Operation, Action, Result, Resource, PolicyName, Message, EventData } =
		parsed.output;
	return [
		{
			...{ time: UpdatedTime, tags: Tags, operation: Operation, action: Action, result: Result },
			...{ resource: Resource, policy: PolicyName, message: Message, data: EventData },
		},
	];
}

/** Blocks that a line has room for. */
const mostBlocks = 8;

function exposed(model: NetworkModel): Facts["exposed"] {
	const read = listeners();
	if (!read.ok) return { ok: false, reason: `the kernel does not say what listens: ${read.error}` };
	const open = read.listeners.filter(({ address }) => !/^(?:::ffff:)?127\.|^::1$/u.test(address));
	const holders = socketHolders(new Set(open.map(({ inode }) => inode)));
	const asked = new Exposure(model, open.flatMap(portsOf));
	const links = readLinks();
	const names = links.ok
		? links.links.filter(({ name, master }) => name !== "lo" && (master === null || master.kind === "vrf"))
		: [];
	const lines = open.map((listener) => {
		const own = names.filter(({ index }) => [0, index].includes(listener.interfaceIndex));
		const holder = holders.get(listener.inode);
		const who = holder?.unit ?? (holder === undefined ? "somebody" : `${holder.process} (${holder.pid})`);
		const address = listener.address.includes(":") ? `[${listener.address}]` : listener.address;
		const reach = (own.length === 0 ? [""] : own.map(({ name }) => name)).map((name) => ({
			name,
			from: reachText(asked, name, listener),
		}));
		const texts = new Set(reach.map(({ from }) => from));
		const [only] = texts;
		const from =
			texts.size === 1 && only !== undefined
				? only
				: reach.map((one) => `${one.from} on ${one.name}`).join("; ");
		return `${who} listens on ${listener.protocol} ${address}:${listener.port}; reachable ${from}`;
	});
	return { ok: true, value: [...new Set(lines)] };
}

function portsOf({ protocol, families, port }: Listener) {
	return families.map((family) => ({ protocol, family, port }));
}

function reachText(asked: Exposure, name: string, listener: Listener): string {
	const blocks = portsOf(listener).flatMap((port) => {
		const found = asked.blocks(name, port);
		return found === "any" ? [`anywhere (IPv${port.family})`] : found.map(formatCidr);
	});
	if (blocks.length === 0) return "by nobody";
	const more = blocks.length - mostBlocks;
	return `from ${blocks.slice(0, mostBlocks).join(", ")}${more > 0 ? ` and ${more} more blocks` : ""}`;
}

function savedAt(stateDir: string): string | null {
	try {
		return statSync(bootPath(stateDir)).mtime.toISOString();
	} catch {
		return null;
	}
}
