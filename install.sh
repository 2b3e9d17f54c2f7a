#!/bin/sh
# Installs portward on this host, upgrades it, or removes it. Needs nothing but the release folder:
#
#   curl -fsSL http://MIRROR/install.sh | sh
#   sh install.sh --from DIR
#
# `sh install.sh --help` says the rest. Nothing runs before the last line is read, so a download that is cut off runs nothing.

# Where the release was made to be served, if it was said then.
stamped_url=''

usage() {
	cat <<'END'
Usage: install.sh [OPTION...]
       install.sh --uninstall [--purge | --keep-rules] [--dry-run]

Installs portward, or upgrades it while its rules stay in force.

  --from DIR         take the release from a directory
  --url URL          or download it, with curl or wget; PORTWARD_URL does the same
  --public-key FILE  verify the signature of the release with this Ed25519 public
                     key in PEM; needs openssl 3.0 or later
  --allow-downgrade  install a version that is older than the one that is there
  --allow-expired    install a release after the day on which it expires
  --failsafe-ssh     in a config that is newly written, always let SSH in from the
                     address of this session, whatever the policies say
  --dry-run          say each step and change nothing
  --uninstall        release the rules and remove portward; settings, policies and
                     state stay
  --purge            with --uninstall: remove these too
  --keep-rules       with --uninstall: release nothing, for a package (.deb or
                     .rpm) that takes over
  --root DIR         look for files and put them below DIR instead of /; systemctl is
                     the one of this host all the same (for tests)
  --help             this text

Without --from, --url and PORTWARD_URL the release is taken from the directory
where install.sh lies, or from where it was made to be served.
Exit codes: 0 done, 1 failure (of an upgrade: the old version is still there), 64 wrong usage.
END
}

say() { printf '%s\n' "$*"; }
fail() {
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}
wrong() {
	printf 'install.sh: %s\nTry: install.sh --help\n' "$*" >&2
	exit 64
}

# step TEXT COMMAND…: says it, and does it unless only the steps are asked for.
step() {
	say "- $1"
	shift
	[ -n "$dry_run" ] || "$@" || fail "that failed: $*"
}

# --- the host

# The package manager's family: debian, fedora, suse, alpine, or nothing when unknown.
family() {
	ids=$(sed -n 's/^ID=//p; s/^ID_LIKE=//p' "$root/etc/os-release" 2>/dev/null | tr -d "\"'" | tr '\n' ' ')
	for id in $ids; do
		case $id in
		debian | ubuntu) echo debian && return ;;
		fedora | rhel | centos) echo fedora && return ;;
		suse | opensuse* | sles) echo suse && return ;;
		alpine) echo alpine && return ;;
		esac
	done
}

# remedy WHAT: how this distribution installs it.
remedy() {
	case $(family):$1 in
	debian:nftables) echo "apt-get install libnftables1" ;;
	fedora:nftables) echo "dnf install nftables" ;;
	suse:nftables) echo "zypper install libnftables1" ;;
	alpine:nftables) echo "apk add nftables" ;;
	debian:kernel) echo "apt-get install linux-image-$architecture_debian, and boot it" ;;
	fedora:kernel) echo "dnf install kernel-modules-core, for the kernel that runs" ;;
	suse:kernel) echo "zypper install kernel-default, and boot it" ;;
	alpine:kernel) echo "apk add linux-lts, and boot it" ;;
	debian:openssl) echo "apt-get install openssl" ;;
	fedora:openssl) echo "dnf install openssl" ;;
	suse:openssl) echo "zypper install openssl" ;;
	alpine:openssl) echo "apk add openssl" ;;
	alpine:libstdc++) echo "apk add libstdc++" ;;
	*:nftables) echo "install the package that has libnftables.so.1" ;;
	*:kernel) echo "boot a kernel with CONFIG_NF_TABLES" ;;
	*:openssl) echo "install openssl" ;;
	*:libstdc++) echo "install libstdc++" ;;
	esac
}

identify() {
	case $(uname -m) in
	x86_64 | amd64) architecture=x64 triplet=x86_64-linux-gnu loader=/lib64/ld-linux-x86-64.so.2 architecture_debian=amd64 ;;
	aarch64 | arm64) architecture=arm64 triplet=aarch64-linux-gnu loader=/lib/ld-linux-aarch64.so.1 architecture_debian=arm64 ;;
	*) fail "there is no portward for $(uname -m): x86_64 and aarch64 are supported" ;;
	esac
	libc=glibc
	if ! [ -e "$root$loader" ]; then
		for file in "$root"/lib/ld-musl-*.so.1; do
			[ ! -e "$file" ] || libc=musl
		done
	fi
	target=linux-$architecture-$libc
}

