#!/bin/sh
# Prepares what the VM tests boot: QEMU, Debian's kernel and the two guest images, under .cache/vm.
# Needs root, a Debian host and its package mirrors; a second run with unchanged inputs does nothing.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/apt.sh
. scripts/apt.sh
bun=node_modules/.bin/bun
cache=.cache/vm
guest_suite=bookworm

[ -x "$bun" ] || { echo "setup-vm: run npm ci first" >&2; exit 1; }
mkdir -p "$cache"
# One setup at a time; the lock goes with the process.
exec 9>"$cache/setup.lock"
flock -w 900 9

need() {
	for pair in qemu-system-x86_64:qemu-system-x86 mmdebstrap:mmdebstrap cpio:cpio xz:xz-utils depmod:kmod \
		mke2fs:e2fsprogs busybox:busybox-static gcc:gcc setpriv:util-linux; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
	done
	[ -e /usr/lib/x86_64-linux-gnu/libc.a ] || echo libc6-dev
}
packages=$(need)
if [ -n "$packages" ]; then
	apt_update
	# shellcheck disable=SC2086 # one word per package
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $packages >/dev/null
fi
# Without the static one the initramfs has no shell.
if ! [ -e "$cache/kernel/busybox" ]; then
	mkdir -p "$cache/kernel"
	if ldd "$(command -v busybox)" >/dev/null 2>&1; then
		apt-get -o DPkg::Lock::Timeout=300 install -y -qq busybox-static >/dev/null
	fi
	cp "$(command -v busybox)" "$cache/kernel/busybox"
fi

if ! [ -e "$cache/kernel/version" ]; then
	name=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	if [ -z "$name" ]; then
		apt_update
		name=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	fi
	rm -rf "$cache/kernel/deb" "$cache/kernel/tree"
	mkdir -p "$cache/kernel/deb"
	(cd "$cache/kernel/deb" && apt-get -qq -o APT::Sandbox::User=root download "$name")
	dpkg-deb -x "$cache"/kernel/deb/*.deb "$cache/kernel/tree"
	rm -rf "$cache/kernel/deb"
	version=$(basename "$cache"/kernel/tree/lib/modules/*)
	depmod -b "$cache/kernel/tree" "$version"
	echo "$version" >"$cache/kernel/version"
fi

include=$(paste -sd, test/vm/guest/packages.txt)
rootfs_key=$(echo "$guest_suite $include" | sha256sum | cut -c1-16)
if [ "$(cat "$cache/rootfs.key" 2>/dev/null)" != "$rootfs_key" ]; then
	rm -rf "$cache/rootfs" "$cache/rootfs.key"
	# prometheus and usbguard are there for the tests that want them, not for every boot.
	# shellcheck disable=SC2016 # $1 is for the hook's shell
	mmdebstrap --quiet --variant=minbase --mode=root --include="$include" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
		--customize-hook='systemctl --root="$1" disable prometheus.service nftables.service usbguard.service usbguard-dbus.service' \
		"$guest_suite" "$cache/rootfs"
	echo "$rootfs_key" >"$cache/rootfs.key"
fi

exec "$bun" test/vm/lab/build.ts
