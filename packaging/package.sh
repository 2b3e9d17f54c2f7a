# What the scripts of the packages (.deb and .rpm) share. They read it; nobody runs it.

policies=/etc/portward/policies
settings=/etc/portward/config.yaml
# shellcheck disable=SC2034 # for who reads this
units="portward.service portward-restore.service"

# Whether systemd runs here: in a chroot or an image that is being built nothing is started, and nothing released.
booted() { [ -d /run/systemd/system ]; }

# Whether the portward that is installed now accepts the settings. If not, what still runs is left alone.
accepts_settings() {
	[ -f "$settings" ] || return 0
	nothing=$(mktemp -d) || return 1
	accepted=0
	said=$(portward validate --config "$settings" "$nothing" 2>&1) || accepted=1
	rmdir "$nothing"
	[ $accepted = 0 ] && return 0
	printf '%s\n' "$said" >&2
	echo "portward: the new version does not accept $settings, so it was not started; the rules in force stay." >&2
	return 1
}

# foretell: before a first start, what it would change, which is nothing where there are no policies. Fails where the
# policies would refuse the SSH session that this runs in.
foretell() {
	if [ -z "$(find "$policies" -type f 2>/dev/null | head -n 1)" ]; then
		echo "There are no policies in $policies: nothing is blocked."
		grep -qs '^failsafe:' "$settings" ||
			echo "Before the first policy: name what may always get in, as failsafe in $settings."
		return 0
	fi
	echo "Policies are there already. What they change when portward starts:"
	nothing=$(mktemp -d) || return 1
	mkdir "$nothing/none"
	{ sed '/^policyDir:/d' "$settings" && printf '\npolicyDir: "%s"\n' "$nothing/none"; } >"$nothing/plan.yaml"
	code=0
	portward plan --config "$nothing/plan.yaml" --policy-dir "$policies" || code=$?
	[ $code != 1 ] || echo "note: portward cannot tell; it enforces what is right of the policies, and says what is wrong"
	session=$(portward plan --config "$nothing/plan.yaml" --policy-dir "$policies" --json 2>/dev/null |
		tr -d ' \n' | sed -n 's/.*"session":{\([^}]*\)}.*/\1/p')
	rm -rf "$nothing"
	case $session in
	*'"refused":true'*)
		echo "portward: installed, but not started: its policies would refuse this SSH session.
Change them, or write a failsafe into $settings; or start it all the same with
  systemctl enable --now portward-restore.service portward.service" >&2
		return 1
		;;
	esac
}

# release_rules: before the executable goes. Once it is gone nobody opens what it has closed.
release_rules() {
	portward release && portward release usb && return 0
	echo "portward: the rules were NOT released, and portward is still installed. Find out why, or remove the table with
  nft delete table inet kubearmor
and try again" >&2
	return 1
}

# not_started: what to say of a start that failed.
not_started() {
	echo "portward: it does not start; the rules in force stay. See: journalctl -u portward" >&2
}
