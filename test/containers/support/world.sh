#!/usr/bin/env bash
# A machine's namespaces for one container engine: the network, mounts, processes, names and control groups are its own.
#
#   world.sh create NAME   makes control groups NAME, enters them, and becomes the parent of the namespaces' first process
#   world.sh remove NAME   removes the control groups, as soon as nobody is in them any more
#
# `create` prints `ready` and then stays; whoever kills it ends every process in there, and the mounts go with them.
set -euo pipefail
action=$1
name=$2
groups=/sys/fs/cgroup

# The hierarchies of version 1 that have controllers; none on a machine that has version 2 alone.
mapfile -t hierarchies < <(sed -n 's/^[0-9]*:\([a-z_,]\+\):.*/\1/p' /proc/self/cgroup)

# mount_groups: as the namespace of control groups shows them. Engines take either version, and refuse both at once.
mount_groups() {
	if [ ${#hierarchies[@]} = 0 ]; then
		mount -t cgroup2 none $groups
		return
	fi
	mount -t tmpfs none $groups
	for hierarchy in "${hierarchies[@]}"; do
		mkdir "$groups/$hierarchy"
		mount -t cgroup -o "$hierarchy" none "$groups/$hierarchy"
	done
}

# roots: where a group NAME is made.
roots() {
	if [ ${#hierarchies[@]} = 0 ]; then echo $groups; else printf "$groups/%s\n" "${hierarchies[@]}"; fi
}

case $action in
create | remove) exec unshare --mount bash "$0" "private-$action" "$name" ;;
private-remove)
	mount_groups
	for root in $(roots); do
		[ ! -e "$root/$name" ] || find "$root/$name" -depth -type d -exec rmdir {} +
	done
	exit
	;;
private-create)
	mount_groups
	for root in $(roots); do
		mkdir "$root/$name"
		# A group of cpuset takes nobody in before it has these.
		for file in cpuset.cpus cpuset.mems; do
			[ ${#hierarchies[@]} = 0 ] || [ ! -e "$root/$file" ] || cat "$root/$file" >"$root/$name/$file"
		done
		echo $$ >"$root/$name/cgroup.procs"
	done
	# `--kill-child`: with this process goes the first one in there, and with that all others.
	exec unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child=KILL --mount-proc bash "$0" inside "$name"
	;;
esac

mount -t sysfs none /sys
mount_groups
if [ ${#hierarchies[@]} = 0 ]; then
	# A group with processes passes no controllers on, so everybody moves one further down.
	mkdir $groups/init
	while read -r process; do echo "$process" >$groups/init/cgroup.procs || true; done <$groups/cgroup.procs
	sed 's/[^ ]*/+&/g' $groups/cgroup.controllers >$groups/cgroup.subtree_control
fi
# What an engine keeps, and what it shares with others of its kind.
for directory in /run /dev/shm /var/lib/containers /var/lib/docker /var/lib/containerd /var/lib/cni /etc/containers/networks; do
	mkdir -p $directory
	mount -t tmpfs none $directory
done
hostname guarded
ip link set lo up
echo ready
# As the first process it takes in whatever its parents left, which bash does whenever a child ends.
while :; do
	sleep 3600 &
	wait $!
done
