/** From `curl | sh` to `--uninstall --purge` on a Debian with systemd that has no network device. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Appliance, hammered, type Phase, quiet } from "./support/appliance.ts";
import { laterVersion, releases } from "./support/releases.ts";

setDefaultTimeout(400_000);

/** For what starts the agent or unpacks it, on a slow machine. */
const patience = { timeout: 300_000 };

const url = "http://127.0.0.1:8000";
const pipe = (flags = "") =>
	`curl -fsSL ${url}/install.sh | sh -s -- --url ${url} --public-key /host/public.pem ${flags}`;

/** The commands of each shell block of a section of README, without their comments. */
function readmeCommands(section: string): string[][] {
	const text = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
	const body = text.split(`\n## ${section}\n`)[1]?.split("\n## ")[0] ?? "";
	return [...body.matchAll(/```sh\n([^`]*)```/g)].map(([, block = ""]) =>
		block.split("\n").flatMap((line) => line.replace(/\s+#.*$/, "") || []),
	);
}

/** Files that may come and go, or change, without portward: logs, caches, what systemd and the lab write. */
const unrelated =
	"-path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /host -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd -o -path /var/lib/prometheus -o -path /root";

describe("the appliance", () => {
	let appliance: Appliance;
	let before: string;

	/** Every file's and link's name, kind, mode, owner and size; the ruleset; the units that systemd knows. */
	async function inventory(): Promise<string> {
		return await appliance.vm.sh(`find / \\( ${unrelated} \\) -prune -o ! -type d -printf '%p %M %u %s\\n' -o -printf '%p %M %u\\n' | sort
			nft list ruleset; systemctl list-unit-files --no-legend --no-pager; cat /sys/module/usbcore/parameters/authorized_default
			cat /sys/bus/usb/devices/usb*/authorized_default /sys/bus/usb/devices/usb*/interface_authorized_default`);
	}

	/** Nothing that is blocked has come through, all that is not has, and both were sent all the while. */
	function expectGuarded(phase: Phase): void {
		expect(phase.blocked.arrived).toBe(0);
		expect(phase.lost).toBe(0);
		expect(phase.blocked.sent).toBeGreaterThan(50);
		expect(phase.allowed.sent).toBeGreaterThan(50);
		expect(phase.gap).toBeLessThan(phase.duration / 2);
	}

	beforeAll(async () => {
		const { release, later, publicKey } = await releases();
		appliance = await Appliance.boot({ release, later, "public.pem": publicKey });
		appliance.vm.spawn("exec busybox httpd -f -p 127.0.0.1:8000 -h /host/release");
		await appliance.vm.waitFor(`curl -fsS -o /dev/null ${url}/install.sh`);
		// Loads what the tests below use: the kernel's modules and systemd's directories are no trace of portward.
		await appliance.vm.sh("nft list ruleset; mkdir -p /etc/systemd/system/multi-user.target.wants");
		before = await inventory();
	});
	afterAll(async () => await appliance?.vm.stop());

	test("a dry run changes nothing", async () => {
		const said = await appliance.vm.sh(pipe("--dry-run"), patience);
		expect(said).toContain("/usr/local/bin/portward");
		expect(await inventory()).toBe(before);
	});

	test("curl | sh installs a signed release, and its units are active", async () => {
		const { vm } = appliance;
		await vm.sh("mkdir -p /etc/portward");
		await vm.put("/etc/portward/config.yaml", quiet);
		expect(await vm.sh(pipe(), patience)).toContain("nothing is blocked");
		expect(await vm.sh("systemctl is-active portward portward-restore")).toBe("active\nactive");
		expect(await vm.sh("systemctl is-enabled portward portward-restore")).toBe("enabled\nenabled");
		expect(await vm.sh("systemctl show -p Type,StatusText portward")).toMatch(/^Type=notify\nStatusText=.+/);
		expect(await vm.sh("cat /etc/portward/config.yaml")).toBe(quiet.trim());
		await vm.waitFor("journalctl -u portward --no-pager | grep -q enforced");
	});

	test("a second run changes nothing", async () => {
		const { vm } = appliance;
		const { pid } = await appliance.unit("portward");
		const installed = await inventory();
		expect(await vm.sh(pipe(), patience)).toContain("Nothing changed");
		expect(await inventory()).toBe(installed);
		expect((await appliance.unit("portward")).pid).toBe(pid);
	});

	test("without policies nothing is blocked", async () => {
		await appliance.hammer();
		const phase = await appliance.during(() => Bun.sleep(500));
		expect(phase.blocked.sent).toBeGreaterThan(50);
		expect(phase.blocked.arrived).toBe(phase.blocked.sent);
		expect(phase.lost).toBe(0);
	});

	test("a policy that is dropped in takes effect on real packets, IPv4 and IPv6", async () => {
		const during = await appliance.during(() => appliance.policies({ hammered }));
		expect(during.lost).toBe(0);
		expectGuarded(await appliance.during(() => Bun.sleep(500)));
	});

	test("Debian's Prometheus scrapes it", async () => {
		const { vm } = appliance;
		await vm.put(
			"/etc/prometheus/portward.yml",
			"global: { scrape_interval: 1s }\nscrape_configs:\n- job_name: portward\n  static_configs: [{ targets: ['127.0.0.1:9755'] }]\n",
		);
		vm.spawn(
			"exec prometheus --config.file=/etc/prometheus/portward.yml --storage.tsdb.path=/tmp/tsdb --web.listen-address=127.0.0.1:9090",
		);
		const query = async (text: string) => {
			const answer = await vm.waitFor(
				`curl -fsS --data-urlencode 'query=${text}' http://127.0.0.1:9090/api/v1/query | grep '"metric"'`,
				{ timeout: 120_000, every: 500 },
			);
			const parsed: { data: { result: { metric: Record<string, string>; value: [number, string] }[] } } =
				JSON.parse(answer);
			return parsed.data.result;
		};
		expect((await query('up{job="portward"} == 1')).length).toBe(1);
		const enforcers = await query("portward_enforcer_up");
		expect(enforcers.map(({ metric, value }) => [metric.enforcer, value[1]]).sort()).toEqual([
			["network", "1"],
			["usb", "1"],
		]);
		await vm.sh("kill $(pidof prometheus); rm -r /etc/prometheus/portward.yml");
	});

	test("stop and start, restart, SIGKILL: nothing gets through and nothing is lost", async () => {
		const { vm } = appliance;
		expectGuarded(
			await appliance.during(() => vm.sh("systemctl stop portward; systemctl start portward", patience)),
		);
		expectGuarded(await appliance.during(() => vm.sh("systemctl restart portward", patience)));
		expectGuarded(await appliance.during(() => appliance.kill()));
	});

	test("OOM kill: the agent comes back, and enforcement stays", async () => {
		const { vm } = appliance;
		const { pid, restarts } = await appliance.unit("portward");
		expectGuarded(
			await appliance.during(async () => {
				const group = "/sys/fs/cgroup/system.slice/portward.service";
				// What it holds is more than this, and it has no swap: the kernel kills it at once.
				await vm.run(`echo 8M > ${group}/memory.max`);
				await appliance.ready(pid);
			}),
		);
		await vm.waitFor("journalctl -u portward --no-pager | grep -q oom-kill");
		expect((await appliance.unit("portward")).restarts).toBeGreaterThan(restarts);
	});

	test("an upgrade replaces the version under traffic: nothing gets through and nothing is lost", async () => {
		const { vm } = appliance;
		let said = "";
		const phase = await appliance.during(async () => {
			said = await vm.sh("sh /host/later/install.sh --public-key /host/public.pem", patience);
		});
		expectGuarded(phase);
		expect(said).toContain(`portward ${laterVersion}`);
		expect(await vm.sh("portward version")).toContain(laterVersion);
		expect(
			await vm.sh("curl -fsS --unix-socket /var/lib/portward/status.sock http://localhost/v1/status"),
		).toContain(`"version":"${laterVersion}"`);
	});

	test("--uninstall --purge says that the rules are released, and leaves nothing behind", async () => {
		const { vm } = appliance;
		await appliance.hush();
		const said = await vm.sh("sh /host/later/install.sh --uninstall --purge", patience);
		expect(said).toContain("nothing is blocked any more");
		expect(await inventory()).toBe(before);
	});

	test("the commands of README's install section do what it says, word for word", async () => {
		const { vm } = appliance;
		const [, install = [], first = [], remove = []] = readmeCommands("Install");
		// The names that stand for the reader's own are real here.
		await vm.sh(`echo 127.0.0.1 MIRROR >> /etc/hosts; mkdir -p /mnt/stick /root/here/my-policies
			ln -s /host/release /mnt/stick/VERSION; ln -s /host/release /root/here/DIR
			cp /host/release/install.sh /root/here; cp /host/public.pem /root/here/release.pem`);
		await vm.put("/root/here/my-policies/hammered.yaml", hammered);
		vm.spawn("exec busybox httpd -f -p 127.0.0.1:80 -h /host/release");
		await vm.waitFor("curl -fsS -o /dev/null http://MIRROR/install.sh");
		const run = async (command: string) => await vm.sh(`cd /root/here && ${command}`, patience);
		const said = [];
		for (const command of install) said.push(await run(command));
		expect(said).toEqual([
			expect.stringContaining("nothing is blocked"),
			expect.stringContaining("Nothing changed"),
			expect.stringMatching(/the signature of the release is good\n.*Nothing changed/s),
			expect.stringContaining("put it at /usr/local/bin/portward"),
		]);
		const [status = "", validate = "", plan = "", apply = "", confirm = ""] = first;
		expect(await run(status)).toContain("network");
		await run(validate);
		const planned = await vm.run(`cd /root/here && ${plan}`, patience);
		expect([planned.code, planned.stdout]).toEqual([2, expect.stringContaining("hammered")]);
		expect(await run(apply)).toContain("confirm");
		expect(await vm.sh("ls /etc/portward/policies")).toBe("");
		await run(confirm);
		expect(await vm.sh("ls /etc/portward/policies")).toBe("hammered.yaml");
		expect(await vm.sh("portward status")).toContain("hammered: enforced");
		const [uninstall = "", purge = ""] = remove;
		expect(await run(uninstall)).toContain("nothing is blocked any more");
		expect(await vm.sh("ls /etc/portward/policies")).toBe("hammered.yaml");
		await run(purge);
		await vm.sh("sed -i '/MIRROR/d' /etc/hosts; rm -r /mnt/stick");
		expect(await inventory()).toBe(before);
	});
});
