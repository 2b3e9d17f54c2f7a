/** Reboots under the hammer: from the first link to the last moment nothing gets through that was blocked. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Plugged, plug } from "./lab/devices.ts";
import { devicePolicy } from "./lab/portward.ts";
import { bindsSince, nodesOf, usbTruth } from "./lab/truth.ts";
import { until } from "./lab/wait.ts";
import { Appliance, hammered, quiet, type Reboot } from "./support/appliance.ts";
import { releases } from "./support/releases.ts";

setDefaultTimeout(600_000);

describe("a reboot of the appliance, with Debian's nftables.service enabled", () => {
	let appliance: Appliance;
	let reboot: Reboot;
	let stick: Plugged;
	beforeAll(async () => {
		const { release, publicKey } = await releases();
		appliance = await Appliance.boot({ release, "public.pem": publicKey });
		await appliance.install(quiet);
		// Its stock settings flush every table when it starts, and its unit does when it stops.
		expect(await appliance.vm.sh("cat /etc/nftables.conf")).toContain("flush ruleset");
		await appliance.vm.sh("systemctl enable --now nftables");
		await appliance.hammer();
		await appliance.policies({ hammered, sticks: devicePolicy("no-sticks", "Block", "class: MASS-STORAGE") });
		reboot = await appliance.reboot(async () => {
			stick = await plug(appliance.vm, "storage", { port: "3" });
		});
	});
	afterAll(async () => await appliance?.vm.stop());

	test("no blocked packet gets through while it shuts down, up to the last moment", () => {
		expect(reboot.shutdown.blocked.sent).toBeGreaterThan(100);
		expect(reboot.shutdown.blocked.arrived).toBe(0);
		expect(reboot.shutdown.allowed.arrived).toBeGreaterThan(100);
		// An emulated machine may stand still for seconds, and then no packet goes anywhere either.
		expect(reboot.shutdown.gap).toBeLessThan(5000);
		expect(reboot.silence).toBeLessThan(5000);
	});

	test("no blocked packet gets through while it boots, from the first link until the agent is ready", () => {
		expect(reboot.linkUp).toBeLessThan(reboot.agentReady);
		expect(reboot.boot.duration).toBeGreaterThan(reboot.agentReady - reboot.linkUp);
		expect(reboot.boot.blocked.sent).toBeGreaterThan(100);
		expect(reboot.boot.blocked.arrived).toBe(0);
		expect(reboot.boot.lost).toBe(0);
	});

	test("the early loader comes after nftables.service and before the network", async () => {
		const flushed = await appliance.unit("nftables");
		const restored = await appliance.unit("portward-restore");
		expect([flushed.active, restored.active]).toEqual(["active", "active"]);
		expect(flushed.since).toBeLessThan(restored.since);
		expect(restored.since).toBeLessThan(reboot.linkUp);
		// A link that was up before anything was loaded shows that the hammer hits: it came through until then.
		expect(reboot.early.arrived).toBeGreaterThan(0);
		expect(reboot.lastEarly).toBeLessThan(restored.since + 1000);
	});

	test("a stick that is plugged in before the agent starts never meets a driver", async () => {
		const { vm } = appliance;
		const seen = await vm.events.uevent(
			({ action, name }) => action === "add" && name === stick.name,
			"the stick",
			{ mark: stick.mark },
		);
		expect(seen.at / 1000).toBeLessThan(reboot.agentReady);
		await until(60_000, "the agent to refuse the stick", async () => {
			const answer: { devices: { port: string; state: string }[] } = JSON.parse(
				await vm.sh("curl -fsS --unix-socket /var/lib/portward/status.sock http://localhost/v1/usb/devices"),
			);
			return answer.devices.some(({ port, state }) => port === stick.name && state === "refused");
		});
		expect([...(await bindsSince(vm, stick.name, stick.mark))]).toEqual([]);
		const truth = await usbTruth(vm);
		expect(nodesOf(truth, stick.name)).toEqual([]);
		for (const hub of truth.hubs.values()) expect(hub).toEqual({ devices: "0", interfaces: "0" });
	});

	test("without the early loader packets do get through until the agent is there", async () => {
		const { vm } = appliance;
		await vm.sh(`mkdir -p /etc/systemd/system/portward-restore.service.d
			printf '[Unit]\\nConditionPathExists=/nonexistent\\n' > /etc/systemd/system/portward-restore.service.d/off.conf
			systemctl daemon-reload`);
		const open = await appliance.reboot();
		expect(open.shutdown.blocked.arrived).toBe(0);
		expect(open.boot.blocked.arrived).toBeGreaterThan(0);
		// And none any more once the agent is.
		expect((await appliance.during(() => Bun.sleep(300))).blocked.arrived).toBe(0);
	});
});
