# What the scripts of the packages (.deb and .rpm) share. They read it; nobody runs it.

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
# policies would refuse the SSH session that this runs in, and where that cannot be told.
foretell() {
	nothing=$(mktemp -d) || return 1
	mkdir "$nothing/none"
	foretold=1
	if foretell_with "$nothing"; then foretold=0; fi
	rm -rf "$nothing"
	[ $foretold = 0 ]
}

# foretell_with DIR: the same, with a directory that is empty but for another empty one, none.
foretell_with() {
	said=$settings
	[ -f "$said" ] || { said=$1/said.yaml && : >"$said"; }
	# What a plan without policies says: where the settings have them, and whether this is an SSH session.
	without=$(portward plan --config "$said" --policy-dir "$1/none" --json 2>/dev/null) || true
	policies=$(printf '%s\n' "$without" | sed -n 's/^  "against": "\(.*\)",$/\1/p')
	policies=${policies:-/etc/portward/policies}
	if [ -z "$(find -H "$policies" -type f 2>/dev/null | head -n 1)" ]; then
		echo "There are no policies in $policies: nothing is blocked."
		grep -qs '^failsafe:' "$settings" ||
			echo "Before the first policy: name what may always get in, as failsafe in $settings."
		return 0
	fi
	echo "Policies are there already. What they change when portward starts:"
	{ sed '/^policyDir:/d' "$said" && printf '\npolicyDir: "%s"\n' "$1/none"; } >"$1/plan.yaml"
	code=0
	portward plan --config "$1/plan.yaml" --policy-dir "$policies" || code=$?
	[ $code != 1 ] || echo "note: portward cannot tell; it enforces what is right of the policies, and says what is wrong"
	session=$(portward plan --config "$1/plan.yaml" --policy-dir "$policies" --json 2>/dev/null |
		tr -d ' \n' | sed -n 's/.*"session":{\([^}]*\)}.*/\1/p')
	case $session in
	*'"refused":true'*) why="its policies would refuse this SSH session" ;;
	'')
		printf '%s\n' "$without" | grep -q '^  "session": {' || return 0
		why="whether its policies would refuse this SSH session cannot be told"
		;;
	*) return 0 ;;
	esac
	echo "portward: installed, but not started: $why.
Change them, or write a failsafe into $settings; or start it all the same with
  systemctl enable --now portward-restore.service portward.service" >&2
	return 1
}

# table_name: the table of the settings, which may be broken.
table_name() {
	table=$(sed -n "/^[[:space:]]*#/d; s/^\(.*[{,[:space:]]\)\{0,1\}[\"']\{0,1\}table[\"']\{0,1\}[[:space:]]*:[[:space:]]*[\"']\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\).*/\2/p" "$settings" 2>/dev/null | head -n 1)
	echo "${table:-kubearmor}"
}

# release_rules: before the executable goes. Once it is gone nobody opens what it has closed.
release_rules() {
	portward release && portward release usb && return 0
	echo "portward: the rules were NOT released, and portward is still installed. Find out why, or remove the table with
  nft delete table inet $(table_name)
and try again" >&2
	return 1
}

# not_started: what to say of a start that failed.
not_started() {
	echo "portward: it does not start; the rules in force stay. See: journalctl -u portward" >&2
}