has_library() {
	for folder in "/usr/lib/$triplet" "/lib/$triplet" /usr/lib64 /lib64 /usr/lib /lib; do
		[ ! -e "$root$folder/$1" ] || return 0
	done
	return 1
}

# Whether the kernel has nf_tables: 0 yes, 1 no, 2 that cannot be seen.
has_nf_tables() {
	release=$(uname -r)
	[ ! -d "$root/sys/module/nf_tables" ] || return 0
	! grep -qs '/nf_tables\.ko' "$root/lib/modules/$release/modules.builtin" "$root/lib/modules/$release/modules.dep" || return 0
	! nft list tables >/dev/null 2>&1 || return 0
	[ -d "$root/lib/modules/$release" ] || return 2
	return 1
}

check_host() {
	missing=
	[ "$(uname -s)" = Linux ] || fail "portward is for Linux"
	[ "$(id -u)" = 0 ] || fail "run this as root"
	[ ! -e "$root/usr/lib/portward/package.sh" ] ||
		fail "portward is installed as a package here: upgrade or remove it with apt, dnf, zypper or rpm"
	if ! [ -d "$root/run/systemd/system" ] || ! command -v systemctl >/dev/null; then
		missing="$missing
  systemd, which starts portward: this host was not booted with it"
	fi
	has_library libnftables.so.1 || missing="$missing
  libnftables.so.1: $(remedy nftables)"
	if [ $libc = musl ] && ! has_library libstdc++.so.6; then
		missing="$missing
  libstdc++.so.6: $(remedy libstdc++)"
	fi
	seen=0
	has_nf_tables || seen=$?
	if [ $seen = 1 ]; then
		missing="$missing
  nf_tables in the kernel $(uname -r): $(remedy kernel)"
	fi
	if [ -n "$public_key" ] && ! command -v openssl >/dev/null; then
		missing="$missing
  openssl, to verify the signature: $(remedy openssl)"
	fi
	command -v sha256sum >/dev/null || missing="$missing
  sha256sum"
	command -v gzip >/dev/null || missing="$missing
  gzip"
	[ -z "$missing" ] || fail "this host lacks:$missing"
	[ $seen != 2 ] || say "note: whether this kernel has nf_tables cannot be seen from here; portward says so when it starts"
}

# --- the release

# get NAME: a file of the release into $work.
get() {
	mkdir -p "$work/$(dirname "$1")"
	if [ -n "$from" ]; then
		[ -f "$from/$1" ] && cp "$from/$1" "$work/$1"
	elif command -v curl >/dev/null; then
		curl -fsSL --retry 3 -o "$work/$1" "$url/$1"
	elif command -v wget >/dev/null; then
		wget -q -O "$work/$1" "$url/$1"
	else
		fail "downloading needs curl or wget; or copy the release here and use --from DIR"
	fi
}

# get_verified NAME: and holds it against its checksum.
get_verified() {
	wanted=$(sed -n "s|^\([0-9a-f]\{64\}\)  $1\$|\1|p" "$work/SHA256SUMS")
	[ -n "$wanted" ] || return 1
	get "$1" || fail "the release at $origin does not give $1"
	found=$(sha256sum <"$work/$1")
	[ "${found%% *}" = "$wanted" ] || fail "$1 is not what SHA256SUMS says: it was changed or damaged"
}

fetch_release() {
	if [ -n "$from" ]; then origin=$from; else origin=$url; fi
	get SHA256SUMS || fail "there is no release at $origin: SHA256SUMS cannot be read"
	if [ -n "$public_key" ]; then
		get SHA256SUMS.sig || fail "the release at $origin is not signed: SHA256SUMS.sig cannot be read"
		openssl pkeyutl -verify -pubin -inkey "$public_key" -rawin -in "$work/SHA256SUMS" -sigfile "$work/SHA256SUMS.sig" \
			>"$work/openssl" 2>&1 || fail "the signature of the release is not by $public_key: $(tail -n 1 "$work/openssl")"
		say "the signature of the release is good"
	fi
	get_verified "portward-$target.gz" || fail "the release at $origin has no portward for $target"
	check_age
	for name in $units config.yaml; do
		get_verified "$name" || fail "the release at $origin has no $name"
	done
	has_manual=
	if get_verified portward.8; then has_manual=1; fi
	# Their names become paths below $samples_at.
	samples=$(sed -n 's|^[0-9a-f]\{64\}  \(policies/[a-z-]*/[A-Za-z0-9_-]*\.yaml\)$|\1|p' "$work/SHA256SUMS")
	for name in $samples; do
		get_verified "$name" || fail "the release at $origin has no $name"
	done
}

