import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plug } from "./lab/devices.ts";
import { Vm } from "./lab/vm.ts";

const bootMs = 900_000;
setDefaultTimeout(180_000);

describe("a fast guest", () => {
	let vm: Vm;
	let dir: string;
	beforeAll(async () => {
		dir = mkdtempSync(join(tmpdir(), "portward-test."));
		writeFileSync(join(dir, "note"), "from the host\n");
		vm = await Vm.boot({ flavour: "fast", files: { "sub/note": join(dir, "note") } });
	}, bootMs);
	afterAll(async () => {
		await vm?.stop();
		rmSync(dir, { recursive: true });
	});

	test("runs Debian's kernel with the libraries that the product loads", async () => {
		expect(await vm.sh("uname -r")).toMatch(/^6\.1\.0-\d+-amd64$/);
		expect(await vm.sh("ls /usr/lib/x86_64-linux-gnu")).toContain("libnftables.so.1");
		expect(await vm.sh("nft add table inet t && nft list tables && nft delete table inet t")).toBe(
			"table inet t",
		);
	});

	test("has no network device but loopback", async () => {
		expect(await vm.sh("ls /sys/class/net")).toBe("lo");
	});

	test("reports code, standard output and standard error apart", async () => {
		const result = await vm.run("echo out; echo err >&2; exit 3");
		expect(result).toEqual({ code: 3, reason: "exit", stdout: "out\n", stderr: "err\n" });
	});

	test("carries a megabyte and bytes that are not text", async () => {
		const { stdout } = await vm.run("dd if=/dev/zero bs=1024 count=1024 2>/dev/null | tr '\\0' x");
		expect(stdout).toBe("x".repeat(1 << 20));
		await vm.put(
			"/tmp/bytes",
			Uint8Array.from({ length: 256 }, (_, i) => i),
		);
		expect(await vm.sh("od -An -v -tu1 /tmp/bytes | tr -s ' \\n' ' '")).toBe(
			` ${Array.from({ length: 256 }, (_, i) => i).join(" ")} `,
		);
	});

	test("kills a command whose time is up, with what it started", async () => {
		const result = await vm.run("sleep 1000 & echo $!; sleep 1000", { timeout: 500 });
		expect(result.reason).toBe("timeout");
		expect((await vm.run(`kill -0 ${result.stdout.trim()}`)).code).not.toBe(0);
	});

	test("runs commands at the same time, and feeds one that waits for input", async () => {
		const cat = vm.spawn("while read line; do echo got $line; done; echo end");
		cat.write("one\n");
		expect(await cat.lines.find(() => true, "the first line")).toBe("got one");
		expect(await vm.sh("echo meanwhile")).toBe("meanwhile");
		cat.closeInput();
		expect((await cat.exited).stdout).toBe("got one\nend\n");
	});

	test("sees the host's files, read-only", async () => {
		expect(await vm.sh("cat /host/sub/note")).toBe("from the host");
		expect((await vm.run("echo x > /host/sub/note")).code).not.toBe(0);
	});

	test("records the kernel's log and uevents in order", async () => {
		const mark = vm.events.mark();
		await vm.sh("echo lab-marker > /dev/kmsg; echo add > /sys/class/mem/null/uevent");
		await vm.events.uevent((event) => event.name === "null", "the event", { mark });
		await vm.events.find((event) => event.kind === "log" && event.text === "lab-marker", "the log line", {
			mark,
		});
		const seqnums = vm.events.uevents().map((event) => event.seqnum);
		expect(seqnums).toEqual([...seqnums].sort((a, b) => a - b));
		// From before the first USB bus on.
		expect(vm.events.uevents((event) => event.action === "add" && event.name === "usb1")).toHaveLength(1);
	});
});

test("a VM ends with the process that started it", async () => {
	const script = `
		const { Vm } = await import(${JSON.stringify(join(import.meta.dir, "lab/vm.ts"))});
		const vm = await Vm.boot({ flavour: "fast" });
		console.log(vm.qemuPid, vm.path("."));
		await new Promise(() => {});`;
	const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
	let line = "";
	for await (const chunk of child.stdout) {
		line += new TextDecoder().decode(chunk);
		if (line.endsWith("\n")) break;
	}
	const [pid = "", dir = ""] = line.trim().split(" ");
	expect(() => process.kill(Number(pid), 0)).not.toThrow();
	child.kill("SIGKILL");
	await child.exited;
	// The next VM gets the lock only once the first is gone.
	await using vm = await Vm.boot({ flavour: "fast" });
	expect(vm.qemuPid).not.toBe(Number(pid));
	expect(() => process.kill(Number(pid), 0)).toThrow();
	rmSync(dir, { recursive: true });
});

describe("a real guest", () => {
	let vm: Vm;
	beforeAll(async () => {
		vm = await Vm.boot({ flavour: "real" });
	}, bootMs);
	afterAll(async () => await vm?.stop());

	test("runs systemd to the end of its start, without a failed unit", async () => {
		expect(await vm.systemReady()).toBe("running");
		expect(await vm.sh("cat /proc/1/comm")).toBe("systemd");
		expect(await vm.sh(". /etc/os-release; echo $ID $VERSION_ID")).toBe("debian 12");
	});

	test("keeps its disk over a reboot", async () => {
		const before = await vm.sh("cat /proc/sys/kernel/random/boot_id");
		await vm.sh("echo kept > /var/lib/kept");
		await vm.reboot();
		expect(await vm.sh("cat /var/lib/kept")).toBe("kept");
		expect(await vm.sh("cat /proc/sys/kernel/random/boot_id")).not.toBe(before);
		expect(await vm.systemReady()).toBe("running");
	});

	test("has recorded USB from the first bus on, in every boot, and what was plugged in before", async () => {
		const { name } = await plug(vm, "keyboard", { port: "3" });
		await vm.waitFor(`[ -e /sys/bus/usb/devices/${name}:1.0/driver ]`);
		const mark = vm.events.mark();
		await vm.reboot();
		const bound = await vm.events.uevent(
			(event) => event.action === "bind" && event.name === `${name}:1.0`,
			"the keyboard",
			{ mark, ms: 120_000 },
		);
		expect(bound.properties.get("DRIVER")).toBe("usbhid");
		const buses = vm.events.uevents((event) => event.action === "add" && /^usb\d+$/.test(event.name), mark);
		expect(buses.map((event) => event.name).sort()).toEqual(["usb1", "usb2"]);
		expect(buses.every((event) => event.seqnum < bound.seqnum)).toBe(true);
	});

	test("has the programs that the product's tests use", async () => {
		for (const program of ["curl", "openssl", "nft", "ip", "ss", "prometheus", "systemd-analyze"])
			expect((await vm.run(`command -v ${program}`)).code).toBe(0);
		// Off until a test starts them.
		expect((await vm.run("systemctl is-enabled prometheus nftables")).stdout).toBe("disabled\ndisabled\n");
	});

	test("comes back after a reset", async () => {
		await vm.sh("echo kept > /var/lib/synced; sync");
		await vm.reboot({ hard: true });
		expect(await vm.sh("cat /var/lib/synced")).toBe("kept");
	});
});
