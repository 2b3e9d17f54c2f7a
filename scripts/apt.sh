# For scripts that install packages; read by them, in any POSIX shell.

# Debian's own timers read the lists of packages as well, and apt does not wait for who does. At most five minutes here.
apt_update() {
	apt_attempt=1
	while ! apt_said=$(LC_ALL=C apt-get update -qq 2>&1); do
		case $apt_said in
		*"Could not get lock"* | *"Unable to lock"*) ;;
		*) apt_attempt=60 ;;
		esac
		if [ "$apt_attempt" -ge 60 ]; then
			printf '%s\n' "$apt_said" >&2
			return 1
		fi
		apt_attempt=$((apt_attempt + 1))
		sleep 5
	done
}