# fact NAME: a value of the release's manifest.json, which is one of the files that are signed.
fact() { sed -n "s/^  \"$1\": \"\([^\"]*\)\",\{0,1\}\$/\1/p" "$work/manifest.json"; }

# older A B: whether version A comes before version B, as Semantic Versioning orders them, for MAJOR.MINOR.PATCH with
# or without a suffix. Of two suffixes neither counts as older.
older() {
	[ "$1" != "$2" ] || return 1
	left=${1%%[-+]*} right=${2%%[-+]*}
	for _ in 1 2 3; do
		a=${left%%.*} b=${right%%.*}
		[ "$a" = "$b" ] || { [ "$a" -lt "$b" ] && return 0 || return 1; }
		left=${left#*.} right=${right#*.}
	done
	case $1:$2 in
	*-*:*-*) return 1 ;;
	*-*:*) return 0 ;;
	esac
	return 1
}

is_version() {
	case $1 in
	'' | *[!0-9A-Za-z.+-]*) return 1 ;;
	esac
	numbers=${1%%[-+]*}
	case $numbers in
	*.*.*.* | .* | *. | *..* | *[!0-9.]*) return 1 ;;
	*.*.*) return 0 ;;
	esac
	return 1
}

# Whoever can serve an old release, which was signed in its day, brings its faults back; whoever holds back new ones keeps them.
check_age() {
	get_verified manifest.json || fail "the release at $origin has no manifest.json"
	offered=$(fact version)
	is_version "$offered" || fail "manifest.json of the release at $origin says no version"
	expires=$(fact expires)
	case $expires in
	[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9])
		days_end=$(echo "$expires" | tr -d -)
		if [ "$(date -u +%Y%m%d)" -gt "$days_end" ]; then
			[ -n "$allow_expired" ] ||
				fail "the release $offered expired on $expires: get a newer one, or use --allow-expired (is this host's clock right?)"
			say "note: the release $offered expired on $expires"
		fi
		;;
	*) [ -n "$allow_expired" ] || fail "the release $offered does not say when it expires: get a newer one, or use --allow-expired" ;;
	esac
	installed=$("$root/usr/local/bin/portward" version 2>/dev/null | sed -n '1s/^portward \([^ ]*\) .*/\1/p') || installed=
	if is_version "$installed" && older "$offered" "$installed"; then
		[ -n "$allow_downgrade" ] ||
			fail "the release has version $offered, which is older than $installed, which is installed: use --allow-downgrade if you mean it"
		say "note: version $offered replaces the newer version $installed"
	fi
}

# Where the release is: said, or beside this script, or as stamped.
find_release() {
	[ -z "$from" ] || [ -z "$url" ] || wrong "--from and --url exclude each other"
	[ -n "$from" ] || url=${url:-${PORTWARD_URL:-}}
	here=$(dirname "$0")
	# By its name: read from a pipe, $0 is "sh", and a file of that name may lie in any directory.
	case $0 in
	install.sh | */install.sh) [ -n "$from$url" ] || ! [ -f "$here/SHA256SUMS" ] || from=$here ;;
	esac
	[ -n "$from" ] || url=${url:-$stamped_url}
	[ -n "$from$url" ] || wrong "say where the release is: --from DIR or --url URL"
	[ -z "$from" ] || [ -d "$from" ] || wrong "--from $from is not a directory"
	url=${url%/}
}

# --- the lock-out

# "CIDR PORT" of the SSH session this runs in: whence it came, and where it arrived. sudo hides the variable, so the
# processes above are asked as well.
ssh_session() {
	connection=${SSH_CONNECTION:-}
	process=$$
	depth=0
	while [ -z "$connection" ] && [ "$process" -gt 1 ] && [ $depth -lt 32 ]; do
		connection=$(tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p' | head -n 1)
		process=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$process/status" 2>/dev/null)
		process=${process:-0}
		depth=$((depth + 1))
	done
	client=${connection%% *}
	client=${client%%%*}
	client=${client#::ffff:}
	port=${connection##* }
	case $port in
	'' | *[!0-9]*) return 0 ;;
	esac
	case $client in
	'' | *[!0-9A-Fa-f.:]*) ;;
	*:*) echo "$client/128 $port" ;;
	*.*.*.*) echo "$client/32 $port" ;;
	esac
}

