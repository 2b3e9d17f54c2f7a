#!/bin/sh
# A host of its own for the role: this machine's files under overlays, its own network and processes, and a systemctl
# that runs the one unit. Reads what to run on standard input.
#   unshare --mount --net --pid --fork --kill-child --mount-proc sh host.sh WORK
set -eu
work=$1
mount --make-rprivate /
mount -t tmpfs portward-ansible "$work"
for place in etc usr var run root; do
	mkdir -p "$work/$place/up" "$work/$place/work"
	mount -t overlay portward-ansible -o "lowerdir=/$place,upperdir=$work/$place/up,workdir=$work/$place/work" "/$place"
done
mkdir -p /run/systemd/system /etc/systemd/system
rm -rf /etc/portward /var/lib/portward /usr/local/bin/portward
ip link set lo up
cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
echo "$*" >>/run/systemctl.log
while [ $# -gt 0 ]; do case $1 in -*) shift ;; *) break ;; esac; done
verb=$1
alive() { kill -0 "$(cat /run/portward.pid 2>/dev/null)" 2>/dev/null; }
begin() {
	setsid /usr/local/bin/portward run >/run/portward.out 2>&1 </dev/null &
	echo $! >/run/portward.pid
}
case $verb in
show)
	state=inactive
	! alive || state=active
	printf 'Id=portward.service\nLoadState=loaded\nActiveState=%s\nSubState=%s\n' $state $state
	;;
is-active) alive ;;
is-enabled) [ -e /run/portward.enabled ] && echo enabled || { echo disabled; exit 1; } ;;
enable) touch /run/portward.enabled ;;
start) alive || begin ;;
restart)
	! alive || kill "$(cat /run/portward.pid)"
	while alive; do sleep 0.1; done
	begin
	;;
reload) /usr/local/bin/portward reload ;;
esac
END
chmod 755 /usr/local/bin/systemctl
exec sh -s
