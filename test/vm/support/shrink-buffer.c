/*
 * shrink-buffer PID BYTES: gives the uevent sockets of a process a receive buffer of BYTES, as if nobody had asked for
 * more. The process keeps its socket; only the kernel's limit for it changes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof value;
	return getsockopt(fd, SOL_SOCKET, name, &value, &size) ? -1 : value;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd", atoi(argv[1]));
	int process = syscall(SYS_pidfd_open, atoi(argv[1]), 0), bytes = atoi(argv[2]), done = 0;
	DIR *dir = opendir(path);
	if (process < 0 || !dir)
		return perror("open"), 1;
	for (struct dirent *entry; (entry = readdir(dir));) {
		int fd = syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
		if (fd < 0)
			continue;
		if (option(fd, SO_DOMAIN) == AF_NETLINK && option(fd, SO_PROTOCOL) == NETLINK_KOBJECT_UEVENT)
			done += setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0;
		close(fd);
	}
	printf("%d\n", done);
	return done ? 0 : 1;
}
