/** Which present USB devices a change of policies would refuse, or let work again. */

import { networkInterfaces } from "node:os";
import { formatAddress, parseAddress } from "../base/cidr.ts";
import type { Config } from "../config/model.ts";
import { usbClassName } from "../enforcers/usb/class.ts";
import type { DeviceDecision, JudgedFunction } from "../enforcers/usb/compile/decide.ts";
import { decisionReason, withheldReason } from "../enforcers/usb/compile/reason.ts";
import { DeviceRuleset, selectEntries, type Verdict } from "../enforcers/usb/compile/ruleset.ts";
import type { HostDevicePolicy } from "../enforcers/usb/model.ts";
import type { PresentDevice } from "../enforcers/usb/observe/devices.ts";
import { usbCarriers } from "../enforcers/usb/observe/network.ts";
import { presentDevices } from "../enforcers/usb/observe/present.ts";
import { findSshSession, parseSshConnection } from "../kernel/ssh-session.ts";
import { Sysfs } from "../kernel/sysfs.ts";
import type { Cause, DeviceChange, DevicesPlan, SessionAdapter } from "./plan-model.ts";
import { PresentJudge } from "./present-judge.ts";

/** Reads the devices below `sysRoot`, and from the state directory which of them this boot began with. */
export function planDevices(
	config: Config,
	before: readonly HostDevicePolicy[],
	after: readonly HostDevicePolicy[],
	sysRoot: string,
	session: readonly string[] = sessionNetdevs(),
): DevicesPlan {
	const present = presentDevices(sysRoot);
	if (present === null)
		return { checked: false, reason: "the kernel shows no USB", changes: [], session: null };
	const judge = new PresentJudge(config);
	const { hostDefaultDevicePosture: posture, enforcement } = config;
	const [old, fresh] = [before, after].map(
		(policies) => new DeviceRuleset(selectEntries(policies), posture, enforcement),
	);
	if (old === undefined || fresh === undefined) throw new Error("two sets of policies make two rulesets");
	const changes = present.flatMap((device) =>
		compare(device, judge.decide(old, device), judge.decide(fresh, device)),
	);
	const adapter = refusedAdapter(new Sysfs(sysRoot), session, present, (item) => judge.decide(fresh, item));
	return { checked: true, reason: "", changes, session: adapter };
}

/** The network devices that have this end's address of the SSH session; none outside of one. */
function sessionNetdevs(): readonly string[] {
	const found = findSshSession(process.pid);
	const ends = found && parseSshConnection(found.connection);
	if (!ends) return [];
	return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
		addresses?.some(({ address }) => sameAddress(address, ends.server)) ? [name] : [],
	);
}

function sameAddress(text: string, wanted: string): boolean {
	const parsed = parseAddress(text.replace(/%.*$/, ""));
	return !("message" in parsed) && formatAddress(parsed.family, parsed.value) === wanted;
}

/** The first USB device on the way of a session that would be refused, or whose part in it would be. */
function refusedAdapter(
	files: Sysfs,
	netdevs: readonly string[],
	present: readonly PresentDevice[],
	decide: (present: PresentDevice) => DeviceDecision,
): SessionAdapter | null {
	for (const netdev of netdevs) {
		for (const { netdev: adapter, interface: name, ports } of usbCarriers(files, netdev)) {
			for (const port of ports) {
				const item = present.find(({ device }) => device.port === port);
				const decision = item && decide(item);
				if (!decision) continue;
				const lost = decision.interfaces.find(
					(part) => `${port}:${part.configuration}.${part.number}` === name && !part.permitted,
				);
				if (decision.device !== "refuse" && lost === undefined) continue;
				const functions = lost?.functions ?? decision.functions;
				const judged = functions.find(({ withheld }) => withheld !== null);
				const why = judged === undefined ? "" : withheldReason(judged, decision.malformed);
				const reason = decisionReason(decision) ?? why;
				return { netdev, adapter, port, reason, cause: judged ? causeOf(judged.verdict) : null };
			}
		}
	}
	return null;
}

function compare({ device }: PresentDevice, before: DeviceDecision, after: DeviceDecision): DeviceChange[] {
	const refused = new Set(before.functions.filter((item) => item.withheld !== null).map(functionKey));
	const known = new Set(before.functions.map(functionKey));
	const functions = after.functions
		.filter((item) => {
			const was = known.has(functionKey(item)) ? refused.has(functionKey(item)) : before.device === "refuse";
			return (item.withheld !== null) !== was;
		})
		.map((item) => ({
			interface: item.interface,
			configurations: item.configurations,
			alternate: item.alternate,
			className: usbClassName(item.triple.class),
			refused: item.withheld !== null,
			reason: withheldReason(item, after.malformed),
			cause: causeOf(item.verdict),
		}));
	if (before.state === after.state && functions.length === 0) return [];
	const { vendorId, productId } = device.descriptors;
	const hex = (id: number) => id.toString(16).padStart(4, "0");
	return [
		{
			port: device.port,
			vendorId: hex(vendorId),
			productId: hex(productId),
			manufacturer: device.manufacturer,
			product: device.product,
			before: before.state,
			after: after.state,
			reason: decisionReason(after),
			functions,
		},
	];
}

function functionKey({ configuration, interface: number, triple }: JudgedFunction): string {
	return `${configuration} ${number} ${triple.class}/${triple.subClass}/${triple.protocol}`;
}

function causeOf({ action, source, entry }: Verdict): Cause | null {
	if (source === "unmatched") return null;
	return {
		policy: entry?.policy ?? "DefaultPosture",
		direction: "device",
		index: entry?.entry.index ?? null,
		action,
		file: entry?.entry.place.file ?? null,
		line: entry?.entry.place.line ?? null,
	};
}
