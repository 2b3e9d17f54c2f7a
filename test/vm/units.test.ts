/** The systemd units, on a real Debian: what they forbid, that both enforcers work all the same, and what they survive. */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { policy, port } from "../system/support/case.ts";
import { plug } from "./lab/devices.ts";
import { devicePolicy, portwardFiles } from "./lab/portward.ts";
import { bindsSince, nodesOf, untilTruth, usbTruth } from "./lab/truth.ts";
import { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";

setDefaultTimeout(180_000);

const units = join(import.meta.dir, "../../packaging/systemd");
const unitFiles = ["portward.service", "portward-restore.service", "nftables.service.d/portward.conf"];
const policyDirectory = "/etc/portward/policies";

let vm: Vm;

const show = async (unit: string, ...properties: string[]): Promise<Record<string, string>> => {
	const text = await vm.sh(`systemctl show ${unit} ${properties.map((name) => `-p ${name}`).join(" ")}`);
	return Object.fromEntries(text.split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)));
};
const journal = (unit: string, after = "") =>
	vm.sh(`journalctl --sync; journalctl -b -u ${unit} -o cat --no-pager ${after}`);
/** Where the journal ends now, as an option for \`journal\`. */
const sinceNow = async () =>
	`--after-cursor='${/cursor: (.*)/.exec(await vm.sh("journalctl --sync; journalctl -b -n 1 --show-cursor"))?.[1]}'`;
/** Waits until all the texts are in a unit's journal: what a program and the service manager say comes there a moment later. */
async function logged(unit: string, texts: readonly string[], after = ""): Promise<void> {
	let last = "";
	await until(
		30_000,
		() => `${texts.join(" and ")} in the journal; last: ${last}`,
		async () => {
			last = await journal(unit, after);
			return texts.every((text) => last.includes(text));
		},
	);
}
const table = () => vm.sh("nft list table inet kubearmor");
const ready = () => vm.waitFor("curl -fsS http://127.0.0.1:9755/readyz", { timeout: 120_000 });

interface Status {
	readonly policies: readonly { readonly name: string; readonly enforced: boolean }[];
	readonly confinement: unknown;
}

async function statusNow(): Promise<Status> {
	return JSON.parse(
		await vm.sh("curl -sS --unix-socket /var/lib/portward/status.sock http://localhost/v1/status"),
	);
}

/** Waits until the daemon has read what is in its directory. */
async function enforced(...names: readonly string[]): Promise<void> {
	let last = "";
	await until(
		60_000,
		() => `the policies; last: ${last}`,
		async () => {
			const { policies } = await statusNow();
			last = JSON.stringify(policies);
			return (
				policies
					.flatMap(({ name, enforced: now }) => (now ? [name] : []))
					.sort()
					.join() === names.join()
			);
		},
	);
}

beforeAll(async () => {
	const files = Object.fromEntries(unitFiles.map((name) => [`units/${name}`, join(units, name)]));
	vm = await Vm.boot({ flavour: "real", files: { ...portwardFiles(), ...files } });
	await vm.systemReady();
	await vm.sh(
		`
		install -m 755 /host/portward /usr/local/bin/portward
		mkdir -p ${policyDirectory}
		cp -r /host/units/. /etc/systemd/system/
		systemctl daemon-reload`,
		{ timeout: 120_000 },
	);
	const blocks = policy("ports", { action: "Block", ingress: [{ ports: [port("TCP", 80)] }] });
	await vm.put(`${policyDirectory}/ports.yaml`, blocks, 0o644);
	await vm.put(
		`${policyDirectory}/sticks.yaml`,
		devicePolicy("sticks", "Block", "class: MASS-STORAGE"),
		0o644,
	);
	// Somebody starts services with an environment of his own.
	await vm.sh(
		"systemctl set-environment BUN_OPTIONS=--preload=/tmp/x BUN_BE_BUN=1 LD_PRELOAD=/tmp/y.so GLIBC_TUNABLES=z HTTP_PROXY=p",
	);
	await vm.sh("systemctl enable --now portward-restore.service portward.service nftables.service", {
		timeout: 120_000,
	});
	await ready();
});
afterAll(async () => await vm?.stop());

