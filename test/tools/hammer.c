/*
 * traffic hammer PORT BLOCKED ALLOWED
 *
 * For the whole life of a machine: makes a client in a network namespace of its
 * own, linked to this one, sends packets of new flows both ways, and counts
 * those that come through. Two links:
 *
 *   early  10.90.0.1 fd90:0::1 here, .2 and ::2 there; up at once
 *   late   10.90.1.1 fd90:1::1 here, .2 and ::2 there; here down, until
 *          somebody sets it up as a network manager does
 *
 * Over both go packets to the destination port BLOCKED, over the late one to
 * ALLOWED as well; TCP SYN and UDP, IPv4 and IPv6, about 1,000 a second. They
 * count as arrived behind the input hook, where a raw socket sees them.
 *
 * Reports to PORT, the name of a virtio-serial port, as nothing else tells of a
 * machine's last moments:
 *
 *   BOOT BOOT_ID FLOW…           FLOW: LINK/DIRECTION/CLASS/PROTOCOL
 *   AT MICROSECONDS UP GAP SENT ARRIVED SENT ARRIVED …
 *
 * MICROSECONDS of CLOCK_BOOTTIME; UP: whether the late link carries packets; GAP:
 * the longest time in microseconds without sending since the last report.
 */
#include "traffic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EARLY, LATE, LINKS, IN = 0, OUT, BLOCKED = 0, ALLOWED, FLOWS_MAX = 64, TICK_US = 16000, REPORT_US = 100000 };

static const char *const link_names[] = { "early", "late" };
/* [link][0 here, 1 there][0 IPv4, 1 IPv6] */
static const char *const addresses[LINKS][2][2] = {
	{ { "10.90.0.1", "fd90:0::1" }, { "10.90.0.2", "fd90:0::2" } },
	{ { "10.90.1.1", "fd90:1::1" }, { "10.90.1.2", "fd90:1::2" } },
};

static struct flow {
	char name[40];
	int sender;
	struct packet packet;
	unsigned long sent, arrived;
} flows[FLOWS_MAX];
static size_t flow_count;

/* What arrives here and there; a receiver a protocol, and here one a link. */
static struct receiver {
	int fd, family;
	uint8_t protocol;
} receivers[16];
static size_t receiver_count;

static uint32_t base;
static int here, there, port;

/* The first network namespaces have no name: a process may pass on a descriptor instead. */
static void enter_fd(int fd)
{
	if (setns(fd, CLONE_NEWNET) != 0) die("setns: %s", strerror(errno));
}

/* Runs a batch of ip commands in a namespace. */
static void ip(int namespace, const char *batch)
{
	int input[2], status;
	if (pipe(input) != 0) die("pipe: %s", strerror(errno));
	pid_t child = fork();
	if (child == 0) {
		enter_fd(namespace);
		dup2(input[0], 0);
		close(input[1]);
		execlp("ip", "ip", "-batch", "-", (char *)NULL);
		_exit(127);
	}
	close(input[0]);
	if (write(input[1], batch, strlen(batch)) < 0) die("ip: %s", strerror(errno));
	close(input[1]);
	if (waitpid(child, &status, 0) != child || status != 0) die("ip ended with %d for:\n%s", status, batch);
}

/*
 * Both ends of a link have one hardware address and look for no neighbours:
 * what is sent arrives from the first packet on.
 */
static void make_links(void)
{
	char batch[2048];
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (here < 0 || unshare(CLONE_NEWNET) != 0) die("unshare: %s", strerror(errno));
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	enter_fd(here);
	for (int link = 0; link < LINKS; link++) {
		const char *name = link_names[link];
		snprintf(batch, sizeof batch,
			 "link add %s address 02:00:00:00:90:0%d arp off type veth peer name far-%s address 02:00:00:00:90:0%d arp off\n"
			 "link set far-%s netns /proc/%d/fd/%d\n"
			 "address add %s/24 dev %s\naddress add %s/64 dev %s nodad\n%s%s%s",
			 name, link, name, link, name, getpid(), there, addresses[link][0][0], name, addresses[link][0][1], name,
			 link == EARLY ? "link set " : "", link == EARLY ? name : "", link == EARLY ? " up\n" : "");
		ip(here, batch);
		snprintf(batch, sizeof batch,
			 "link set lo up\naddress add %s/24 dev far-%s\naddress add %s/64 dev far-%s nodad\nlink set far-%s up\n",
			 addresses[link][1][0], name, addresses[link][1][1], name, name);
		ip(there, batch);
	}
}

static int raw(int namespace, int family, int protocol)
{
	enter_fd(namespace);
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd < 0) die("a raw socket: %s", strerror(errno));
	enter_fd(here);
	return fd;
}

static void add_receivers(int namespace, const char *interface)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int udp = 0; udp < 2; udp++) {
			struct receiver *receiver = &receivers[receiver_count++];
			receiver->family = v6 ? AF_INET6 : AF_INET;
			receiver->protocol = udp ? PROTO_UDP : PROTO_TCP;
			receiver->fd = raw(namespace, receiver->family, receiver->protocol);
			grow_receive_buffer(receiver->fd);
			/* The machine's other traffic is none of ours. */
			if (setsockopt(receiver->fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) != 0)
				die("%s: %s", interface, strerror(errno));
		}
}

