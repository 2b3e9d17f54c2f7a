// Builds what Vm boots from the kernel package and the Debian tree that scripts/setup-vm.sh has fetched.

import {
	chmodSync,
	copyFileSync,
	cpSync,
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	realpathSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { $ } from "bun";
import { cacheDir, guestDir, type Images, imagePaths } from "./images.ts";

const kernelVersion = readFileSync(join(cacheDir, "kernel/version"), "utf8").trim();
const kernelModules = join(cacheDir, "kernel/tree/lib/modules", kernelVersion);
const rootfs = join(cacheDir, "rootfs");

// What the "fast" guest can load: USB from both sides, storage, input, sound and serial behind it, links and netfilter.
const fastModules = [
	/^kernel\/drivers\/virtio\/virtio_(pci|balloon)/,
	/^kernel\/drivers\/block\/(virtio_blk|loop)\.ko/,
	/^kernel\/drivers\/char\/virtio_console\.ko/,
	/^kernel\/fs\/(ext4|configfs|fat|overlayfs)\//,
	/^kernel\/fs\/nls\/nls_(cp437|ascii|utf8)\.ko/,
	/^kernel\/crypto\/crc32c_generic\.ko/,
	/^kernel\/drivers\/usb\/(core|host|storage|gadget|class|usbip)\//,
	/^kernel\/drivers\/usb\/serial\/(usbserial|ftdi_sio|pl2303|cp210x)\.ko/,
	/^kernel\/drivers\/net\/usb\/(usbnet|cdc_.*|rndis_host)\.ko/,
	/^kernel\/drivers\/net\/(dummy|macvlan|tun|veth|vrf)\.ko/,
	/^kernel\/drivers\/net\/(bonding|wireguard)\//,
	/^kernel\/drivers\/hid\/(usbhid\/|hid-generic|uhid|hid\.ko)/,
	/^kernel\/drivers\/input\/(evdev|mousedev|misc\/uinput)/,
	/^kernel\/drivers\/scsi\/(sd_mod|sr_mod|sg)\.ko/,
	/^kernel\/sound\/usb\/snd-usb(-audio|midi-lib)\.ko/,
	/^kernel\/net\/netfilter\/(nf|nft)_.*/,
	/^kernel\/net\/netfilter\/nfnetlink.*/,
	/^kernel\/net\/ipv[46]\/netfilter\/(nf|nft)_.*/,
	/^kernel\/net\/bridge\/bridge\.ko/,
];
const bootModules = [
	/\/virtio_(pci|blk|console)\.ko/,
	/^kernel\/fs\/ext4\//,
	/^kernel\/crypto\/crc32c_generic\.ko/,
];
// A real host's modules, less what hardware that QEMU does not have would need.
const realModules = [
	/^kernel\/(crypto|lib|arch|net|block|security|kernel|mm)\//,
	/^kernel\/fs\/(ext4|fat|nls|overlayfs|fuse|configfs|autofs|efivarfs|squashfs|isofs|udf)\//,
	/^kernel\/drivers\/(usb|hid|input|virtio|char|block|acpi|firmware|rtc)\//,
	/^kernel\/drivers\/net\/([^/]*\.ko|usb\/)/,
	/^kernel\/drivers\/scsi\/[^/]*\.ko/,
	/^kernel\/sound\/(core|usb)\//,
];

const fastPrograms = [
	"/usr/sbin/nft",
	"/usr/bin/udevadm",
	"/usr/bin/kmod",
	"/usr/bin/ip",
	"/usr/bin/curl",
	"/usr/bin/wg",
	"/usr/sbin/usbguard-daemon",
	"/usr/bin/usbguard",
];
const fastLibraries = [
	"libnftables.so.1",
	"libudev.so.1",
	"libpthread.so.0",
	"libdl.so.2",
	"libm.so.6",
	"librt.so.1",
];

function dependencies(): Map<string, string[]> {
	const map = new Map<string, string[]>();
	for (const line of readFileSync(join(kernelModules, "modules.dep"), "utf8").split("\n")) {
		const [name, needs] = line.split(":");
		if (name && needs !== undefined) map.set(name, needs.split(" ").filter(Boolean));
	}
	return map;
}

async function installModules(root: string, patterns: readonly RegExp[]): Promise<number> {
	const needs = dependencies();
	const chosen = new Set<string>();
	for (const name of needs.keys()) {
		if (!patterns.some((pattern) => pattern.test(name))) continue;
		chosen.add(name);
		for (const need of needs.get(name) ?? []) chosen.add(need);
	}
	const target = join(root, "usr/lib/modules", kernelVersion);
	rmSync(target, { recursive: true, force: true });
	for (const name of chosen) {
		mkdirSync(dirname(join(target, name)), { recursive: true });
		copyFileSync(join(kernelModules, name), join(target, name));
	}
	for (const file of ["modules.order", "modules.builtin", "modules.builtin.modinfo"])
		copyFileSync(join(kernelModules, file), join(target, file));
	await $`depmod -b ${root} ${kernelVersion}`;
	return chosen.size;
}

// The uncompressed kernel is in the bzImage at the place that its header gives (Documentation/x86/boot.rst:
// setup_sects at 0x1f1, payload_offset at 0x248, payload_length at 0x24c; the last 4 bytes are the size).
async function extractKernel(output: string): Promise<void> {
	const image = readFileSync(join(cacheDir, "kernel/tree/boot", `vmlinuz-${kernelVersion}`));
	const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248);
	const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
	const kernel = await $`xz -dc --single-stream < ${payload}`.quiet().arrayBuffer();
	writeFileSync(output, new Uint8Array(kernel));
}