/** Units of other firewalls, as their packages order them. */
const others = {
	"firewalld.service":
		"[Unit]\nBefore=network-pre.target\nWants=network-pre.target\nAfter=dbus.service polkit.service\n",
	"ufw.service":
		"[Unit]\nDefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target local-fs.target\nAfter=local-fs.target\n",
	"netfilter-persistent.service":
		"[Unit]\nDefaultDependencies=no\nWants=network-pre.target systemd-modules-load.service local-fs.target\nBefore=network-pre.target shutdown.target\nAfter=systemd-modules-load.service local-fs.target\nConflicts=shutdown.target\n",
};

test("the units are right, in no ordering cycle whatever firewall is there, and little exposed", async () => {
	const ours = "portward.service portward-restore.service nftables.service";
	for (const [name, unit] of Object.entries(others)) {
		const service = "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";
		await vm.put(`/etc/systemd/system/${name}`, unit + service, 0o644);
	}
	const names = Object.keys(others).join(" ");
	await vm.sh(`systemctl enable ${names}`);
	const verified = await vm.run(`systemd-analyze verify --man=no ${ours} ${names} multi-user.target`);
	expect(verified.stdout + verified.stderr).toBe("");
	// In a running system, too: a job of a cycle would be dropped, with a line in the log.
	await vm.sh(`systemctl restart ${names} portward-restore.service`, { timeout: 120_000 });
	expect(await vm.sh("journalctl -b -o cat --no-pager | grep -i 'ordering cycle' || :")).toBe("");
	await vm.sh(
		`systemctl disable --now ${names}; rm ${names.replaceAll(/\S+/g, "/etc/systemd/system/$&")}; systemctl daemon-reload`,
	);
	for (const [unit, most] of [
		["portward.service", 2.5],
		["portward-restore.service", 2],
	] as const) {
		const level = /level for \S+: ([\d.]+)/.exec(
			(await vm.run(`systemd-analyze security --no-pager ${unit}`)).stdout,
		);
		expect(Number(level?.[1])).toBeLessThanOrEqual(most);
	}
});

test("the agent has one capability, cannot gain others, and nothing of a stranger's environment", async () => {
	const { MainPID = "" } = await show("portward", "MainPID");
	const status = await vm.sh(`cat /proc/${MainPID}/status`);
	// CAP_NET_ADMIN is 12.
	for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(status).toContain(`${set}:\t0000000000001000`);
	for (const set of ["CapInh", "CapAmb"]) expect(status).toContain(`${set}:\t0000000000000000`);
	expect(status).toContain("NoNewPrivs:\t1");
	expect(status).toContain("Seccomp:\t2");
	const environment = await vm.sh(`tr '\\0' '\\n' < /proc/${MainPID}/environ`);
	expect(environment).toContain("NOTIFY_SOCKET");
	expect(environment).not.toMatch(/BUN_|LD_|GLIBC_|PROXY/);
});

test("what the agent gives up by itself holds within the unit's limits, for every thread", async () => {
	const { confinement } = await statusNow();
	expect(confinement).toEqual({
		systemCalls: { active: true, detail: "" },
		files: { active: true, detail: "" },
		writable: ["/etc/portward", "/var/lib/portward"],
	});
	const { MainPID = "" } = await show("portward", "MainPID");
	const filters = await vm.sh(`cat /proc/${MainPID}/task/*/status | grep ^Seccomp_filters | sort -u | wc -l`);
	expect(filters.trim()).toBe("1");
});

test("the service manager is told what is enforced", async () => {
	const { StatusText, ActiveState, WatchdogTimestampMonotonic } = await show(
		"portward",
		"StatusText",
		"ActiveState",
		"WatchdogTimestampMonotonic",
	);
	expect(ActiveState).toBe("active");
	expect(StatusText).toContain("network active, USB active, 2 policies enforced");
	expect(Number(WatchdogTimestampMonotonic)).toBeGreaterThan(0);
});

test("both enforcers work within the unit's limits", async () => {
	expect(await table()).toMatch(/comment "ports ingress\[0\] Block"/);
	const stick = await plug(vm, "storage", { port: "3" });
	const keyboard = await plug(vm, "keyboard", { port: "4" });
	const truth = await untilTruth(
		vm,
		(now) => nodesOf(now, keyboard.name, "input").length > 0,
		"the keyboard",
	);
	expect(truth.devices.get(stick.name)?.authorized).toBe(false);
	expect([...(await bindsSince(vm, stick.name, stick.mark))]).toEqual([]);
	await stick.unplug();
	await keyboard.unplug();
	for (const { devices, interfaces } of (await usbTruth(vm)).hubs.values())
		expect([devices, interfaces]).toEqual(["0", "0"]);
});

