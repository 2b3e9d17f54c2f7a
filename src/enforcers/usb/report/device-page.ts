/** The USB part of the status page. */

import { escapeForTerminal } from "../../../base/terminal.ts";
import { type Html, html, trusted } from "../../../report/page/html.ts";
import { directionMode, enforcerCard, facts } from "../../../report/page/parts.ts";
import { functionPlace } from "../compile/reason.ts";
import type { DeviceCondition, DeviceStatus, FunctionStatus, UsbEnforcerState } from "./device-status.ts";

/** Devices listed; a host with more reads /v1/usb/devices. */
const mostDevices = 200;
/** Functions listed for one device. */
const mostFunctions = 16;
/** UTF-16 units of one of a device's strings. */
const longestString = 128;

const tones: Readonly<Record<DeviceCondition, string>> = {
	authorized: "good",
	partial: "warn",
	refused: "bad",
	pending: "warn",
};

export function usbCards(usb: UsbEnforcerState): Html[] {
	const lock = facts([
		["New devices", usb.locked ? "refused until judged" : "authorized by the kernel"],
		["Mode", directionMode(usb.allowlistMode, usb.posture)],
		["Events", usb.backend ?? "none"],
	]);
	return [enforcerCard("USB", usb, usb.state === "active" ? [lock] : [])];
}

/** Devices that are plugged in, by the hub that they hang on; root hubs are part of the machine. */
export function usbSection(devices: readonly DeviceStatus[]): Html {
	const plugged = devices.filter(({ level }) => level > 0).toSorted(byPort);
	if (plugged.length === 0) return html``;
	const told = plugged.slice(0, mostDevices);
	const known = new Set(told.map(({ port }) => port));
	const below = Map.groupBy(told, ({ port }) => hubOf(port, known));
	const hubs = devices.filter(({ level }) => level === 0);
	const items = [...below.keys()]
		.filter((hub) => !known.has(hub))
		.map((bus) => {
			const hub = hubs.find(({ port }) => port === bus);
			const name = hub === undefined ? "" : nameOf(hub);
			return html`<li><span class="hub">${bus} <span class="place">${shown(name)}</span></span>${branch(bus, below)}</li>`;
		});
	const rest = plugged.length - told.length;
	const note = rest > 0 ? html`<p class="empty">${rest} more in /v1/usb/devices.</p>` : html``;
	return html`<section id="usb"><div class="title"><h2>USB devices</h2><small>by the hub that they hang on</small></div><ul class="tree">${items}</ul>${note}</section>`;
}

/** The next device on the way to the controller that is told, or the bus. */
function hubOf(port: string, known: ReadonlySet<string>): string {
	for (let end = port.lastIndexOf("."); end > 0; end = port.lastIndexOf(".", end - 1)) {
		const hub = port.slice(0, end);
		if (known.has(hub)) return hub;
	}
	return `usb${port.split("-", 1)[0]}`;
}

const natural = new Intl.Collator("en", { numeric: true });

function byPort(a: DeviceStatus, b: DeviceStatus): number {
	return natural.compare(a.port, b.port);
}

/** What hangs on a hub. */
function branch(hub: string, below: ReadonlyMap<string, readonly DeviceStatus[]>): Html {
	const devices = below.get(hub) ?? [];
	if (devices.length === 0) return html``;
	return html`<ul>${devices.map((device, place) => {
		const first = devices.findIndex(({ port }) => port === device.port) === place;
		return html`<li>${deviceItem(device)}${first ? branch(device.port, below) : html``}</li>
`;
	})}</ul>`;
}

function nameOf({ manufacturer, product }: DeviceStatus): string {
	return [manufacturer, product].filter((text) => text !== null).join(" ");
}

function deviceItem(device: DeviceStatus): Html {
	const { functions } = device;
	const items = functions.slice(0, mostFunctions).map(functionItem);
	const more = functions.length - items.length;
	if (more > 0) items.push(html`<li>and ${more} more</li>`);
	const remarks = [device.reason, ...device.odd, device.error === "" ? null : device.error]
		.filter((text) => text !== null)
		.map((text) => html`<code class="place">${shown(text)}</code>`);
	if (device.allowedUntil !== null)
		remarks.push(html`<code class="place">allowed until ${shown(device.allowedUntil)}</code>`);
	return html`<div class="device"><strong>${device.port}</strong> ${shown(nameOf(device))} <span class="badge ${trusted(tones[device.state])}">${device.state}</span><code class="place">${device.vendorId}:${device.productId} ${shown(device.serial ?? "")}</code>${remarks}<ul class="functions" aria-label="Functions">${items}</ul></div>`;
}

function functionItem(item: FunctionStatus): Html {
	const tone = trusted(item.refused ? "bad" : item.action === "Audit" ? "warn" : "good");
	const by = item.policy === null ? "" : ` by ${shown(item.policy)}`;
	const driver = item.driver === null ? "" : `, ${shown(item.driver)}`;
	const why = item.reason === "" ? "" : `, ${shown(item.reason)}`;
	const place = functionPlace(item);
	return html`<li><span class="badge ${tone}">${item.refused ? "refused" : "passed"}</span> ${place}: ${shown(item.className)} ${item.class}/${item.subClass}/${item.protocol}: ${item.action}${by}${driver}${why}</li>`;
}

/** The device chose the text. */
function shown(text: string): string {
	return escapeForTerminal(text.length > longestString ? `${text.slice(0, longestString)}…` : text);
}