# failsafe_lines CIDR PORT
failsafe_lines() {
	cat <<END

# Written by install.sh: SSH from the session that installed portward always gets in.
failsafe:
  ingress:
  - protocol: TCP
    port: $2
    cidr: $1
END
}

# What a config that is newly written says of containers. One that is there and says nothing of them means audit.
guests_lines() {
	cat <<'END'

# Written by install.sh: policies hold for containers and other guests too, for the ports that they publish and for what
# they send. With audit alerts tell what would be refused, and nothing is.
guests:
  forwarded: enforce
END
}

# Decides about the failsafe of a config that is going to be written.
offer_failsafe() {
	offered=$(ssh_session)
	if [ -z "$offered" ]; then
		[ -z "$failsafe_ssh" ] || fail "--failsafe-ssh: this is no SSH session, or it cannot be seen"
		return 0
	fi
	if [ -n "$failsafe_ssh" ]; then
		failsafe=$offered
	elif [ -z "$dry_run" ] && (: </dev/tty) 2>/dev/null; then
		printf 'Always let SSH in from %s, where this session comes from, whatever the policies say? [Y/n] ' "${offered% *}" >/dev/tty
		read -r answer </dev/tty || answer=n
		case $answer in
		'' | [Yy]*) failsafe=$offered ;;
		esac
	fi
	if [ -z "$failsafe" ]; then
		say "note: no policy locks this SSH session out if /etc/portward/config.yaml has these lines (or use --failsafe-ssh):"
		failsafe_lines "${offered% *}" "${offered#* }"
	fi
}

# --- files

# put SOURCE TARGET MODE: a file in its place in one step, only if that changes it. Sets $changed.
put() {
	if cmp -s "$1" "$root$2"; then return 0; fi
	changed=1
	[ -n "$dry_run" ] || keep_old "$2" || fail "$root$2 cannot be kept for the way back"
	step "write $root$2" place "$1" "$root$2" "$3"
}

# keep_old TARGET: what a unit or page was before, or that it was not there, in case that something fails later.
keep_old() {
	if [ -e "$root$1" ]; then
		mkdir -p "$work/old/$(dirname "$1")" && cp -p "$root$1" "$work/old/$1"
	else
		echo "$1" >>"$work/made"
	fi
}

# An upgrade that fails after something was replaced leaves the old version as it was, and running if it ran. Nothing but
# an upgrade: of what is installed for the first time nothing is taken away, as what went wrong may lie there.
go_back() {
	[ -n "$upgrading" ] && [ -n "$changed" ] || return 0
	upgrading=
	back=1
	if [ -f "$previous" ]; then mv -f "$previous" "$root/usr/local/bin/portward" || back=; fi
	for name in $units portward.8 $samples $completed; do
		case $name in
		/*) path=$name ;;
		portward.8) path=/usr/local/share/man/man8/portward.8 ;;
		policies/*) path=$samples_at/$name ;;
		*) path=/etc/systemd/system/${name#systemd/} ;;
		esac
		if [ -e "$work/old/$path" ]; then
			cp -p "$work/old/$path" "$work/back" && place "$work/back" "$root$path" 0644 || back=
		elif grep -qxF "$path" "$work/made" 2>/dev/null; then
			rm -f "$root$path"
		fi
	done
	systemctl daemon-reload || back=
	if [ -n "$ran" ]; then systemctl restart portward.service || back=; fi
	if [ -n "$back" ]; then
		echo "install.sh: the old one is back${ran:+, and runs}" >&2
	else
		echo "install.sh: the old one could NOT be put back as it was; see: systemctl status portward" >&2
	fi
}

# Under a name of its own, made beside the target: nobody has put a link there before.
place() {
	mkdir -p "$(dirname "$2")" && beside=$(mktemp "$2.XXXXXX") || return 1
	if cat "$1" >"$beside" && chmod "$3" "$beside" && mv -f "$beside" "$2"; then return 0; fi
	rm -f "$beside"
	return 1
}

make_directory() { mkdir -p "$1" && chmod "$2" "$1"; }

write_config() {
	{ cat "$work/config.yaml" && guests_lines; } >"$work/config"
	[ -z "$failsafe" ] || failsafe_lines "${failsafe% *}" "${failsafe#* }" >>"$work/config"
	place "$work/config" "$root/etc/portward/config.yaml" 0644
}

# The release's executable beside the one that runs; it has to run here, and to understand the settings.
stage_executable() {
	make_directory "$root/usr/local/bin" 0755 && stage=$(mktemp -d "$root/usr/local/bin/.portward.XXXXXX") || return 1
	staged=$stage/new
	previous=$stage/previous
	gzip -dc "$work/portward-$target.gz" >"$staged" && chmod 0755 "$staged" || return 1
	version=$("$staged" version 2>&1) || fail "portward does not run on this host: $version"
	case $version in
	"portward "*) ;;
	*) fail "portward does not run on this host: $version" ;;
	esac
	[ ! -f "$root/etc/portward/config.yaml" ] || check_settings
	# Nothing depends on them, and versions of before have none.
	for shell in bash zsh fish; do
		"$staged" completion "$shell" >"$work/completion.$shell" 2>/dev/null || rm -f "$work/completion.$shell"
	done
}

# put_completions: where each shell looks for what it completes by. With --dry-run nothing was asked for them.
put_completions() {
	for name in $completed; do
		case $name in
		*.fish) shell=fish ;;
		*/_*) shell=zsh ;;
		*) shell=bash ;;
		esac
		if [ -n "$dry_run" ] || [ -f "$work/completion.$shell" ]; then put "$work/completion.$shell" "$name" 0644; fi
	done
}

