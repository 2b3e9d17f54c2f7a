import { afterEach, beforeEach, expect, test } from "bun:test";
import { AF_INET, SOCK_CLOEXEC, SOCK_RAW } from "../../../../ffi/constants.ts";
import { Libc } from "../../../../ffi/libc.ts";
import { defaultConfig } from "../../../../src/config/parse.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { networkPart } from "../../../../src/enforcers/network/model.ts";
import { compileOptions } from "../../../../src/enforcers/network/run/compile-options.ts";
import { lintHost, receiverWarnings } from "../../../../src/enforcers/network/run/host-lint.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { sinkSettings } from "../../../sinks/support/settings.ts";
import { block, policy, port } from "../../../system/support/case.ts";
import { command, enterIsolatedNetwork, type IsolatedNetwork } from "../../../system/support/isolated.ts";

let network: IsolatedNetwork;
beforeEach(() => {
	network = enterIsolatedNetwork();
	command("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
	command("ip", "address", "add", "192.0.2.1/24", "dev", "eth0");
});
afterEach(() => network.leave());

function lint(text: string, which: "notable" | "all") {
	const policies = networkPart.in(parsePolicyFile("/p.yaml", text).documents);
	const compiled = compileNetwork(policies, compileOptions(defaultConfig(), "t", "concatenated"));
	if (!compiled.ok) throw new Error("the policies do not compile");
	return lintHost(compiled.model, "/set", which).map(({ message }) => message);
}
const sshOnly = policy("ssh", {
	action: "Allow",
	ingress: [{ ports: [port("TCP", 22)] }],
	egress: [{ ports: [port("TCP", 22)] }],
});

test("a host that speaks VRRP, on a socket as keepalived has it, is warned under an allow-list, and not without", () => {
	const opened = Libc.open();
	if (!opened.ok) throw new Error(opened.reason);
	const vrrp = opened.libc.socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 112);
	if (!vrrp.ok) throw new Error(vrrp.error);
	try {
		expect(lint(sshOnly, "notable")).toEqual([
			expect.stringContaining("VRRP (keepalived) runs on this host, and its incoming VRRP"),
			expect.stringContaining("VRRP (keepalived) runs on this host, and its outgoing VRRP to 224.0.0.18"),
		]);
		const rule = { ports: [port("TCP", 22), { protocol: "VRRP" }] };
		expect(lint(policy("v", { action: "Allow", ingress: [rule], egress: [rule] }), "notable")).toEqual([]);
		expect(lint(policy("a", { action: "Audit", ingress: [{}] }), "all")).toEqual([]);
	} finally {
		opened.libc.close(vrrp.value);
	}
});

test("what listens is told where all is asked for, and one on the address of an interface counts", () => {
	const server = Bun.listen({ hostname: "192.0.2.1", port: 0, socket: { data() {} } });
	try {
		expect(lint(sshOnly, "notable")).toEqual([]);
		expect(lint(sshOnly, "all")).toEqual([
			expect.stringContaining(`a program that listens on TCP ${server.port} runs on this host`),
		]);
	} finally {
		server.stop(true);
	}
});

test("a sink that the policies would cut off is warned of, by the interface that leads there", () => {
	command("ip", "link", "set", "eth0", "up");
	command("ip", "link", "set", "lo", "up");
	const text = policy("cut", {
		action: "Block",
		egress: [{ to: [block("192.0.2.0/24")], iface: ["eth0"] }, { to: [block("127.0.0.0/8")] }],
	});
	const compiled = compileNetwork(
		networkPart.in(parsePolicyFile("/p.yaml", text).documents),
		compileOptions(defaultConfig(), "t", "concatenated"),
	);
	if (!compiled.ok) throw new Error("the policies do not compile");
	const sinks = [
		"tcp://192.0.2.9:601",
		"udp://127.0.0.1:514",
		"udp://203.0.113.1:514",
		"tcp://log.example:601",
	].map((address, index) => sinkSettings({ name: `s${index}`, type: "syslog", address }));
	const config = defaultConfig();
	const found = receiverWarnings(compiled.model, { ...config, alerts: { ...config.alerts, sinks } }, "/set");
	expect(found.map(({ code, message }) => [code, message])).toEqual([
		[
			"sink-blocked",
			expect.stringMatching(
				/^alerts would not reach sink s0: egress tcp 601 to 192\.0\.2\.9 is blocked by cut egress\[0\]/,
			),
		],
	]);
});
