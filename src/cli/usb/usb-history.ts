/** `portward usb history`: the USB devices that came, of the running daemon or as the last one left them on the disk. */

import * as v from "valibot";
import { escapeForTerminal } from "../../base/terminal.ts";
import { functionPlace } from "../../enforcers/usb/compile/reason.ts";
import { type SeenDevicesJson, seenDevicesJson } from "../../enforcers/usb/history/seen-device.ts";
import { readSeenDevices } from "../../enforcers/usb/run/history-keeper.ts";
import { exit, type Io } from "../command.ts";
import { parseSince } from "../journey/since.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { ask, parseJson } from "../status/client.ts";

const text = v.nullable(v.string());
const time = v.pipe(v.string(), v.isoTimestamp());
const historyShape = v.object({
	since: time,
	devices: v.array(
		v.object({
			vendorId: v.string(),
			productId: v.string(),
			manufacturer: text,
			product: text,
			serial: text,
			port: v.string(),
			level: v.number(),
			connectType: v.string(),
			descriptorsHash: text,
			malformed: text,
			state: v.picklist(["authorized", "partial", "refused"]),
			reason: text,
			functions: v.array(
				v.object({
					interface: v.nullable(v.number()),
					alternate: v.nullable(v.number()),
					configurations: v.array(v.number()),
					class: v.number(),
					className: v.string(),
					subClass: v.number(),
					protocol: v.number(),
					action: v.picklist(["Allow", "Audit", "Block"]),
					policy: text,
					refused: v.boolean(),
					reason: v.string(),
				}),
			),
			count: v.number(),
			firstSeen: time,
			lastSeen: time,
			present: v.boolean(),
		}),
	),
	lost: v.number(),
});

export async function usbHistory(args: readonly string[], io: Io): Promise<number> {
	const values = parseOnlyOptions(args, {
		json: { type: "boolean" },
		since: { type: "string" },
		config: { type: "string" },
		"state-dir": { type: "string" },
		"status-address": { type: "string" },
	});
	const since = parseSince(values.since, Date.now());
	const config = commandSettings(values, io);
	const reply = await ask(config, values["status-address"] !== undefined, "/v1/usb/history", io.signal);
	if (!reply.ok && reply.absent !== true) return fail(io, reply.message);
	let history: SeenDevicesJson;
	if (reply.ok) {
		const parsed = v.safeParse(historyShape, parseJson(await reply.response.text()));
		if (!parsed.success)
			return fail(io, "what answers there sent no USB devices; is it portward, and of this version?");
		history = parsed.output;
	} else {
		const kept = readSeenDevices(config.stateDir);
		if (!kept.ok) return fail(io, `${reply.message} ${kept.message}`);
		io.error(`portward: ${escapeForTerminal(reply.message)}; this is what it kept\n`);
		if (kept.problem !== "") io.error(`portward: ${escapeForTerminal(kept.problem)}\n`);
		history = seenDevicesJson(kept.seen);
	}
	const asked = since === null ? history : lastSeenSince(history, since);
	io.out(values.json ? prettyJson(asked) : describe(asked));
	return exit.ok;
}

function fail(io: Io, message: string): number {
	io.error(`portward: ${escapeForTerminal(message)}\n`);
	return exit.failure;
}

function lastSeenSince(history: SeenDevicesJson, since: number): SeenDevicesJson {
	return {
		...history,
		since: new Date(Math.max(Date.parse(history.since), since)).toISOString(),
		devices: history.devices.filter(({ lastSeen }) => Date.parse(lastSeen) >= since),
	};
}

function describe({ since, devices, lost }: SeenDevicesJson): string {
	if (devices.length === 0) return `no USB device was seen since ${since}\n`;
	const lines = devices.flatMap((device) => {
		const name = [device.manufacturer, device.product]
			.filter((part) => part !== null && part !== "")
			.join(" ");
		const serial = device.serial === null ? "" : ` (${device.serial})`;
		const ids = `${device.vendorId}:${device.productId}`;
		const why = device.reason === null ? "" : ` (${device.reason})`;
		const times = device.count === 1 ? "once" : `${device.count} times`;
		const until = device.present ? "there now" : `last ${device.lastSeen}`;
		return [
			`${device.port}  ${ids} ${name}${serial}: ${device.state}${why}`,
			`    ${times}, first ${device.firstSeen}, ${until}`,
			...device.functions.map((item) => `    ${describeFunction(item)}`),
		];
	});
	if (lost > 0) lines.push(`${lost} devices more were too many to be kept`);
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

function describeFunction(item: SeenDevicesJson["devices"][number]["functions"][number]): string {
	const by = item.policy === null ? "" : ` by ${item.policy}`;
	const refused = item.refused ? `, ${item.reason}` : "";
	return `${functionPlace(item)}: ${item.className} ${item.subClass}/${item.protocol}, ${item.action}${by}${refused}`;
}