check_settings() {
	"$staged" validate --config "$root/etc/portward/config.yaml" "$work/none" >"$work/settings" 2>&1 ||
		fail "the new portward does not accept the settings, and nothing was changed: $(cat "$work/settings")"
}

# Before the first start: what it would change, which is nothing where there are no policies. Policies that are there already
# are held against none; where they would refuse this SSH session, or that cannot be told, portward is not started.
foretell() {
	executable=$root/usr/local/bin/portward
	# What a plan without policies says: where the settings have them, and whether this is an SSH session.
	without=$("$executable" plan --config "$root/etc/portward/config.yaml" --state-dir "$root/var/lib/portward" \
		--policy-dir "$work/none" --json 2>/dev/null) || true
	policies=$(printf '%s\n' "$without" | sed -n 's/^  "against": "\(.*\)",$/\1/p')
	case $policies in
	'' | /etc/portward/policies) policies=$root/etc/portward/policies ;;
	esac
	if [ -z "$(find -H "$policies" -type f 2>/dev/null | head -n 1)" ]; then
		say "There are no policies in $policies: nothing is blocked."
		return 0
	fi
	say "Policies are there already. What they change when portward starts:"
	{ sed '/^policyDir:/d' "$root/etc/portward/config.yaml" && printf '\npolicyDir: "%s"\n' "$work/none"; } >"$work/plan.yaml"
	set -- plan --config "$work/plan.yaml" --state-dir "$root/var/lib/portward" --policy-dir "$policies"
	code=0
	"$executable" "$@" || code=$?
	[ $code != 1 ] || say "note: portward cannot tell; it enforces what is right of the policies, and says what is wrong"
	session=$("$executable" "$@" --json 2>/dev/null | tr -d ' \n' | sed -n 's/.*"session":{\([^}]*\)}.*/\1/p')
	case $session in
	*'"refused":true'*) why="its policies would refuse this SSH session" ;;
	'')
		printf '%s\n' "$without" | grep -q '^  "session": {' || return 0
		why="whether its policies would refuse this SSH session cannot be told"
		;;
	*) return 0 ;;
	esac
	fail "portward is installed, but not started: $why.
Change them, or write a failsafe into $root/etc/portward/config.yaml, and run this again; or start it all the same with
  systemctl enable --now portward-restore.service portward.service"
}

# Starts portward, or the new version of it. The rules stay in the kernel.
start() {
	systemctl restart portward.service || fail "${upgrading:+the new }portward does not start; see: journalctl -u portward"
}

replace_executable() {
	rm -f "$previous"
	if [ -f "$root/usr/local/bin/portward" ]; then ln "$root/usr/local/bin/portward" "$previous" || return 1; fi
	mv -f "$staged" "$root/usr/local/bin/portward"
}