test("who changed the table is named, though the agent has no right to look into other processes", async () => {
	await vm.sh("nft flush chain inet kubearmor root_ingress");
	await vm.waitFor("nft list chain inet kubearmor root_ingress | grep -q goto");
	await logged("portward", ["process=nft"]);
});

test("a unit that a rule names is known when it starts late, after a restart, and to an agent that starts behind it", async () => {
	const far = "/dev/udp/10.78.0.2/7000";
	await vm.sh(`
		ip link add sender0 type veth peer name sender1; ip address add 10.78.0.1/24 dev sender0
		ip link set sender0 up; ip link set sender1 up`);
	const loop = `while :; do if echo x > ${far}; then echo passed; else echo dropped; fi > /run/sender; sleep 0.2; done`;
	const unit = `[Service]\nExecStart=/bin/bash -c '${loop}'\nStandardError=null\n`;
	await vm.put("/run/systemd/system/sender.service", unit, 0o644);
	const file = `${policyDirectory}/who.yaml`;
	await vm.put(file, policy("who", { egress: [{ service: "sender", ports: [port("UDP", 7000)] }] }), 0o644);
	await enforced("ports", "sticks", "who");
	await vm.sh("systemctl daemon-reload");
	const said = (word: string) => vm.waitFor(`[ "$(cat /run/sender)" = ${word} ]`);
	try {
		for (let times = 0; times < 2; times++) {
			await vm.sh("systemctl stop sender; rm -f /run/sender; systemctl start sender");
			await said("dropped");
		}
		await vm.sh(`bash -c 'echo x > ${far}'`);
		const behind = "systemctl stop portward; systemctl restart sender; systemctl start portward";
		await vm.sh(behind, { timeout: 120_000 });
		await ready();
		await said("dropped");
	} finally {
		await vm.sh(`rm ${file}`);
	}
	await said("passed");
	await enforced("ports", "sticks");
	await vm.sh(
		"systemctl stop sender; ip link delete sender0; rm /run/systemd/system/sender.service; systemctl daemon-reload",
	);
});

test("a reload is one to the service manager as well", async () => {
	await vm.put(
		`${policyDirectory}/more.yaml`,
		policy("more", { action: "Block", ingress: [{ ports: [port("TCP", 81)] }] }),
	);
	await vm.sh("systemctl reload portward");
	await enforced("more", "ports", "sticks");
	// The policies are in force a moment before the manager is told that the reload is over.
	await vm.waitFor('[ "$(systemctl show -p ActiveState --value portward)" = active ]');
	expect(await show("portward", "NRestarts")).toEqual({ NRestarts: "0" });
});

const settingsFile = "/etc/portward/config.yaml";

test.each([
	["settings", settingsFile, "enforcement_mode: x\n", `${settingsFile}:1:1`],
	[
		"policy",
		`${policyDirectory}/broken.yaml`,
		policy("broken", { action: "Refuse" }),
		`${policyDirectory}/broken.yaml:1:`,
	],
] as const)("systemctl and the journal tell of a reload that fails: %s", async (_, file, text, place) => {
	const before = await show("portward", "MainPID", "NRestarts");
	await vm.put(file, text, 0o644);
	try {
		const now = await sinceNow();
		const failed = await vm.run("systemctl reload portward", { timeout: 120_000 });
		expect(failed.code).toBe(1);
		expect(failed.stderr).toContain("portward.service");
		await logged("portward", [place, "Reload failed for portward.service"], now);
		// The agent and what it enforced go on.
		await vm.waitFor('[ "$(systemctl show -p ActiveState --value portward)" = active ]');
		expect(await show("portward", "MainPID", "NRestarts")).toEqual(before);
		expect(await table()).toMatch(/comment "ports ingress\[0\] Block"/);
	} finally {
		// The tests that follow need a daemon that is ready.
		await vm.sh(`rm ${file}; systemctl reload portward`, { timeout: 120_000 });
	}
});

