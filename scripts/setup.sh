#!/usr/bin/env bash
# Makes a fresh Debian (or Ubuntu) with npm ready for this project.
#
#   scripts/setup.sh packages   the npm packages, Bun among them
#   scripts/setup.sh release    these, and what executes arm64's executable here, where that can be had
#   scripts/setup.sh            these, and what the tests, the demo and the benchmarks need from apt
#   scripts/setup.sh browser    all that, and a browser
#   scripts/setup.sh podman     all but the browser, and podman for the demo
#   scripts/setup.sh containers that, and Docker; neither is started
#   scripts/setup.sh ansible    all but the browser, and Ansible
#   scripts/setup.sh checkers   all but the browser, and what checks a release: lintian, rpmlint, SELinux's compiler
#
# It looks first and installs only what is missing, so a second run does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-all}

# shellcheck source=scripts/apt.sh
. scripts/apt.sh
say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

# Whether each package that the lock file asks for is there in its version.
packages_fit() {
	node -e '
		const { readFileSync } = require("node:fs");
		const lock = JSON.parse(readFileSync("package-lock.json", "utf8")).packages;
		for (const [path, wanted] of Object.entries(lock)) {
			if (path === "" || wanted.optional || wanted.peer) continue;
			let found = "";
			try { found = JSON.parse(readFileSync(path + "/package.json", "utf8")).version; } catch {}
			if (found !== wanted.version) process.exit(1);
		}
	'
}

bun_works() { [ "$(node_modules/.bin/bun --version 2>/dev/null)" = "$1" ]; }

command -v npm >/dev/null || fail "npm is missing: install nodejs and npm first"
if ! packages_fit; then
	say "installing the npm packages"
	npm ci --no-fund --no-audit
fi
# The `bun` package fetches its executable after the install, which npm may have been told not to run.
wanted=$(node -p 'require("./node_modules/bun/package.json").version')
if ! bun_works "$wanted"; then
	say "finishing the installation of Bun $wanted"
	node node_modules/bun/install.js
	bun_works "$wanted" || fail "Bun $wanted does not run on this machine: $(node_modules/.bin/bun --version 2>&1 | head -n 1)"
fi
[ "$what" = packages ] && exit 0

tools=node_modules/.cache/tools
# QEMU and libraries for executables of arm64. They are unpacked: installed, QEMU would register itself with the kernel.
has_emulator() {
	[ "$(uname -m)" != x86_64 ] ||
		{ [ -x $tools/usr/bin/qemu-aarch64-static ] && [ -e $tools/usr/aarch64-linux-gnu/lib/libc.so.6 ]; }
}
unpack_emulator() (
	mkdir -p $tools/emulator && cd $tools/emulator || exit 1
	trap 'rm -f ./*.deb' EXIT
	if ! apt-get download -qq qemu-user-static libc6-arm64-cross >/dev/null 2>&1; then
		# Without lists of packages apt knows none.
		apt_update >/dev/null 2>&1 && apt-get download -qq qemu-user-static libc6-arm64-cross >/dev/null 2>&1 || exit 1
	fi
	dpkg-deb --fsys-tarfile qemu-user-static_*.deb | tar -x -C ../ ./usr/bin/qemu-aarch64-static && dpkg-deb -x libc6-arm64-cross_*.deb ../
)
if [ "$what" = release ] || [ "$what" = checkers ]; then
	has_emulator || {
		say "unpacking what executes arm64's executable"
		unpack_emulator || say "note: it cannot be had here, so arm64's executable will be built and not executed"
	}
fi
[ "$what" = release ] && exit 0

[ "$(id -u)" = 0 ] || fail "run this as root: it works in network namespaces and loads nftables rules there"

