/*
 * traffic flood GUARDED PEER INTERFACE=PEER_INTERFACE TARGETS PACKETS PPS [count|sink|established [GUEST]]
 *
 * Sends PACKETS packets of many flows at PPS a second (0: as fast as it goes)
 * into GUARDED, and counts behind its input hook, or that of GUEST, which passed. TARGETS is a
 * file of lines `pass|drop PROTOCOL REMOTE LOCAL PORT`: what should become of
 * them; packets go through the list in turn. Prints one line:
 *
 *   SENT_PASS PASSED_PASS SENT_DROP PASSED_DROP UNCOUNTED SECONDS
 *
 * UNCOUNTED packets were lost by the counter itself. With `sink` nothing is
 * counted (all but the seconds are what was sent): sockets that nobody reads
 * take the packets, and SECONDS is the CPU time of the sender, on whose account
 * the kernel takes a packet all the way to its socket. With `established` as
 * well, and each target has one flow, which its socket has answered before.
 */
#include "traffic.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TARGETS_MAX = 1 << 18, SINKS_MAX = 2048, BURST = 32, PORTS_COUNTED = 64, PORTS_SINK = 44000, QUIET_MS = 300, SNAP = 128, READY_MAX = 48 };

static struct target {
	struct packet packet;
	bool pass;
	/* An IPv4 UDP packet built ahead, its checksum left out (RFC 768), or length 0: only the source port changes. */
	uint8_t ready[READY_MAX];
	uint8_t ready_length;
} *targets;
static size_t target_count;

/* A tag is a random base for this run, and the class in its lowest bit. */
static uint32_t base;
static atomic_bool sending = true;
static atomic_ulong counted[2];
/* Source ports a target: few where much is counted, or the connection table overflows; many where new flows are timed. */
static uint32_t ports = PORTS_COUNTED;

static void read_targets(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file) die("%s: %s", path, strerror(errno));
	targets = calloc(TARGETS_MAX, sizeof *targets);
	char class[8], protocol[8], remote[64], local[64];
	unsigned port;
	int family;
	while (fscanf(file, "%7s %7s %63s %63s %u", class, protocol, remote, local, &port) == 5) {
		if (target_count == TARGETS_MAX) die("at most %d targets", TARGETS_MAX);
		struct target *target = &targets[target_count++];
		target->pass = strcmp(class, "pass") == 0;
		target->packet.hop_limit = 64;
		target->packet.destination_port = (uint16_t)port;
		if (!parse_protocol(protocol, &target->packet.protocol) ||
		    !parse_address(remote, &family, target->packet.source) ||
		    !parse_address(local, &target->packet.family, target->packet.destination) ||
		    family != target->packet.family)
			die("bad target: %s %s %s", protocol, remote, local);
		target->packet.tag = base | target->pass;
	}
	fclose(file);
	if (target_count == 0) die("%s holds no targets", path);
}