# --- the two tasks

install_portward() {
	find_release
	check_host
	fetch_release
	[ -e "$root/etc/portward/config.yaml" ] || offer_failsafe
	[ ! -f "$root/usr/local/bin/portward" ] || upgrading=1
	[ -z "$upgrading" ] || ! systemctl is-active --quiet portward.service || ran=1
	say "portward for $target from $origin:"
	mkdir "$work/none"
	step "unpack and try the executable" stage_executable
	if [ -n "$dry_run" ] || ! cmp -s "$staged" "$root/usr/local/bin/portward"; then
		changed=1
		step "put it at $root/usr/local/bin/portward" replace_executable
	else
		rm -f "$staged"
	fi
	for name in $units; do
		put "$work/$name" "/etc/systemd/system/${name#systemd/}" 0644
	done
	[ -z "$has_manual" ] || put "$work/portward.8" /usr/local/share/man/man8/portward.8 0644
	for name in $samples; do put "$work/$name" "$samples_at/$name" 0644; done
	put_completions
	[ -d "$root/etc/portward/policies" ] || step "make $root/etc/portward/policies, without policies" make_directory "$root/etc/portward/policies" 0755
	[ -d "$root/var/lib/portward" ] || step "make $root/var/lib/portward" make_directory "$root/var/lib/portward" 0700
	if [ -e "$root/etc/portward/config.yaml" ]; then
		say "- keep $root/etc/portward/config.yaml"
	else
		step "write $root/etc/portward/config.yaml${failsafe:+, with SSH from ${failsafe% *} as failsafe}" write_config
		say "  Policies will hold for containers and other guests as well; there, guests: {forwarded: audit} only tells."
	fi
	if [ -z "$changed" ] && systemctl is-active --quiet portward.service && systemctl is-enabled --quiet portward.service; then
		say "Nothing changed: this version is installed and runs."
		return 0
	fi
	step "systemctl daemon-reload" systemctl daemon-reload
	if [ -z "$dry_run" ] && ! systemctl is-enabled --quiet portward.service; then foretell; fi
	step "systemctl enable portward.service portward-restore.service" systemctl enable --quiet portward.service portward-restore.service
	step "systemctl restart portward.service; rules that are in force stay so meanwhile" start
	upgrading=
	[ -n "$dry_run" ] || say "$version runs. Policies go to $root/etc/portward/policies; see: portward status"
	if [ -n "$samples" ]; then
		say "Sample policies, each with what it does, are in $root$samples_at/policies:"
		for name in $samples; do say "  ${name#policies/}"; done
	fi
	if ! grep -q '^failsafe:' "$root/etc/portward/config.yaml" 2>/dev/null; then
		say "Before the first policy: name what may always get in, as failsafe in $root/etc/portward/config.yaml
(--failsafe-ssh writes that of an SSH session when it is installed first), and try policies with: portward apply"
	fi
}

# release [usb]: with the settings below --root, if that was given.
release() {
	if [ -n "$root" ]; then set -- "$@" --state-dir "$root/var/lib/portward"; fi
	if [ -f "$root/etc/portward/config.yaml" ]; then set -- "$@" --config "$root/etc/portward/config.yaml"; fi
	"$root/usr/local/bin/portward" release "$@"
}

# The table of the settings, which may be broken.
table_name() {
	table=$(sed -n "/^[[:space:]]*#/d; s/^\(.*[{,[:space:]]\)\{0,1\}[\"']\{0,1\}table[\"']\{0,1\}[[:space:]]*:[[:space:]]*[\"']\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\).*/\2/p" "$root/etc/portward/config.yaml" 2>/dev/null | head -n 1)
	echo "${table:-kubearmor}"
}

# Once the rules are gone the state says nothing any more; if they cannot be removed, portward stays to do it.
release_rules() {
	release && release usb && return 0
	fail "the rules were NOT released, and portward is still installed. Find out why, or remove the table with
  nft delete table inet $(table_name)
and run this again"
}

