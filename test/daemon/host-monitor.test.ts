import { afterEach, beforeEach, expect, test } from "bun:test";
import { currentIdentity, HostMonitor, type LiveIdentity } from "../../src/daemon/host-monitor.ts";
import type { InterfaceUse } from "../../src/enforcers/network/interfaces.ts";
import type { Alert } from "../../src/report/alert.ts";
import {
	command,
	enterIsolatedNetwork,
	enterOwnHostName,
	type IsolatedNetwork,
	until,
} from "../system/support/isolated.ts";

let left: IsolatedNetwork[];
let monitor: HostMonitor;
let identity: LiveIdentity;
let uses: InterfaceUse[];
const logged: string[] = [];
const alerts: Alert[] = [];
const asked: string[] = [];

beforeEach(() => {
	left = [enterIsolatedNetwork(), enterOwnHostName()];
	command("hostname", "before");
	[logged.length, alerts.length, asked.length, uses] = [0, 0, 0, []];
	identity = currentIdentity("c");
	const note = (message: string) => void logged.push(message);
	monitor = new HostMonitor({
		identity,
		sink: { publish: (published) => void alerts.push(...published) },
		log: { info: note, warn: note, error: note },
		uses: () => uses,
		forwarded: () => "off",
		reselect: () => void asked.push(`reselect as ${identity.hostName}`),
		linksChanged: () => {},
		waiting: () => true,
		retry: () => void asked.push("retry"),
	});
	monitor.start();
});
afterEach(() => {
	monitor.stop();
	for (const place of left.reverse()) place.leave();
});

test("a new name is everybody's at once, logged and alerted, and the policies are selected anew", async () => {
	expect(monitor.hostname).toBe("before");
	command("hostname", "after");
	await until(() => asked.length > 0, "a new selection");
	expect(asked).toEqual(["reselect as after"]);
	expect(monitor.hostname).toBe("after");
	expect(alerts).toMatchObject([
		{ HostName: "after", Resource: "host name", EventData: { Before: "before", Now: "after" } },
	]);
	expect(logged.some((message) => message.includes("the host name changed"))).toBe(true);
});

test("a finding about an interface is told once, shown while it holds, and its end is told", async () => {
	uses = [{ name: "d0", prefix: false, users: ['ingress[0] of policy "p"'] }];
	monitor.policiesRead();
	monitor.policiesRead();
	expect(monitor.interfaces).toMatchObject([{ interface: "d0", reason: "absent" }]);
	expect(monitor.warnings).toEqual([expect.stringContaining('(ingress[0] of policy "p")')]);
	expect(logged.filter((message) => message.includes("d0"))).toHaveLength(1);
	command("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
	await until(() => monitor.interfaces.length === 0, "the link");
	expect(logged.at(-1)).toContain("no longer so");
	expect(monitor.warnings).toEqual([]);
});