static void add_flow(int link, int direction, int class, bool v6, bool udp, int sender, int destination)
{
	int family;
	struct flow *flow = &flows[flow_count];
	snprintf(flow->name, sizeof flow->name, "%s/%s/%s/%s%d", link_names[link], direction == IN ? "in" : "out",
		 class == BLOCKED ? "blocked" : "allowed", udp ? "udp" : "tcp", v6 ? 6 : 4);
	flow->sender = sender;
	flow->packet.protocol = udp ? PROTO_UDP : PROTO_TCP;
	flow->packet.destination_port = (uint16_t)destination;
	flow->packet.hop_limit = 64;
	flow->packet.tag = base | (uint32_t)flow_count++;
	parse_address(addresses[link][direction == IN][v6], &family, flow->packet.source);
	parse_address(addresses[link][direction == OUT][v6], &flow->packet.family, flow->packet.destination);
}

static void add_flows(int blocked, int allowed)
{
	for (int v6 = 0; v6 < 2; v6++) {
		int family = v6 ? AF_INET6 : AF_INET;
		int senders[] = { [IN] = raw(there, family, IPPROTO_RAW), [OUT] = raw(here, family, IPPROTO_RAW) };
		for (int udp = 0; udp < 2; udp++) {
			add_flow(EARLY, IN, BLOCKED, v6, udp, senders[IN], blocked);
			for (int direction = IN; direction <= OUT; direction++) {
				add_flow(LATE, direction, BLOCKED, v6, udp, senders[direction], blocked);
				add_flow(LATE, direction, ALLOWED, v6, udp, senders[direction], allowed);
			}
		}
	}
}

static int open_port(const char *wanted)
{
	DIR *folder = opendir("/sys/class/virtio-ports");
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		char path[320], name[64] = "";
		snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
		FILE *file = fopen(path, "r");
		if (!file) continue;
		bool found = fscanf(file, "%63s", name) == 1 && strcmp(name, wanted) == 0;
		fclose(file);
		snprintf(path, sizeof path, "/dev/%s", entry->d_name);
		int fd = found ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY) : -1;
		if (fd >= 0) return closedir(folder), fd;
	}
	die("no port %s", wanted);
}

static long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void send_one(struct flow *flow)
{
	uint8_t data[PACKET_MAX];
	struct sockaddr_storage to = { .ss_family = (sa_family_t)flow->packet.family };
	if (flow->packet.family == AF_INET) memcpy(&((struct sockaddr_in *)&to)->sin_addr, flow->packet.destination, 4);
	else memcpy(&((struct sockaddr_in6 *)&to)->sin6_addr, flow->packet.destination, 16);
	/* Of a new flow each: connection tracking knows none of them. */
	flow->packet.source_port = (uint16_t)(10000 + random32() % 50000);
	size_t length = packet_build(&flow->packet, data);
	socklen_t size = flow->packet.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	/* EPERM: the output hook has dropped it. */
	if (sendto(flow->sender, data, length, 0, (struct sockaddr *)&to, size) >= 0 || errno == EPERM) flow->sent++;
}

static void receive_all(void)
{
	uint8_t data[PACKET_MAX];
	for (size_t i = 0; i < receiver_count; i++) {
		ssize_t length;
		while ((length = recv(receivers[i].fd, data, sizeof data, 0)) > 0) {
			uint32_t tag;
			bool ours = receivers[i].family == AF_INET
					    ? packet_tag(data, (size_t)length, &tag)
					    : transport_tag(receivers[i].protocol, data, (size_t)length, &tag);
			if (ours && (tag & ~0xffu) == base && (tag & 0xff) < flow_count) flows[tag & 0xff].arrived++;
		}
	}
}

static int control(int namespace)
{
	enter_fd(namespace);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) die("a socket: %s", strerror(errno));
	enter_fd(here);
	return fd;
}

/* Set up is not enough: until the kernel has seen the carrier, which a busy machine does later, it drops what is sent. */
static bool is_running(int fd, const char *interface)
{
	struct ifreq request = { 0 };
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

static bool late_link_carries(void)
{
	static int near = -1, far = -1;
	if (near < 0) near = control(here), far = control(there);
	return is_running(near, "late") && is_running(far, "far-late");
}

static void announce(void)
{
	char boot_id[64] = "", line[4096];
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
	if (!file || fscanf(file, "%63s", boot_id) != 1) die("no boot id");
	fclose(file);
	/* The first newline ends what an earlier boot may have left unfinished. */
	int length = snprintf(line, sizeof line, "\nBOOT %s", boot_id);
	for (size_t i = 0; i < flow_count; i++)
		length += snprintf(line + length, sizeof line - (size_t)length, " %s", flows[i].name);
	line[length++] = '\n';
	if (write(port, line, (size_t)length) < 0) die("report: %s", strerror(errno));
}

static void report(long at, long gap)
{
	char line[4096];
	int length = snprintf(line, sizeof line, "AT %ld %d %ld", at, late_link_carries(), gap);
	for (size_t i = 0; i < flow_count; i++)
		length += snprintf(line + length, sizeof line - (size_t)length, " %lu %lu", flows[i].sent, flows[i].arrived);
	line[length++] = '\n';
	if (write(port, line, (size_t)length) < 0) die("report: %s", strerror(errno));
}

int hammer_main(int count, char **arguments)
{
	if (count != 3) die("usage: traffic hammer PORT BLOCKED ALLOWED");
	base = random32() & ~0xffu;
	port = open_port(arguments[0]);
	make_links();
	add_receivers(here, "early");
	add_receivers(here, "late");
	add_receivers(there, "far-early");
	add_receivers(there, "far-late");
	add_flows(atoi(arguments[1]), atoi(arguments[2]));
	announce();
	long last = now_us(), reported = last, gap = 0;
	for (;;) {
		for (size_t i = 0; i < flow_count; i++) send_one(&flows[i]);
		receive_all();
		long at = now_us();
		if (at - last > gap) gap = at - last;
		last = at;
		if (at - reported >= REPORT_US) {
			report(at, gap);
			reported = at;
			gap = 0;
		}
		usleep(TICK_US);
	}
}
