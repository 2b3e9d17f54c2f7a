import { afterEach, beforeEach, expect, test } from "bun:test";
import { AF_INET, SOCK_CLOEXEC, SOCK_RAW } from "../../../../ffi/constants.ts";
import { Libc } from "../../../../ffi/libc.ts";
import { defaultConfig } from "../../../../src/config/parse.ts";
import { compileNetwork } from "../../../../src/enforcers/network/compile/network.ts";
import { networkPart } from "../../../../src/enforcers/network/model.ts";
import { compileOptions } from "../../../../src/enforcers/network/run/compile-options.ts";
import { lintHost } from "../../../../src/enforcers/network/run/host-lint.ts";
import { parsePolicyFile } from "../../../../src/engine/parse.ts";
import { policy, port } from "../../../system/support/case.ts";
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
			expect.stringContaining(`what listens on TCP ${server.port} runs on this host`),
		]);
	} finally {
		server.stop(true);
	}
});