function skeleton(root: string): void {
	rmSync(root, { recursive: true, force: true });
	for (const dir of [
		"usr/bin",
		"usr/sbin",
		"usr/lib",
		"usr/lib64",
		"proc",
		"sys",
		"dev",
		"run/lab",
		"etc",
		"sysroot",
	])
		mkdirSync(join(root, dir), { recursive: true });
	for (const link of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${link}`, join(root, link));
}

async function installLab(root: string): Promise<void> {
	const lab = join(root, "run/lab");
	for (const entry of readdirSync(guestDir, { withFileTypes: true })) {
		const source = join(guestDir, entry.name);
		// A folder is a program in C.
		if (entry.isDirectory()) {
			const sources = readdirSync(source).filter((file) => file.endsWith(".c"));
			await $`gcc -static -O2 -Wall -Wextra -Werror -o ${join(lab, entry.name)} ${sources}`.cwd(source);
		} else if (entry.name === "init") copyFileSync(source, join(root, "init"));
		else copyFileSync(source, join(lab, entry.name));
	}
	chmodSync(join(root, "init"), 0o755);
	copyFileSync(join(cacheDir, "kernel/busybox"), join(lab, "busybox"));
	chmodSync(join(lab, "busybox"), 0o755);
}

async function pack(root: string, output: string): Promise<void> {
	await $`find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc --quiet -R 0:0 > ${output}`.cwd(root);
}

async function buildFast(output: string): Promise<void> {
	const root = join(cacheDir, "work-fast");
	skeleton(root);
	await installLab(root);
	const libraries = fastLibraries.map((name) => `/usr/lib/x86_64-linux-gnu/${name}`);
	const listing = await $`chroot ${rootfs} /usr/bin/ldd ${[...fastPrograms, ...libraries]}`.nothrow().text();
	const linked = [...listing.matchAll(/(\/\S+) \(0x/g)].map((found) => found[1] ?? "");
	for (const file of new Set([...fastPrograms, ...libraries, ...linked])) {
		const target = join(root, file);
		mkdirSync(dirname(target), { recursive: true });
		if (!existsSync(target)) copyFileSync(inRootfs(file), target);
	}
	for (const tool of ["modprobe", "insmod", "lsmod", "rmmod", "modinfo"])
		symlinkSync("../bin/kmod", join(root, "usr/sbin", tool));
	mkdirSync(join(root, "usr/lib/systemd"), { recursive: true });
	symlinkSync("/usr/bin/udevadm", join(root, "usr/lib/systemd/systemd-udevd"));
	for (const path of [
		"usr/lib/udev/rules.d",
		"etc/protocols",
		"etc/services",
		"etc/passwd",
		"etc/group",
		"etc/nsswitch.conf",
		"etc/os-release",
	])
		if (existsSync(join(rootfs, path)))
			cpSync(realpathSync(join(rootfs, path)), join(root, path), { recursive: true });
	const present = new Set([...readdirSync(join(root, "usr/bin")), ...readdirSync(join(root, "usr/sbin"))]);
	for (const applet of (await $`${join(cacheDir, "kernel/busybox")} --list`.text()).trim().split("\n"))
		if (!present.has(applet)) symlinkSync("/run/lab/busybox", join(root, "usr/bin", applet));
	const count = await installModules(root, fastModules);
	await pack(root, output);
	rmSync(root, { recursive: true });
	console.log(`fast: ${count} modules, ${Math.round(lstatSync(output).size / 1048576)} MiB`);
}

/** A file of the Debian tree, its links followed inside that tree. */
function inRootfs(path: string): string {
	const full = join(rootfs, path);
	return realpathSync(full).startsWith(realpathSync(rootfs)) ? full : join(rootfs, realpathSync(full));
}

async function buildBoot(output: string): Promise<void> {
	const root = join(cacheDir, "work-boot");
	skeleton(root);
	await installLab(root);
	for (const applet of ["modprobe", "mount"]) symlinkSync("/run/lab/busybox", join(root, "usr/bin", applet));
	await installModules(root, bootModules);
	await pack(root, output);
	rmSync(root, { recursive: true });
}

async function buildReal(output: string): Promise<void> {
	await installModules(rootfs, realModules);
	writeFileSync(join(rootfs, "etc/hostname"), "lab\n");
	writeFileSync(join(rootfs, "etc/hosts"), "127.0.0.1 localhost lab\n::1 localhost\n");
	writeFileSync(join(rootfs, "etc/fstab"), "/dev/vda / ext4 rw,noatime 0 1\n");
	// A machine that has an identity does not go through systemd's first boot.
	writeFileSync(join(rootfs, "etc/machine-id"), "00000000000000000000000000000001\n");
	mkdirSync(join(rootfs, "host"), { recursive: true });
	for (const unit of [
		"apt-daily.timer",
		"apt-daily-upgrade.timer",
		"dpkg-db-backup.timer",
		"e2scrub_all.timer",
		"e2scrub_reap.service",
	]) {
		const path = join(rootfs, "etc/systemd/system", unit);
		rmSync(path, { force: true });
		symlinkSync("/dev/null", path);
	}
	const used = Number.parseInt(await $`du -sm ${rootfs}`.text(), 10);
	// Room for the product, its upgrades and a filled disk; the image is sparse.
	const size = `${used + 1024}M`;
	await $`mke2fs -q -F -t ext4 -O ^has_journal -m 0 -L lab -d ${rootfs} ${output} ${size}`;
	console.log(`real: ${used} MiB`);
}

const builders: { readonly [name in keyof Images]: (output: string) => Promise<void> } = {
	kernel: extractKernel,
	fast: buildFast,
	boot: buildBoot,
	real: buildReal,
};

const images = imagePaths();
if (images === undefined) throw new Error("run scripts/setup-vm.sh");
for (const name of ["kernel", "fast", "boot", "real"] as const) {
	const output = images[name];
	if (existsSync(output)) continue;
	const partial = join(cacheDir, `partial-${name}`);
	rmSync(partial, { force: true });
	await builders[name](partial);
	const family = basename(output).split("-")[0];
	for (const old of readdirSync(cacheDir))
		if (old.startsWith(`${family}-`)) rmSync(join(cacheDir, old), { recursive: true });
	renameSync(partial, output);
}
