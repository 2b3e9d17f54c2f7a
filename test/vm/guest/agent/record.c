#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "wire.h"

static void pass_on(int netlink, int kmsg)
{
	static char data[65536], head[64];
	struct pollfd fds[2] = {{netlink, POLLIN, 0}, {kmsg, POLLIN, 0}};
	for (;;) {
		if (poll(fds, kmsg < 0 ? 1 : 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[0].revents) {
			ssize_t n = recv(netlink, data, sizeof data, MSG_DONTWAIT);
			if (n > 0) {
				snprintf(head, sizeof head, "U %lld", now_us());
				send_line(head, (unsigned char *)data, n);
			} else if (n < 0 && errno == ENOBUFS)
				say("LOST uevents");
		}
		if (kmsg >= 0 && fds[1].revents) {
			ssize_t n = read(kmsg, data, sizeof data);
			if (n > 0)
				send_line("K", (unsigned char *)data, n);
			else if (n < 0 && errno == EPIPE)
				say("LOST kmsg");
		}
	}
}

void record(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int size = 64 << 20;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (netlink < 0 || bind(netlink, (struct sockaddr *)&address, sizeof address))
		die("netlink");
	setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	open_port("lab.events");
	pass_on(netlink, kmsg);
}
