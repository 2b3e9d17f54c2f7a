#include "traffic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fputs("traffic: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	exit(1);
}

double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double thread_seconds(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* xorshift64*: speed matters, quality does not. One state a thread. */
uint32_t random32(void)
{
	static _Thread_local uint64_t state;
	if (state == 0) state = (uint64_t)(seconds() * 1e9) | 1;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ULL) >> 32);
}

/* Moves the calling thread; a socket belongs to the namespace that it is made in. */
static void enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) die("%s: %s", path, strerror(errno));
	close(fd);
}

int socket_in(const char *path, int domain, int type, int protocol)
{
	enter(path);
	int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0) die("socket(%d, %d, %d) in %s: %s", domain, type, protocol, path, strerror(errno));
	return fd;
}

int interface_index(const char *path, const char *name, uint8_t mac[6])
{
	int fd = socket_in(path, AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = { 0 };
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) die("%s in %s: %s", name, path, strerror(errno));
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	if (ioctl(fd, SIOCGIFINDEX, &request) != 0) die("%s in %s: %s", name, path, strerror(errno));
	close(fd);
	return request.ifr_ifindex;
}

bool parse_address(const char *text, int *family, uint8_t out[16])
{
	memset(out, 0, 16);
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, out) == 1;
}

socklen_t socket_address(struct sockaddr_storage *storage, const char *address, int port)
{
	int family;
	uint8_t bytes[16];
	memset(storage, 0, sizeof *storage);
	if (!parse_address(address, &family, bytes)) die("bad address %s", address);
	storage->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
		memcpy(&v4->sin_addr, bytes, 4);
		v4->sin_port = htons((uint16_t)port);
		return sizeof *v4;
	}
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
	memcpy(&v6->sin6_addr, bytes, 16);
	v6->sin6_port = htons((uint16_t)port);
	return sizeof *v6;
}

bool parse_protocol(const char *text, uint8_t *protocol)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = { { "tcp", PROTO_TCP },
		      { "udp", PROTO_UDP },
		      { "sctp", PROTO_SCTP },
		      { "icmp", PROTO_ICMP },
		      { "icmpv6", PROTO_ICMPV6 } };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(text, known[i].name) == 0) return *protocol = known[i].number, true;
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	*protocol = (uint8_t)number;
	return *end == 0 && number <= 255 && end != text;
}

void grow_receive_buffer(int fd)
{
	int size = 256 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) die("SO_RCVBUFFORCE: %s", strerror(errno));
}

uint32_t socket_drops(int fd)
{
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof memory;
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0) die("SO_MEMINFO: %s", strerror(errno));
	return memory[SK_MEMINFO_DROPS];
}

void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	/* Fewer CPUs than wished for is no reason to stop. */
	sched_setaffinity(0, sizeof set, &set);
}
