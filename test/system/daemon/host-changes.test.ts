/** Nothing about the host is what it was at start: its name, its links, what it forwards. The daemon follows. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { policy, port } from "../support/case.ts";
import { Daemon } from "../support/daemon.ts";
import { eventually, Lab } from "../support/netns.ts";

let lab: Lab;
beforeEach(async () => {
	lab = await Lab.create(["eth0"]);
});
afterEach(() => lab[Symbol.dispose]());

/** A policy for the hosts that have a label. */
function selecting(name: string, label: string, value: string): string {
	const nodeSelector = { matchLabels: { [label]: value } };
	return policy(name, { nodeSelector, action: "Block", ingress: [{ ports: [port("TCP", 42717)] }] });
}

function rename(daemon: Daemon, hostname: string): void {
	const result = Bun.spawnSync(["nsenter", `--uts=/proc/${daemon.pid}/ns/uts`, "hostname", hostname]);
	if (result.exitCode !== 0) throw new Error(result.stderr.toString());
}

test("a policy that selects by name is in force a moment after the host got its name, and out of it again", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": selecting("by-name", "kubernetes.io/hostname", "web-7") },
		under: ["unshare", "--uts"],
	});
	expect((await daemon.status()).policies).toMatchObject([{ selected: false, enforced: false }]);
	rename(daemon, "web-7");
	const status = await eventually("the policy in force", async () => {
		const now = await daemon.status();
		return now.policies[0]?.enforced === true ? now : null;
	});
	expect(status).toMatchObject({ hostname: "web-7", nodeLabels: { "kubernetes.io/hostname": "web-7" } });
	expect(lab.guarded.run(["nft", "list", "table", "inet", "kubearmor"])).toContain("42717");
	const alert = await daemon.alert("the new name", ({ Resource }) => Resource === "host name");
	expect(alert).toMatchObject({ HostName: "web-7", EventData: { Now: "web-7" }, Type: "SystemEvent" });
	expect(daemon.log).toContain("the host name changed");
	rename(daemon, "db-1");
	await eventually(
		"the policy out of force",
		async () => (await daemon.status()).policies[0]?.enforced === false,
	);
});

test("labels of the settings select anew on SIGHUP", async () => {
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": selecting("by-label", "role", "web") },
	});
	expect((await daemon.status()).policies).toMatchObject([{ selected: false }]);
	const settings = JSON.parse(await Bun.file(daemon.home.config).text());
	await Bun.write(daemon.home.config, JSON.stringify({ ...settings, nodeLabels: { role: "web" } }));
	daemon.signal("SIGHUP");
	await eventually("the policy in force", async () => (await daemon.status()).policies[0]?.enforced === true);
});

test("forwarding that is switched on later, and that no policy is asked about, is warned of, and no longer when it is off", async () => {
	await using daemon = await Daemon.start(lab.guarded, { config: { guests: { forwarded: "off" } } });
	const warned = async () =>
		(await daemon.status()).warnings.some((text) => `${text}`.includes("forwards IPv4"));
	expect(await warned()).toBe(false);
	lab.guarded.sysctl({ "ipv4/ip_forward": "1" });
	await eventually("the warning", warned);
	expect(daemon.log).toContain("this host forwards IPv4");
	lab.guarded.sysctl({ "ipv4/ip_forward": "0" });
	await eventually("no warning", async () => !(await warned()));
	lab.guarded.sysctl({ "ipv4/conf/eth0/forwarding": "1" });
	await eventually("the warning about one interface that forwards", warned);
});

test("a name whose packets bear another is warned of while that is so, in status and metrics", async () => {
	const rules = policy("named", { action: "Audit", ingress: [{ iface: ["eth0", "wg7", "tap*"] }] });
	await using daemon = await Daemon.start(lab.guarded, {
		policies: { "a.yaml": rules },
		config: { failsafe: { ingress: [{ protocol: "TCP", port: 22, interface: "ETH0" }] } },
	});
	const found = async () => {
		const status: { interfaces?: { interface: string; reason: string; bears: string }[] } = JSON.parse(
			await (await daemon.get("/v1/status")).text(),
		);
		return (status.interfaces ?? []).map(({ interface: name, reason, bears }) =>
			`${name} ${reason} ${bears}`.trim(),
		);
	};
	const always = ["ETH0 case eth0", "wg7 absent", "tap* absent"];
	expect((await found()).sort()).toEqual([...always].sort());
	lab.guarded.run(["ip", "link", "add", "br0", "type", "bridge"]);
	lab.guarded.run(["ip", "link", "set", "eth0", "master", "br0"]);
	await eventually("the master", async () => (await found()).includes("eth0 member br0"));
	const { warnings } = await daemon.status();
	expect(warnings.join("\n")).toContain('interface "eth0" is a member of the bridge "br0"');
	expect(warnings.join("\n")).toContain('ingress[0] of policy "named"');
	const metrics = await daemon.metrics();
	expect(metrics.get('portward_interface_warning{interface="eth0",reason="member",bears="br0"}')).toBe(1);
	lab.guarded.run(["ip", "link", "property", "add", "dev", "br0", "altname", "wg7"]);
	// The kernel tells of a new name only while the link is up.
	lab.guarded.run(["ip", "link", "set", "br0", "up"]);
	await eventually("the other name", async () => (await found()).includes("wg7 altname br0"));
	lab.guarded.run(["ip", "link", "set", "eth0", "nomaster"]);
	await eventually("no master", async () => !(await found()).some((text) => text.startsWith("eth0")));
	daemon.home.put("a.yaml", policy("named", { action: "Audit", ingress: [{ iface: ["eth0"] }] }));
	await eventually("the settings' name alone", async () => (await found()).join() === "ETH0 case eth0");
});
