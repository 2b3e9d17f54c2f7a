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

/** Devices that are plugged in; root hubs are part of the machine. */
export function usbSection(devices: readonly DeviceStatus[]): Html {
	const plugged = devices.filter(({ level }) => level > 0);
	if (plugged.length === 0) return html``;
	const rows = plugged.slice(0, mostDevices).map(deviceRow);
	const rest = plugged.length - rows.length;
	const note = rest > 0 ? html`<p class="empty">${rest} more in /v1/usb/devices.</p>` : html``;
	return html`<section><div class="title"><h2>USB devices</h2></div><div class="scroll" tabindex="0" role="region" aria-label="USB devices"><table><thead><tr><th>Port</th><th>Device</th><th>State</th><th>Functions</th></tr></thead><tbody>${rows}</tbody></table></div>${note}</section>`;
}

function deviceRow(device: DeviceStatus): Html {
	const name = [device.manufacturer, device.product].filter((text) => text !== null).join(" ");
	const { functions } = device;
	const items = functions.slice(0, mostFunctions).map(functionItem);
	const more = functions.length - items.length;
	if (more > 0) items.push(html`<li>and ${more} more</li>`);
	const remarks = [device.reason, ...device.odd, device.error === "" ? null : device.error]
		.filter((text) => text !== null)
		.map((text) => html`<code class="place">${shown(text)}</code>`);
	if (device.allowedUntil !== null)
		remarks.push(html`<code class="place">allowed until ${device.allowedUntil}</code>`);
	return html`<tr><td class="tight" data-label="Port">${device.port}</td>
<td class="name" data-label="Device">${shown(name)}<code class="place">${device.vendorId}:${device.productId} ${shown(device.serial ?? "")}</code></td>
<td data-label="State"><span class="badge ${trusted(tones[device.state])}">${device.state}</span>${remarks}</td>
<td class="text" data-label="Functions"><ul>${items}</ul></td></tr>
`;
}

function functionItem(item: FunctionStatus): Html {
	const tone = trusted(item.refused ? "bad" : item.action === "Audit" ? "warn" : "good");
	const by = item.policy === null ? "" : ` by ${shown(item.policy)}`;
	const driver = item.driver === null ? "" : `, ${shown(item.driver)}`;
	const why = item.reason === "" ? "" : `, ${shown(item.reason)}`;
	const place = functionPlace(item);
	return html`<li><span class="badge ${tone}">${item.refused ? "refused" : "passed"}</span> ${place}: ${item.className} ${item.class}/${item.subClass}/${item.protocol}: ${item.action}${by}${driver}${why}</li>`;
}

/** The device chose the text. */
function shown(text: string): string {
	return escapeForTerminal(text.length > longestString ? `${text.slice(0, longestString)}…` : text);
}
