/** `portward usb list`: a tree by port. */

import * as v from "valibot";
import { escapeForTerminal } from "../../base/terminal.ts";
import { usbClassName } from "../../enforcers/usb/class.ts";
import { functionPlace } from "../../enforcers/usb/compile/reason.ts";
import { presentDevices, sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import { exit, type Io } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";
import { commandSettings } from "../stand-in-settings.ts";
import { ask, parseJson } from "../status/client.ts";

const deviceShape = v.looseObject({
	port: v.string(),
	level: v.number(),
	vendorId: v.string(),
	productId: v.string(),
	manufacturer: v.nullable(v.string()),
	product: v.nullable(v.string()),
	serial: v.nullable(v.string()),
	state: v.string(),
	reason: v.nullable(v.string()),
	odd: v.array(v.string()),
	descriptorsHash: v.nullable(v.string()),
	allowedUntil: v.nullable(v.string()),
	functions: v.array(
		v.looseObject({
			interface: v.nullable(v.number()),
			configurations: v.array(v.number()),
			alternate: v.nullable(v.number()),
			className: v.string(),
			subClass: v.number(),
			protocol: v.number(),
			action: v.nullable(v.string()),
			refused: v.boolean(),
			reason: v.string(),
			policy: v.nullable(v.string()),
			driver: v.nullable(v.string()),
		}),
	),
});
const listShape = v.object({ devices: v.array(deviceShape) });
type ListedDevice = v.InferOutput<typeof deviceShape>;

/** `root` is where sysfs is mounted. */
export async function usbList(args: readonly string[], io: Io, root = sysfsRoot): Promise<number> {
	const values = parseOnlyOptions(args, {
		json: { type: "boolean" },
		blocked: { type: "boolean" },
		config: { type: "string" },
		"status-address": { type: "string" },
	});
	const reply = await ask(
		commandSettings(values, io),
		values["status-address"] !== undefined,
		"/v1/usb/devices",
		io.signal,
	);
	const document = reply.ok ? parseJson(await reply.response.text()) : null;
	const parsed = v.safeParse(listShape, document);
	if (reply.ok && !parsed.success) {
		io.error("portward: what answers there sent no list of devices; is it portward, and of this version?\n");
		return exit.failure;
	}
	const all = parsed.success ? parsed.output.devices : fromKernel(root);
	const devices = values.blocked ? (all?.filter(isBlocked) ?? null) : all;
	if (!reply.ok) {
		io.error(`portward: ${escapeForTerminal(reply.message)}; this is what the kernel shows\n`);
		if (devices === null) io.error("portward: the kernel shows no USB (/sys/bus/usb is not there)\n");
	}
	if (devices === null) return exit.failure;
	const none = values.blocked
		? "no USB device is refused, nor a function of one\n"
		: "there is no USB device\n";
	if (values.json) io.out(prettyJson({ devices }));
	else io.out(devices.length === 0 ? none : describe(devices));
	return exit.ok;
}

/** Something of it is refused, now or in a configuration that is not in force. */
function isBlocked({ state, functions }: ListedDevice): boolean {
	return state === "refused" || functions.some((item) => item.refused);
}

/** What can be said without a daemon. */
function fromKernel(root: string): ListedDevice[] | null {
	const hex = (id: number) => id.toString(16).padStart(4, "0");
	const present = presentDevices(root);
	if (present === null) return null;
	return present.map(({ authorized, device, interfaces }) => {
		const { port, level, descriptors, manufacturer, product, serial, descriptorsHash } = device;
		const inForce = interfaces[0]?.configuration ?? null;
		const functions = descriptors.configurations.flatMap(({ value, interfaces: own }) =>
			own.map((item) => {
				const bound = interfaces.find(
					({ configuration, number }) => configuration === value && number === item.number,
				);
				// Of a configuration that is not in force nobody but the policies knows.
				const refused = !authorized || (value === inForce && !(bound?.authorized ?? false));
				return {
					interface: item.number,
					configurations: [value],
					alternate: item.alternate,
					className: usbClassName(item.class),
					subClass: item.subClass,
					protocol: item.protocol,
					action: null,
					refused,
					reason: "",
					policy: null,
					driver: bound?.driver ?? null,
				};
			}),
		);
		return {
			port,
			level,
			vendorId: hex(descriptors.vendorId),
			productId: hex(descriptors.productId),
			manufacturer,
			product,
			serial,
			state: authorized ? "authorized" : "refused",
			reason: null,
			odd:
				descriptors.malformed === null ? [...descriptors.odd] : [descriptors.malformed, ...descriptors.odd],
			descriptorsHash,
			allowedUntil: null,
			functions,
		};
	});
}

function describe(devices: readonly ListedDevice[]): string {
	const lines = devices.flatMap((device) => {
		const indent = "  ".repeat(device.level);
		const name = [device.manufacturer, device.product]
			.filter((text) => text !== null && text !== "")
			.join(" ");
		const serial = device.serial === null ? "" : ` (${device.serial})`;
		const until = device.allowedUntil === null ? null : `allowed until ${device.allowedUntil}`;
		const reasons = [until ?? device.reason].filter((text) => text !== null);
		const why = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
		const head = `${indent}${device.port}  ${device.vendorId}:${device.productId} ${name}${serial}: ${device.state}${why}`;
		if (device.level === 0) return [head];
		return [
			head,
			...device.odd.map((remark) => `${indent}    odd: ${remark}`),
			...device.functions.map((item) => `${indent}    ${describeFunction(item)}`),
		];
	});
	return `${lines.map(escapeForTerminal).join("\n")}\n`;
}

function describeFunction(item: ListedDevice["functions"][number]): string {
	const what = `${functionPlace(item)}: ${item.className} ${item.subClass}/${item.protocol}`;
	const verdict =
		item.action === null ? "" : `, ${item.action}${item.policy === null ? "" : ` by ${item.policy}`}`;
	const driver = item.driver === null ? "" : `, ${item.driver}`;
	const refused = item.reason === "" ? ", refused" : `, ${item.reason}`;
	return `${what}${verdict}${item.refused ? refused : driver}`;
}
