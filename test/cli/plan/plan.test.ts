/** `portward plan` without a daemon, in a network namespace and beside a sysfs of its own. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { runPlan } from "../../../src/cli/plan/plan.ts";
import { defaultConfig } from "../../../src/config/parse.ts";
import { PolicyEngine } from "../../../src/engine/policy-engine.ts";
import { writeState } from "../../../src/state/state-file.ts";
import { FakeKernel } from "../../enforcers/usb/support/fake-usb.ts";
import { badUsb, devicePolicy } from "../../enforcers/usb/support/shapes.ts";
import { block, policy, port } from "../../system/support/case.ts";
import { enterIsolatedNetwork, type IsolatedNetwork } from "../../system/support/isolated.ts";
import { CapturedIo, Files, portward } from "../support/portward.ts";

let network: IsolatedNetwork;
let kernel: FakeKernel;
let files: Files;
beforeAll(() => {
	network = enterIsolatedNetwork();
});
afterAll(() => network.leave());
beforeEach(() => {
	kernel = new FakeKernel();
	files = new Files();
	for (const name of ["now", "new", "state"]) mkdirSync(join(files.path, name));
	settings();
});
afterEach(() => {
	kernel.remove();
	files[Symbol.dispose]();
});

function settings(more: Readonly<Record<string, unknown>> = {}): void {
	files.config({ policyDir: join(files.path, "now"), stateDir: join(files.path, "state"), ...more });
}

async function plan(...args: string[]) {
	const io = new CapturedIo();
	const common = ["--policy-dir", join(files.path, "new"), "--config", join(files.path, ".config")];
	const code = await runPlan([...common, ...args], io, kernel.root);
	return { code, out: io.out_, error: io.error_ };
}

const web = policy("web", { action: "Allow", ingress: [{ ports: [port("TCP", 443)] }] });
const usb = (action: string) => devicePolicy("usb", [{ class: "HID", action }]);

describe("exit codes", () => {
	test("0 where nothing changes, and it says so", async () => {
		files.put("now/a.yaml", web);
		files.put("new/renamed.yaml", web);
		const { code, out } = await plan();
		expect(code).toBe(0);
		expect(out).toContain("no change");
	});

	test("2 where something changes: rules, and what becomes of the rest", async () => {
		files.put("new/a.yaml", web);
		const { code, out } = await plan();
		expect(code).toBe(2);
		expect(out).toContain(`+ Allow web ingress[0] (${join(files.path, "new/a.yaml")}:1)`);
		expect(out).toContain("ports: TCP 443");
		expect(out).toContain("ingress: accepted -> dropped");
	});

	test("1 where the new policies have errors, with their place", async () => {
		files.put("new/a.yaml", policy("web", { action: "Refuse" }));
		const { code, out, error } = await plan();
		expect([code, out]).toEqual([1, ""]);
		expect(error).toContain(`${join(files.path, "new/a.yaml")}:1:`);
		const json = await plan("--json");
		expect(json.code).toBe(1);
		expect(JSON.parse(json.out).diagnostics[0]).toMatchObject({ severity: "error" });
	});

	test("1 where there is no such directory", async () => {
		const gone = await portward(
			"plan",
			"--policy-dir",
			"/nonexistent",
			"--config",
			join(files.path, ".config"),
		);
		expect(gone.code).toBe(1);
		expect(gone.error).toContain("not-a-directory");
	});

	test("64 without a directory", async () => {
		expect((await portward("plan")).code).toBe(64);
	});
});

test("as JSON it has every part", async () => {
	settings({
		failsafe: { ingress: [{ protocol: "TCP", port: 22, cidr: "192.0.2.0/24", interface: "eth*" }] },
	});
	files.put("now/a.yaml", web);
	files.put("new/a.yaml", policy("web", { action: "Block", ingress: [{ from: [block("10.0.0.0/8")] }] }));
	const { code, out } = await plan("--json");
	expect(code).toBe(2);
	expect(JSON.parse(out)).toMatchObject({
		changes: true,
		directory: join(files.path, "new"),
		against: join(files.path, "now"),
		pending: false,
		rules: [
			{
				change: "changed",
				before: { policy: "web", direction: "ingress", index: 0, action: "Allow", line: 1 },
				after: { action: "Block", conditions: { from: ["10.0.0.0/8"] } },
			},
		],
		usbEntries: [],
		defaults: { ingress: { before: { unmatched: "block" }, after: { unmatched: "accept" } } },
		connections: { checked: true, total: 0, cut: [] },
		usbDevices: { checked: true, changes: [] },
		failsafe: [
			{
				direction: "ingress",
				index: 0,
				protocol: "tcp",
				cidr: "192.0.2.0/24",
				port: "22",
				interface: "eth*",
			},
		],
	});
});

test("a broken policy is held against its last good version", async () => {
	files.put("now/a.yaml", web);
	const daemon = new PolicyEngine({
		directory: join(files.path, "now"),
		stateDirectory: join(files.path, "state"),
		checkPermissions: true,
		hostname: "here",
		config: defaultConfig(),
	});
	daemon.reload(defaultConfig());
	expect(daemon.keep()).toBeNull();
	files.put("now/a.yaml", "kind: [");
	files.put("new/a.yaml", web);
	const same = await plan();
	expect(same.code).toBe(0);
	expect(same.error).toContain("in force now");
});

describe("what is in force", () => {
	const record = {
		id: "0123456789abcdef",
		source: "apply",
		from: "/somewhere",
		asker: null,
		boot: "b",
		started: 1,
		deadline: 2,
		seconds: 60,
		enforced: 1,
		digest: "d",
		base: null,
		confirming: null,
	};

	test("is what is confirmed while another change is pending, and it says so", async () => {
		expect(writeState(join(files.path, "state/pending.json"), record)).toBeNull();
		files.put("now/a.yaml", web);
		files.put("new/a.yaml", web);
		const { code, out } = await plan();
		expect(code).toBe(0);
		expect(out).toContain("what is confirmed");
		expect(JSON.parse((await plan("--json")).out)).toMatchObject({
			pending: true,
			against: join(files.path, "now"),
		});
	});

	test("with confirm: required is what was confirmed, not what lies in the policy directory", async () => {
		settings({ confirm: "required" });
		mkdirSync(join(files.path, "state/confirmed/policies"), { recursive: true });
		files.put("state/confirmed/policies/a.yaml", web);
		files.put("new/a.yaml", web);
		const { code, out } = await plan();
		expect(code).toBe(0);
		expect(out).toContain(join(files.path, "state/confirmed/policies"));
	});

	test("cannot be told where the policies cannot be read by this user, and nobody guesses", async () => {
		files.put("new/a.yaml", web);
		for (const name of ["", "new", "state"]) chmodSync(join(files.path, name), 0o755);
		chmodSync(join(files.path, "now"), 0o700);
		const nobody = 65534;
		process.seteuid?.(nobody);
		try {
			const { code, error } = await plan();
			expect([code, error]).toEqual([1, expect.stringContaining("unreadable-directory")]);
		} finally {
			process.seteuid?.(0);
		}
	});

	test("is told to any user who can read it, without the connections", async () => {
		files.put("new/a.yaml", web);
		for (const name of ["", "now", "new"]) chmodSync(join(files.path, name), 0o755);
		chmodSync(join(files.path, "state"), 0o700);
		process.seteuid?.(65534);
		try {
			const { code, out } = await plan();
			expect(code).toBe(2);
			expect(out).toContain("Open connections were not checked");
		} finally {
			process.seteuid?.(0);
		}
	});
});

test("policies that are not signed where they must be are warned of", async () => {
	settings({ policySignature: "required", trustedKeys: [`ed25519:${"B".repeat(42)}A=`] });
	files.put("new/a.yaml", web);
	const { code, error } = await plan();
	expect(code).toBe(2);
	expect(error).toContain("would be refused");
});

describe("USB devices that are plugged in", () => {
	beforeEach(() => {
		kernel.plug("1-1", {
			...badUsb,
			strings: { product: "Stick\u001b[31m" },
		});
	});

	test("are told where they would be refused, or work again", async () => {
		files.put("new/a.yaml", usb("Block"));
		const { code, out } = await plan();
		expect(code).toBe(2);
		expect(out).toContain("1-1 1d6b:0104 Stick\\x1b[31m: authorized -> partial");
		expect(out).toContain("interface 1 HID: refused by Block usb matchDevice[0]");
		files.put("now/a.yaml", usb("Block"));
		files.put("new/a.yaml", usb("Audit"));
		const back = JSON.parse((await plan("--json")).out);
		expect(back.usbDevices.changes).toMatchObject([
			{
				port: "1-1",
				before: "partial",
				after: "authorized",
				functions: [{ interface: 1, className: "HID", refused: false, cause: { action: "Audit", index: 0 } }],
			},
		]);
	});

	test("that were there before are spared as the settings say", async () => {
		settings({ presentDevices: "audit" });
		files.put("new/a.yaml", usb("Block"));
		expect(JSON.parse((await plan("--json")).out).usbDevices.changes).toEqual([]);
	});

	test("are not looked at where the enforcer is off, or the kernel has none", async () => {
		settings({ enableUSBDeviceHandler: false, enableNetworkPolicyEnforcer: false });
		const off = JSON.parse((await plan("--json")).out);
		expect(off.usbDevices).toMatchObject({ checked: false });
		expect(off.connections).toMatchObject({ checked: false });
		expect((await plan()).out).toContain("USB devices were not checked");
	});
});
