/*
 * traffic wire NAMESPACE NAME NAMESPACE NAME
 *
 * Makes a tap device in each namespace and carries every frame from one to the other until it is killed, as a hypervisor
 * does between a host's tap device and the card of a guest. Prints `ready` when both are there; they go with it.
 */
#include "traffic.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FRAME_MAX = 65536 };

static int tap_in(const char *path, const char *name)
{
	/* The device belongs to the namespace in which its descriptor was opened. */
	close(socket_in(path, AF_INET, SOCK_DGRAM, 0));
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) die("tap %s in %s: %s", name, path, strerror(errno));
	return fd;
}

int wire_main(int count, char **arguments)
{
	if (count != 4) die("usage: traffic wire NAMESPACE NAME NAMESPACE NAME");
	struct pollfd ends[2];
	for (int i = 0; i < 2; i++)
		ends[i] = (struct pollfd){ .fd = tap_in(arguments[2 * i], arguments[2 * i + 1]), .events = POLLIN };
	puts("ready");
	fflush(stdout);
	static char frame[FRAME_MAX];
	for (;;) {
		poll(ends, 2, -1);
		for (int i = 0; i < 2; i++) {
			ssize_t length = read(ends[i].fd, frame, sizeof frame);
			/* An end that is down takes nothing, as a cable without a card behind it. */
			if (length > 0) (void)!write(ends[1 - i].fd, frame, (size_t)length);
		}
	}
}
