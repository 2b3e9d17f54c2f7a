import { expect, test } from "bun:test";
import { dispatch } from "../../../src/cli/dispatch.ts";
import { explainCommand } from "../../../src/cli/status/alert-command.ts";
import { CapturedIo, commands, Files } from "../support/portward.ts";

const packet = (Resource: string, EventData: Readonly<Record<string, string>>) => ({
	Operation: "NetworkFirewall",
	Resource,
	EventData: { SourceIP: "192.0.2.7", DestinationIP: "2001:db8::1", ...EventData },
});

test.each([
	[
		packet("INGRESS", { Protocol: "TCP", SourcePort: "1024", DestinationPort: "22", Interface: "eth0" }),
		"portward explain ingress tcp 192.0.2.7 22 --source-port 1024 --iface eth0",
	],
	[
		packet("EGRESS", { Protocol: "UDP", DestinationPort: "53" }),
		"portward explain egress udp 2001:db8::1 53",
	],
	[
		packet("INGRESS", { Protocol: "TCP", DestinationPort: "5432", Hook: "forward", GuestIP: "172.17.0.2" }),
		"portward explain ingress tcp 192.0.2.7 5432 --published",
	],
	[
		packet("EGRESS", { Protocol: "UDP", DestinationPort: "53", Hook: "forward", GuestIP: "fd00::2" }),
		"portward explain egress udp 2001:db8::1 53 --from-guest fd00::2",
	],
	[
		packet("EGRESS", { Protocol: "UDP", DestinationPort: "53", Hook: "forward", GuestIP: "$(reboot)" }),
		"portward explain egress udp 2001:db8::1 53",
	],
	[packet("INGRESS", { Protocol: "ICMP" }), "portward explain ingress icmp 192.0.2.7"],
	[packet("EGRESS", { Protocol: "Proto-47" }), "portward explain egress 47 2001:db8::1"],
	[packet("INGRESS", { Protocol: "TCP" }), null],
	[packet("INGRESS", {}), null],
	[packet("INGRESS", { Protocol: "TCP", DestinationPort: "22; reboot" }), null],
	[packet("INGRESS", { Protocol: "TCP", DestinationPort: "22", SourceIP: "$(reboot)" }), null],
	[
		packet("INGRESS", { Protocol: "TCP", DestinationPort: "22", Interface: "a b" }),
		"portward explain ingress tcp 192.0.2.7 22",
	],
	[{ Operation: "Device", Resource: "USB HID", EventData: { Port: "1-4.2" } }, "portward usb explain 1-4.2"],
	[{ Operation: "Device", Resource: "USB HID", EventData: { Port: "x" } }, null],
	[{ Operation: "System", Resource: "INGRESS", EventData: {} }, null],
	[{ Resource: "INGRESS" }, null],
] as const)("%j", (alert, command) => {
	expect(explainCommand(alert)).toBe(command);
});

test("what it gives is a command that works", async () => {
	using files = new Files();
	for (const data of [
		{ Protocol: "TCP", SourcePort: "1024", DestinationPort: "22", Interface: "eth0" },
		{ Protocol: "ICMP" },
		{ Protocol: "Proto-47" },
	]) {
		const command = explainCommand(packet("INGRESS", data)) ?? "";
		const io = new CapturedIo();
		const config = files.config({ policyDir: files.path });
		expect(await dispatch(commands, [...command.split(" ").slice(1), "--config", config], io)).toBe(0);
		expect(io.out_).toStartWith("Allow: no rule matches");
	}
});
