import { expect, test } from "bun:test";
import { isAddress, literalReceivers, receiverOf } from "../../src/config/receivers.ts";
import { sinkSettings } from "../sinks/support/settings.ts";

const webhook = (url: string) => sinkSettings({ name: "w", type: "webhook", url });
const syslog = (address: string) => sinkSettings({ name: "s", type: "syslog", address });

test("where each sink sends to", () => {
	expect(receiverOf(webhook("https://siem.example/in"))).toEqual({
		protocol: "tcp",
		host: "siem.example",
		port: 443,
	});
	expect(receiverOf(webhook("https://[2001:db8::1]:8443/"))).toEqual({
		protocol: "tcp",
		host: "2001:db8::1",
		port: 8443,
	});
	expect(receiverOf(webhook("http://127.0.0.1/"))?.port).toBe(80);
	expect(receiverOf(syslog("udp://192.0.2.1:514"))).toEqual({
		protocol: "udp",
		host: "192.0.2.1",
		port: 514,
	});
	expect(receiverOf(syslog("tls://[2001:db8::1]:6514"))?.protocol).toBe("tcp");
	expect(receiverOf(syslog("unix:/dev/log"))).toBeNull();
	expect(receiverOf(sinkSettings({ name: "j", type: "journald" }))).toBeNull();
});

test("those whose address the settings have", () => {
	const sinks = [
		syslog("tcp://log.example:514"),
		syslog("tcp://192.0.2.1:514"),
		webhook("https://siem.example/"),
	];
	expect(literalReceivers(sinks)).toEqual([{ name: "s", protocol: "tcp", address: "192.0.2.1", port: 514 }]);
	expect([isAddress("::1"), isAddress("localhost")]).toEqual([true, false]);
});
