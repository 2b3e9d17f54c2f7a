import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** Where the kernel, the Debian tree and the images are kept; scripts/setup-vm.sh fills it. */
export const cacheDir = resolve(import.meta.dir, "../../../.cache/vm");

/** What runs in the guest: sources of the programs, scripts, the list of Debian packages. */
export const guestDir = resolve(import.meta.dir, "../guest");

/** Paths of what QEMU boots. A name carries the hash of its inputs, so a stale image is never used. */
export interface Images {
	/** Uncompressed kernel, entered through PVH: seconds faster under emulation than unpacking a bzImage. */
	readonly kernel: string;
	/** Initramfs that holds the whole "fast" guest. */
	readonly fast: string;
	/** Initramfs that hands over to the disk of the "real" guest. */
	readonly boot: string;
	/** Debian with systemd, as an ext4 file system. */
	readonly real: string;
}

function hash(parts: readonly (string | Buffer)[]): string {
	const sum = createHash("sha256");
	for (const part of parts) sum.update(part).update("\0");
	return sum.digest("hex").slice(0, 16);
}

/** Undefined when scripts/setup-vm.sh has not yet prepared the kernel and the Debian tree. */
export function imagePaths(): Images | undefined {
	const version = join(cacheDir, "kernel/version");
	const rootfs = join(cacheDir, "rootfs.key");
	if (!existsSync(version) || !existsSync(rootfs)) return undefined;
	const base = [readFileSync(version), readFileSync(rootfs), readFileSync(join(import.meta.dir, "build.ts"))];
	const guest = readdirSync(guestDir, { recursive: true, encoding: "utf8" })
		.filter((name) => statSync(join(guestDir, name)).isFile())
		.sort()
		.flatMap((name) => [name, readFileSync(join(guestDir, name))]);
	const full = hash([...base, ...guest]);
	return {
		kernel: join(cacheDir, `vmlinux-${hash(base)}`),
		fast: join(cacheDir, `fast-${full}.cpio`),
		boot: join(cacheDir, `boot-${full}.cpio`),
		real: join(cacheDir, `real-${hash(base)}.ext4`),
	};
}

/** The images to boot, all there; else throws with what to run. */
export function readyImages(): Images {
	const images = imagePaths();
	if (images === undefined || !Object.values(images).every((path) => existsSync(path)))
		throw new Error("the VM images are missing or older than their sources: run scripts/setup-vm.sh");
	return images;
}