missing=()
need() { missing+=("$1"); }
command -v nft >/dev/null || need nftables
compgen -G '/usr/lib/*/libnftables.so.1' >/dev/null || compgen -G '/usr/lib*/libnftables.so.1' >/dev/null || need libnftables1
command -v ip >/dev/null || need iproute2
command -v conntrack >/dev/null || need conntrack
# Another firewall to stand beside.
command -v iptables >/dev/null || need iptables
command -v gcc >/dev/null || need gcc
[ -e /usr/include/stdio.h ] || need libc6-dev
command -v strace >/dev/null || need strace
command -v unshare >/dev/null || need util-linux
command -v git >/dev/null || need git
# What the tests of the release and of install.sh hold them against.
command -v shellcheck >/dev/null || need shellcheck
command -v busybox >/dev/null || need busybox
command -v openssl >/dev/null || need openssl
command -v curl >/dev/null || need curl
command -v wget >/dev/null || need wget
command -v zsh >/dev/null || need zsh
command -v fish >/dev/null || need fish
command -v gpgv >/dev/null || need gpgv
command -v eu-strip >/dev/null || need elfutils
command -v rpm >/dev/null || need rpm
# Receivers of alerts.
command -v rsyslogd >/dev/null || need rsyslog
compgen -G '/usr/lib/*/rsyslog/lmnsd_ossl.so' >/dev/null || need rsyslog-openssl
[ -x /usr/lib/systemd/systemd-journald ] || [ -x /lib/systemd/systemd-journald ] || need systemd
# A client of gRPC that nobody here wrote.
/usr/bin/python3 -c "import grpc" 2>/dev/null || need python3-grpcio
/usr/bin/python3 -c "import google.protobuf" 2>/dev/null || need python3-protobuf
command -v aarch64-linux-gnu-as >/dev/null || need binutils-aarch64-linux-gnu
[ "$what" != browser ] || command -v chromium >/dev/null || command -v google-chrome >/dev/null || need chromium
[ "$what" != ansible ] || command -v ansible-playbook >/dev/null || need ansible-core
if [ "$what" = podman ] || [ "$what" = containers ]; then
	command -v podman >/dev/null || need podman
	command -v crun >/dev/null || need crun
	[ -x /usr/lib/podman/netavark ] || need netavark
	[ -x /usr/lib/podman/aardvark-dns ] || need aardvark-dns
	# Their image holds nothing but one program, and this.
	busybox=$(command -v busybox || echo /missing)
	if [ "$busybox" = /missing ] || ldd "$busybox" >/dev/null 2>&1; then need busybox-static; fi
fi
if [ "$what" = checkers ]; then
	command -v lintian >/dev/null || need lintian
	command -v rpmlint >/dev/null || need rpmlint
	command -v checkmodule >/dev/null || need checkpolicy
	command -v semodule_package >/dev/null || need semodule-utils
	command -v make >/dev/null || need make
	[ -e /usr/share/selinux/devel/Makefile ] || need selinux-policy-dev
fi
if [ "$what" = containers ]; then
	command -v dockerd >/dev/null || need docker.io
fi
# A server that comes with a package is neither started now nor at the next boot.
invoke_policy=/usr/sbin/policy-rc.d
install_packages() {
	if [ ! -e $invoke_policy ]; then
		trap 'rm -f $invoke_policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$invoke_policy
		chmod +x $invoke_policy
	fi
	# Debian's own timers install as well.
	apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >/dev/null
	[ -d /run/systemd/system ] || return 0
	case " $* " in *" docker.io "*) systemctl --quiet disable docker.service docker.socket containerd.service || true ;; esac
	case " $* " in *" rsyslog "*) systemctl --quiet disable rsyslog.service || true ;; esac
	case " $* " in *" podman "*) systemctl --quiet disable podman.service podman.socket || true ;; esac
}
has_promtool() { command -v promtool >/dev/null || [ -x $tools/usr/bin/promtool ]; }

if [ ${#missing[@]} -gt 0 ] || ! has_promtool; then
	command -v apt-get >/dev/null ||
		fail "this machine has no apt-get; install what is missing yourself: ${missing[*]-} promtool"
	export DEBIAN_FRONTEND=noninteractive
	say "apt-get update"
	apt_update
	if [ ${#missing[@]} -gt 0 ]; then
		say "installing ${missing[*]}"
		install_packages "${missing[@]}"
	fi
	if ! has_promtool; then
		# Installing the package would start a Prometheus server; its checker is all that is needed.
		say "unpacking promtool"
		mkdir -p $tools
		(cd $tools && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb)
	fi
fi
# npm scripts have node_modules/.bin on their PATH.
command -v promtool >/dev/null || ln -sf ../.cache/tools/usr/bin/promtool node_modules/.bin/promtool

unshare --net true 2>/dev/null || fail "this machine does not let root make network namespaces (a container needs CAP_SYS_ADMIN)"
unshare --net nft list ruleset >/dev/null 2>&1 || fail "nftables does not work here: $(unshare --net nft list ruleset 2>&1 | head -n 1)"