test("a change is confirmed: the policy directory can be exchanged within the unit's limits", async () => {
	await vm.sh(`cp -r ${policyDirectory} /root/next; rm /root/next/more.yaml; chmod -R go-w /root/next`);
	await vm.sh("portward apply --policy-dir /root/next --confirm-within 3m", { timeout: 150_000 });
	await vm.sh("portward confirm");
	await enforced("ports", "sticks");
	expect(await vm.sh(`ls ${policyDirectory}`)).toBe("ports.yaml\nsticks.yaml");
});

test("nftables.service flushes when it is stopped, and the agent puts its table back", async () => {
	await vm.sh("nft add table inet other; systemctl stop nftables");
	expect(await vm.sh("nft list tables")).not.toContain("other");
	await vm.waitFor("nft list chain inet kubearmor root_ingress | grep -q goto");
	await vm.sh("systemctl start nftables");
	await vm.waitFor("nft list chain inet kubearmor root_ingress | grep -q goto");
});

test("a main loop that hangs is killed and started again; the rules hold meanwhile", async () => {
	const { MainPID = "" } = await show("portward", "MainPID");
	await vm.sh(
		`
		mkdir -p /run/systemd/system/portward.service.d
		printf '[Service]\\nWatchdogSec=8\\n' > /run/systemd/system/portward.service.d/test.conf
		systemctl daemon-reload; systemctl restart portward`,
		{ timeout: 120_000 },
	);
	await ready();
	const before = await show("portward", "MainPID", "NRestarts");
	expect(before.MainPID).not.toBe(MainPID);
	// It does give signs of life.
	await Bun.sleep(17_000);
	expect(await show("portward", "MainPID", "NRestarts")).toEqual(before);
	await vm.sh(`kill -STOP ${before.MainPID}`);
	await vm.waitFor(`[ "$(systemctl show -P NRestarts portward)" = 1 ]`, { timeout: 60_000 });
	expect(await table()).toMatch(/comment "ports ingress\[0\] Block"/);
	await ready();
	await logged("portward", ["Watchdog timeout"]);
	await vm.sh("rm -r /run/systemd/system/portward.service.d; systemctl daemon-reload");
});

test("stopping takes no rule away, and takes no time", async () => {
	const began = performance.now();
	await vm.sh("systemctl stop portward portward-restore");
	expect(performance.now() - began).toBeLessThan(30_000);
	expect(await table()).toMatch(/comment "ports ingress\[0\] Block"/);
	expect([...(await usbTruth(vm)).hubs.values()].every(({ devices }) => devices === "0")).toBe(true);
	expect(await show("portward", "Result")).toEqual({ Result: "success" });
	await vm.sh("systemctl start portward", { timeout: 120_000 });
	await ready();
});

test("a boot begins with what was confirmed, before the network; a damaged ruleset is told and the one before it used", async () => {
	const last = policy("last", { action: "Block", ingress: [{ ports: [port("TCP", 82)] }] });
	await vm.put(`${policyDirectory}/last.yaml`, last, 0o644);
	await enforced("last", "ports", "sticks");
	await vm.waitFor(
		"grep -q 'last ingress' /var/lib/portward/boot.json && [ -s /var/lib/portward/boot.previous.json ]",
	);
	await vm.sh("echo torn > /var/lib/portward/boot.json; sync");
	await vm.reboot();
	expect(await vm.systemReady()).toBe("running");
	await ready();
	await logged("portward-restore", [
		"boot.json is damaged",
		"in force again, from the ruleset that was saved before it",
		"USB is locked",
	]);
	const at = async (unit: string) =>
		Number((await show(unit, "ActiveEnterTimestampMonotonic")).ActiveEnterTimestampMonotonic);
	expect(await at("nftables")).toBeLessThan(await at("portward-restore"));
	expect(await at("portward-restore")).toBeLessThan(await at("network-pre.target"));
	expect(await at("portward-restore")).toBeLessThan(await at("portward"));
	expect(await vm.sh("journalctl -b -o cat --no-pager | grep -i 'ordering cycle' || :")).toBe("");
	expect(await vm.sh("cat /var/lib/portward/usb.json")).toContain('"module":"-1"');
	await enforced("last", "ports", "sticks");
});
