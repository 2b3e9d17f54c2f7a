/** docs/beside.md: each policy is valid, and lets its service have every flow that it needs. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/parse.ts";
import { type HostSocket, hostServices } from "../../src/enforcers/network/compile/lint/host-services.ts";
import { serviceCuts } from "../../src/enforcers/network/compile/lint/service-cuts.ts";
import { compileNetwork } from "../../src/enforcers/network/compile/network.ts";
import { networkPart } from "../../src/enforcers/network/model.ts";
import { compileOptions } from "../../src/enforcers/network/run/compile-options.ts";
import { parsePolicyFile } from "../../src/engine/parse.ts";
import { documents, policy, port } from "../system/support/case.ts";

const text = readFileSync(join(import.meta.dir, "../../docs/beside.md"), "utf8");
const written = [...text.matchAll(/```yaml\n(.*?)```/gsu)].map(([, yaml = ""]) => yaml);

const socket = (kind: HostSocket["kind"], number: number, family: 4 | 6 = 4): HostSocket => ({
	kind,
	family,
	local: family === 4 ? "0.0.0.0" : "::",
	number,
	remotePort: 0,
});

/** By the policy's name: what the service has open. */
const services: Readonly<Record<string, readonly HostSocket[]>> = {
	vrrp: [socket("raw", 112), socket("raw", 112, 6)],
	wireguard: [socket("udp", 51_820), socket("udp", 51_820, 6)],
	openvpn: [socket("udp", 1194)],
	ntp: [socket("udp", 123), socket("udp", 123, 6)],
	mdns: [socket("udp", 5353), socket("udp", 5353, 6)],
	"dhcp-server": [socket("udp", 67), socket("udp", 547, 6)],
	nfs: [socket("tcp", 2049), socket("tcp", 2049, 6)],
	tftp: [socket("udp", 69)],
	"kubernetes-node": [
		...[6443, 10_250, 2379, 2380].map((number) => socket("tcp", number)),
		socket("udp", 8472),
	],
};

const sshOnly = policy("ssh-only", {
	action: "Allow",
	ingress: [{ ports: [port("TCP", 22)] }],
	egress: [{ ports: [port("TCP", 22)] }],
});

function cuts(yaml: string, sockets: readonly HostSocket[]): number {
	const parsed = parsePolicyFile("beside.yaml", yaml).documents;
	expect(parsed.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
	const policies = networkPart.in(parsed);
	const compiled = compileNetwork(policies, compileOptions(defaultConfig(), "t", "concatenated"));
	if (!compiled.ok) throw new Error("the policies do not compile");
	return serviceCuts(compiled.model, hostServices(sockets, ["wireguard"]), ["eth0"]).length;
}

describe("the policy for", () => {
	test.each(Object.entries(services))("%s gives it what an allow-list of SSH takes away", (name, sockets) => {
		const yaml = written.find((block) => block.includes(`metadata: { name: ${name} }`)) ?? "";
		expect(cuts(sshOnly, sockets)).toBeGreaterThan(0);
		expect(cuts(documents(sshOnly, yaml), sockets)).toBe(0);
	});

	test("each service is shown", () => {
		expect(written).toHaveLength(Object.keys(services).length);
	});
});
