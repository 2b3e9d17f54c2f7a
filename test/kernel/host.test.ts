import { expect, test } from "bun:test";
import { hostname } from "node:os";
import { forwarding, hostFacts } from "../../src/kernel/host.ts";
import { command, enterIsolatedNetwork } from "../system/support/isolated.ts";

test("the host's facts are what its own tools say", () => {
	const facts = hostFacts();
	expect(facts.hostname).toBe(hostname());
	expect(facts.kernelRelease).toBe(command("uname", "-r").trim());
	expect(facts.machineId).toMatch(/^([0-9a-f]{32})?$/);
	expect(facts.architecture).toMatch(/^[a-z0-9]+$/);
	expect(facts.architecture).not.toBe("x64");
});

test("forwarding follows the network namespace", () => {
	const network = enterIsolatedNetwork();
	try {
		command(
			"sh",
			"-c",
			"echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding",
		);
		expect(forwarding()).toEqual({ ipv4: false, ipv6: false });
		command("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
		expect(forwarding()).toEqual({ ipv4: true, ipv6: false });
		command("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
		expect(forwarding()).toEqual({ ipv4: true, ipv6: true });
	} finally {
		network.leave();
	}
});