/* Counts what one raw socket sees until the sender has stopped and it stays quiet. */
static void *count_packets(void *argument)
{
	int fd = *(int *)argument, domain, protocol;
	socklen_t size = sizeof domain;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
	static _Thread_local uint8_t data[BURST][SNAP];
	struct iovec parts[BURST];
	struct mmsghdr messages[BURST];
	memset(messages, 0, sizeof messages);
	for (int i = 0; i < BURST; i++) {
		parts[i] = (struct iovec){ data[i], SNAP };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	struct timeval quiet = { .tv_usec = QUIET_MS * 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof quiet);
	for (;;) {
		bool last = !atomic_load(&sending);
		int received = recvmmsg(fd, messages, BURST, MSG_WAITFORONE, NULL);
		if (received < 0 && last) return NULL;
		for (int i = 0; i < received; i++) {
			uint32_t tag;
			bool ours = domain == AF_INET ? packet_tag(data[i], messages[i].msg_len, &tag)
						      : transport_tag((uint8_t)protocol, data[i], messages[i].msg_len, &tag);
			if (ours && (tag & ~1u) == base) atomic_fetch_add(&counted[tag & 1], 1);
		}
	}
}

/* Takes the work of building packets out of what a timed flood costs. */
static void build_ahead(void)
{
	uint8_t whole[PACKET_MAX];
	for (size_t i = 0; i < target_count; i++) {
		struct target *target = &targets[i];
		if (target->packet.family != AF_INET || target->packet.protocol != PROTO_UDP) continue;
		target->ready_length = (uint8_t)packet_build(&target->packet, whole);
		memcpy(target->ready, whole, target->ready_length);
		memset(target->ready + 20 + 6, 0, 2);
	}
}

/* Binds a UDP port of every target's, with the smallest buffer and no reader. */
static int sinks[SINKS_MAX], sink_count;

static void open_sinks(const char *guarded)
{
	bool bound[2][65536] = { 0 };
	for (size_t i = 0; i < target_count; i++) {
		const struct packet *packet = &targets[i].packet;
		bool *done = &bound[packet->family == AF_INET6][packet->destination_port];
		if (packet->protocol != PROTO_UDP || *done) continue;
		*done = true;
		int fd = socket_in(guarded, packet->family, SOCK_DGRAM, 0), one = 1, small = 1;
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		struct sockaddr_storage address;
		socklen_t size = socket_address(&address, packet->family == AF_INET ? "0.0.0.0" : "::",
						packet->destination_port);
		if (bind(fd, (struct sockaddr *)&address, size) != 0) die("bind %u: %s", packet->destination_port, strerror(errno));
		if (sink_count < SINKS_MAX) sinks[sink_count++] = fd;
	}
}

/* Answers what has come to each sink. Connection tracking then knows the flow as established. */
static void answer_sinks(void)
{
	for (int i = 0; i < sink_count; i++) {
		struct sockaddr_storage from;
		socklen_t size = sizeof from;
		char data[SNAP];
		while (recvfrom(sinks[i], data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &size) >= 0) {
			if (sendto(sinks[i], "!", 1, 0, (struct sockaddr *)&from, size) != 1) die("answer: %s", strerror(errno));
			size = sizeof from;
		}
	}
}

/* Builds the next burst into the frames. */
static void fill_burst(uint8_t frames[BURST][ETHERNET_HEADER + PACKET_MAX], struct iovec *parts, size_t *next,
		       unsigned long sent[2])
{
	for (int i = 0; i < BURST; i++) {
		struct target *target = &targets[*next];
		*next = (*next + 1) % target_count;
		uint16_t source = (uint16_t)(20000 + random32() % ports);
		uint8_t *ip = frames[i] + ETHERNET_HEADER;
		size_t length = target->ready_length;
		sent[target->pass]++;
		if (length) {
			memcpy(ip, target->ready, READY_MAX);
			ip[20] = (uint8_t)(source >> 8);
			ip[21] = (uint8_t)source;
		} else {
			target->packet.source_port = source;
			length = packet_build(&target->packet, ip);
		}
		frames[i][12] = target->packet.family == AF_INET ? 0x08 : 0x86;
		frames[i][13] = target->packet.family == AF_INET ? 0x00 : 0xdd;
		parts[i] = (struct iovec){ frames[i], ETHERNET_HEADER + length };
	}
}

int flood_main(int count, char **arguments)
{
	if (count < 6 || count > 8)
		die("usage: traffic flood GUARDED PEER INTERFACE=PEER_INTERFACE TARGETS PACKETS PPS [count|sink|established [GUEST]]");
	const char *guarded = arguments[0], *peer = arguments[1], *mode = count > 6 ? arguments[6] : "count";
	bool established = strcmp(mode, "established") == 0, sink = established || strcmp(mode, "sink") == 0;
	const char *receiving = count == 8 ? arguments[7] : guarded;
	base = random32() & ~1u;
	read_targets(arguments[3]);
	unsigned long packets = strtoul(arguments[4], NULL, 10), sent[2] = { 0, 0 };
	double pps = atof(arguments[5]);

	char *peer_interface = arguments[2], *interface = strsep(&peer_interface, "=");
	uint8_t mac[6], peer_mac[6];
	interface_index(guarded, interface, mac);
	int index = interface_index(peer, peer_interface, peer_mac);

	static const int families[] = { AF_INET, AF_INET6 };
	static const int protocols[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP };
	enum { COUNTERS = 6 };
	static int counters[COUNTERS];
	static pthread_t threads[COUNTERS];
	int used = 0;
	for (int f = 0; f < 2 && !sink; f++)
		for (int p = 0; p < 3; p++) {
			bool wanted = false;
			for (size_t i = 0; i < target_count && !wanted; i++)
				wanted = targets[i].packet.family == families[f] && targets[i].packet.protocol == protocols[p];
			if (!wanted) continue;
			counters[used] = socket_in(receiving, families[f], SOCK_RAW, protocols[p]);
			grow_receive_buffer(counters[used]);
			pthread_create(&threads[used], NULL, count_packets, &counters[used]);
			used++;
		}
	if (sink) {
		open_sinks(receiving);
		build_ahead();
		ports = established ? 1 : PORTS_SINK;
	}

	int fd = socket_in(peer, AF_PACKET, SOCK_RAW, 0), one = 1;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = index, .sll_halen = 6 };
	memcpy(to.sll_addr, mac, 6);
	static uint8_t frames[BURST][ETHERNET_HEADER + PACKET_MAX];
	static struct iovec parts[BURST];
	static struct mmsghdr messages[BURST];
	for (int i = 0; i < BURST; i++) {
		memcpy(frames[i], mac, 6);
		memcpy(frames[i] + 6, peer_mac, 6);
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	pin(0);
	size_t next = 0;
	for (size_t i = 0; established && i < target_count; i += BURST) {
		fill_burst(frames, parts, &next, sent);
		if (sendmmsg(fd, messages, BURST, 0) != BURST) die("sendmmsg: %s", strerror(errno));
		answer_sinks();
	}
	double start = seconds(), start_used = thread_seconds();
	for (unsigned long done = 0; done < packets; done += BURST) {
		fill_burst(frames, parts, &next, sent);
		for (int i = 0; i < BURST;) {
			int moved = sendmmsg(fd, messages + i, (unsigned)(BURST - i), 0);
			if (moved < 0 && errno != ENOBUFS) die("sendmmsg: %s", strerror(errno));
			if (moved > 0) i += moved;
		}
		/* Short naps rather than spinning: the firewall and its daemon need the CPU too. */
		double ahead = pps > 0 ? start + (double)(done + BURST) / pps - seconds() : 0;
		if (ahead > 0.0005) usleep((useconds_t)(ahead * 1e6));
	}
	/* A sink is there for timing: the sender's own CPU time, which the packet's whole way through the kernel is part of. */
	double elapsed = sink ? thread_seconds() - start_used : seconds() - start;
	atomic_store(&sending, false);
	unsigned long lost = 0;
	for (int i = 0; i < used; i++) {
		pthread_join(threads[i], NULL);
		lost += socket_drops(counters[i]);
	}
	for (int pass = 0; sink && pass < 2; pass++) counted[pass] = sent[pass];
	printf("%lu %lu %lu %lu %lu %.6f\n", sent[1], counted[1], sent[0], counted[0], lost, elapsed);
	return 0;
}