remove_files() {
	rm -f "$root/usr/local/bin/portward" "$root/usr/local/share/man/man8/portward.8"
	rm -rf "$root$samples_at"
	for name in $completed; do
		rm -f "$root$name"
		rmdir "$root$(dirname "$name")" 2>/dev/null || true
	done
	rmdir "$root/usr/local/share/bash-completion" "$root/usr/local/share/zsh" "$root/usr/local/share/fish" 2>/dev/null || true
	# What an installation that was killed left there.
	rm -rf "$root"/usr/local/bin/.portward.??????
	for name in $units; do rm -f "$root/etc/systemd/system/${name#systemd/}"; done
	rmdir "$root/etc/systemd/system/nftables.service.d" 2>/dev/null || true
	rmdir "$root/usr/local/share/man/man8" 2>/dev/null || true
	rmdir "$root/usr/local/share/doc" 2>/dev/null || true
}

stop_services() {
	for unit in portward.service portward-restore.service; do
		if [ -e "$root/etc/systemd/system/$unit" ]; then systemctl disable --quiet --now "$unit" || return 1; fi
	done
}

reload_services() {
	systemctl daemon-reload && { systemctl reset-failed portward.service portward-restore.service 2>/dev/null || true; }
}

uninstall_portward() {
	[ "$(id -u)" = 0 ] || fail "run this as root"
	command -v systemctl >/dev/null || fail "there is no systemctl"
	elsewhere=$(sed -n 's/^[[:space:]]*\(stateDir\|policyDir\|file\):[[:space:]]*//p' "$root/etc/portward/config.yaml" 2>/dev/null)
	step "stop portward" stop_services
	if [ -n "$keep_rules" ]; then
		say "- keep the rules and the USB devices as they are, for the package that takes over"
	elif [ -x "$root/usr/local/bin/portward" ]; then
		step "release the rules and the USB devices" release_rules
		# What comes to life is worth knowing before it does.
		if [ -n "$dry_run" ]; then release usb --dry-run || true; fi
	else
		say "note: portward is not at $root/usr/local/bin/portward, so no rules were released"
	fi
	step "remove the executable, the units, the man page, the completions and the samples" remove_files
	step "systemctl daemon-reload" reload_services
	if [ -n "$purge" ]; then
		step "remove $root/etc/portward and $root/var/lib/portward" rm -rf "$root/etc/portward" "$root/var/lib/portward"
		[ -z "$elsewhere" ] || say "note: the settings named other places, which are left as they are: $elsewhere"
	else
		say "Settings, policies and state stay in $root/etc/portward and $root/var/lib/portward; --purge removes them."
	fi
}

main() {
	set -eu
	umask 022
	from='' url='' public_key='' root='' dry_run='' purge='' keep_rules='' failsafe='' failsafe_ssh='' task=install work=''
	allow_downgrade='' allow_expired='' stage='' staged='' previous='' changed='' upgrading='' ran=''
	samples='' samples_at=/usr/local/share/doc/portward
	completed="/usr/local/share/bash-completion/completions/portward /usr/local/share/zsh/site-functions/_portward \
		/usr/local/share/fish/vendor_completions.d/portward.fish"
	units="systemd/portward.service systemd/portward-restore.service systemd/nftables.service.d/portward.conf"
	while [ $# -gt 0 ]; do
		case $1 in
		--from | --url | --public-key | --root)
			[ -n "${2:-}" ] || wrong "$1 needs a value"
			case $1 in
			--from) from=$2 ;;
			--url) url=$2 ;;
			--public-key) public_key=$2 ;;
			--root) root=$2 ;;
			esac
			shift
			;;
		--allow-downgrade) allow_downgrade=1 ;;
		--allow-expired) allow_expired=1 ;;
		--failsafe-ssh) failsafe_ssh=1 ;;
		--dry-run) dry_run=1 ;;
		--uninstall) task=uninstall ;;
		--purge) purge=1 ;;
		--keep-rules) keep_rules=1 ;;
		--help | -h)
			usage
			return 0
			;;
		*) wrong "unknown option $1" ;;
		esac
		shift
	done
	root=${root%/}
	[ -z "$public_key" ] || [ -r "$public_key" ] || wrong "--public-key $public_key cannot be read"
	[ -z "$purge$keep_rules" ] || [ $task = uninstall ] || wrong "--purge and --keep-rules go with --uninstall"
	[ -z "$purge" ] || [ -z "$keep_rules" ] || wrong "--purge and --keep-rules exclude each other"
	if [ $task = uninstall ]; then
		uninstall_portward
		return 0
	fi
	identify
	work=$(mktemp -d)
	trap 'go_back; rm -rf "$work" ${stage:+"$stage"}' EXIT
	trap 'exit 1' HUP INT TERM
	install_portward
}

# In braces, so that a part of this line is no command either.
{ main "$@"; }
