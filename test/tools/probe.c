/*
 * traffic probe [via=ROUTER,BRIDGE,INTERFACE] GUARDED PEER INTERFACE=PEER_INTERFACE…
 *
 * Sends single packets through the firewall of the namespace GUARDED and says
 * which of them passed. Standard input holds batches: a packet a line, an empty
 * line ends the batch. The answer is one line of 1 (passed) and 0 (dropped).
 *
 *   in|out PROTOCOL REMOTE LOCAL PORT INTERFACE [OPTION…]
 *
 * REMOTE is the address at the peer's end, whatever it is: `in` packets are
 * injected as frames, and `out` packets caught as frames. PORT is the
 * destination port. Options: sport=N hl=N type=N code=N ack fragments hbh rt
 * dst afrag quote=PORT,ADDRESS,PORT.
 *
 * `in` packets have passed when a raw socket in GUARDED sees them, which is
 * behind the input hook. A frame of another EtherType sent after them tells
 * when all are through: one CPU handles them in order.
 *
 * With via= the firewall is that of ROUTER, which forwards: the interfaces of
 * the links are its own, and GUARDED is a guest whose INTERFACE is behind its
 * BRIDGE. Then a second frame follows over the other half of the way.
 */
#include "traffic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINKS_MAX = 16, BATCH_MAX = 65536, SENTINEL = 0x88b5, DRAIN_EVERY = 64, WAIT_MS = 10000 };

static struct link {
	char name[IFNAMSIZ];
	uint8_t mac[6], peer_mac[6];
	int index, peer_index;
	int inject;     /* frames from the peer's end */
	int catch;      /* every frame that comes to the peer's end */
	int sentinel;   /* sentinels that come to the guarded end */
	int sentinel_out;
	int raw4, raw6; /* packets from the guarded end */
	bool used_in, used_out;
} links[LINKS_MAX];
static size_t link_count;

static const char *guarded, *peer;

/* The guest's half of the way; `router` is NULL where the guarded namespace is the firewall's own. */
static const char *router;
static struct {
	char bridge[IFNAMSIZ], name[IFNAMSIZ];
	uint8_t mac[6], bridge_mac[6];
	int index, bridge_index;
	int sentinel, bridge_sentinel; /* sentinels that come to the guest, and to the bridge */
	int out, bridge_out;
} inner;
/* Raw sockets of the guarded namespace by family and protocol, -1 where none is open yet. */
static int receivers[2][256];
static uint32_t base;
static size_t batch_size;
static char results[BATCH_MAX + 1];

static int frame_socket(const char *path, int index, int protocol)
{
	int fd = socket_in(path, AF_PACKET, SOCK_RAW, 0);
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons((uint16_t)protocol),
				       .sll_ifindex = index };
	grow_receive_buffer(fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) die("bind: %s", strerror(errno));
	return fd;
}

static int packet_socket(const char *interface, int family)
{
	int fd = socket_in(guarded, family, SOCK_RAW, IPPROTO_RAW);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface) + 1) != 0)
		die("SO_BINDTODEVICE %s: %s", interface, strerror(errno));
	return fd;
}

static void add_link(const char *argument)
{
	struct link *link = &links[link_count++];
	const char *equals = strchr(argument, '=');
	if (link_count > LINKS_MAX || !equals || equals - argument >= IFNAMSIZ) die("bad link %s", argument);
	memcpy(link->name, argument, (size_t)(equals - argument));
	const char *firewall = router ? router : guarded;
	link->index = interface_index(firewall, link->name, link->mac);
	link->peer_index = interface_index(peer, equals + 1, link->peer_mac);
	link->inject = frame_socket(peer, link->peer_index, 0);
	link->catch = frame_socket(peer, link->peer_index, ETH_P_ALL);
	link->sentinel = frame_socket(firewall, link->index, SENTINEL);
	link->sentinel_out = frame_socket(firewall, link->index, 0);
	link->raw4 = packet_socket(router ? inner.name : link->name, AF_INET);
	link->raw6 = packet_socket(router ? inner.name : link->name, AF_INET6);
}

/* ROUTER,BRIDGE,INTERFACE */
static void add_router(char *text)
{
	const char *bridge, *name;
	router = strsep(&text, ",");
	if (!(bridge = strsep(&text, ",")) || !(name = text) || strlen(bridge) >= IFNAMSIZ || strlen(name) >= IFNAMSIZ)
		die("bad router");
	strcpy(inner.bridge, bridge);
	strcpy(inner.name, name);
	inner.index = interface_index(guarded, name, inner.mac);
	inner.bridge_index = interface_index(router, bridge, inner.bridge_mac);
	inner.sentinel = frame_socket(guarded, inner.index, SENTINEL);
	inner.bridge_sentinel = frame_socket(router, inner.bridge_index, SENTINEL);
	inner.out = frame_socket(guarded, inner.index, 0);
	inner.bridge_out = frame_socket(router, inner.bridge_index, 0);
}

static void open_receiver(int family, uint8_t protocol)
{
	int *slot = &receivers[family == AF_INET6][protocol];
	if (*slot >= 0) return;
	*slot = socket_in(guarded, family, SOCK_RAW, protocol);
	grow_receive_buffer(*slot);
}

static void passed(uint32_t tag)
{
	if (tag - base < batch_size) results[tag - base] = '1';
}

static void drain_receivers(void)
{
	uint8_t data[2048];
	uint32_t tag;
	for (int v6 = 0; v6 < 2; v6++)
		for (int protocol = 0; protocol < 256; protocol++) {
			int fd = receivers[v6][protocol];
			ssize_t length;
			while (fd >= 0 && (length = recv(fd, data, sizeof data, MSG_DONTWAIT)) >= 0)
				if (v6 ? transport_tag((uint8_t)protocol, data, (size_t)length, &tag)
				       : packet_tag(data, (size_t)length, &tag))
					passed(tag);
		}
}

/* Reads what came to the peer's end; true once the sentinel was among it. */
static bool drain_link(struct link *link)
{
	uint8_t data[2048];
	uint32_t tag;
	ssize_t length;
	bool done = false;
	struct sockaddr_ll from;
	socklen_t size = sizeof from;
	while ((length = recvfrom(link->catch, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &size)) >= 0) {
		size = sizeof from;
		if (from.sll_pkttype == PACKET_OUTGOING) continue;
		if (ntohs(from.sll_protocol) == SENTINEL) {
			done = true;
			continue;
		}
		if (length > ETHERNET_HEADER && packet_tag(data + ETHERNET_HEADER, (size_t)length - ETHERNET_HEADER, &tag))
			passed(tag);
	}
	return done;
}

static void send_frame(int fd, int index, const uint8_t to[6], const uint8_t from[6], int type, const uint8_t *body,
		       size_t length)
{
	uint8_t frame[ETHERNET_HEADER + PACKET_MAX];
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	memcpy(frame + ETHERNET_HEADER, body, length);
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = index, .sll_halen = 6 };
	memcpy(address.sll_addr, to, 6);
	if (sendto(fd, frame, ETHERNET_HEADER + length, 0, (struct sockaddr *)&address, sizeof address) < 0)
		die("sending a frame: %s", strerror(errno));
}

static void send_packet(struct link *link, bool in, const struct packet *packet, const uint8_t *ip, size_t length)
{
	bool v4 = packet->family == AF_INET;
	if (in) {
		link->used_in = true;
		send_frame(link->inject, link->peer_index, link->mac, link->peer_mac, v4 ? ETH_P_IP : ETH_P_IPV6, ip, length);
		return;
	}
	link->used_out = true;
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
				    .sin6_scope_id = (uint32_t)(router ? inner.index : link->index) };
	memcpy(&to4.sin_addr, packet->destination, 4);
	memcpy(&to6.sin6_addr, packet->destination, 16);
	ssize_t sent = v4 ? sendto(link->raw4, ip, length, 0, (struct sockaddr *)&to4, sizeof to4)
			  : sendto(link->raw6, ip, length, 0, (struct sockaddr *)&to6, sizeof to6);
	/* EPERM is the output hook's drop. */
	if (sent < 0 && errno != EPERM) die("sending from %s: %s", link->name, strerror(errno));
}

static void wait_readable(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	if (poll(&wanted, 1, WAIT_MS) != 1) die("no answer within %d ms: the link is down", WAIT_MS);
}

static void await_sentinel(int fd)
{
	uint8_t data[128];
	wait_readable(fd);
	if (recv(fd, data, sizeof data, 0) < 0) die("recv: %s", strerror(errno));
}

/* Returns when every packet sent before has either passed or been dropped. */
static void settle(void)
{
	static const uint8_t body[46];
	bool in = false, out = false;
	for (size_t i = 0; i < link_count; i++) out |= links[i].used_out;
	if (router && out) {
		send_frame(inner.out, inner.index, inner.bridge_mac, inner.mac, SENTINEL, body, sizeof body);
		await_sentinel(inner.bridge_sentinel);
	}
	for (size_t i = 0; i < link_count; i++) {
		struct link *link = &links[i];
		if (link->used_in) {
			send_frame(link->inject, link->peer_index, link->mac, link->peer_mac, SENTINEL, body, sizeof body);
			await_sentinel(link->sentinel);
			in = true;
		}
		if (link->used_out) {
			send_frame(link->sentinel_out, link->index, link->peer_mac, link->mac, SENTINEL, body, sizeof body);
			while (!drain_link(link)) wait_readable(link->catch);
		}
		link->used_in = link->used_out = false;
	}
	if (router && in) {
		send_frame(inner.bridge_out, inner.bridge_index, inner.mac, inner.bridge_mac, SENTINEL, body, sizeof body);
		await_sentinel(inner.sentinel);
	}
	drain_receivers();
}

/* PORT,ADDRESS,PORT: a UDP packet that the receiver sent from the first port to the second one of the address. */
static void parse_quote(const char *text, struct packet *packet)
{
	char address[64];
	unsigned source, destination;
	int family;
	if (sscanf(text, "%u,%63[^,],%u", &source, address, &destination) != 3 ||
	    !parse_address(address, &family, packet->quoted) || family != packet->family)
		die("bad quote %s", text);
	packet->quotes = true;
	packet->quoted_source_port = (uint16_t)source;
	packet->quoted_destination_port = (uint16_t)destination;
}

static void parse_option(const char *text, struct packet *packet, bool *fragments)
{
	unsigned value = 0;
	if (sscanf(text, "sport=%u", &value) == 1) packet->source_port = (uint16_t)value;
	else if (sscanf(text, "hl=%u", &value) == 1) packet->hop_limit = (uint8_t)value;
	else if (sscanf(text, "type=%u", &value) == 1) packet->icmp_type = (uint8_t)value;
	else if (sscanf(text, "code=%u", &value) == 1) packet->icmp_code = (uint8_t)value;
	else if (strncmp(text, "quote=", 6) == 0) parse_quote(text + 6, packet);
	else if (strcmp(text, "ack") == 0) packet->ack = true;
	else if (strcmp(text, "hbh") == 0) packet->hop_by_hop = true;
	else if (strcmp(text, "rt") == 0) packet->routing = true;
	else if (strcmp(text, "dst") == 0) packet->destination_options = true;
	else if (strcmp(text, "afrag") == 0) packet->atomic_fragment = true;
	else if (strcmp(text, "fragments") == 0) *fragments = true;
	else die("unknown option %s", text);
}

static void probe(char *line, uint32_t tag)
{
	char *fields[6], *rest = line;
	for (int i = 0; i < 6; i++)
		if (!(fields[i] = strsep(&rest, " "))) die("a packet needs six fields");
	struct packet packet = { .tag = tag, .hop_limit = 64, .source_port = (uint16_t)(20000 + random32() % 40000) };
	bool in = strcmp(fields[0], "in") == 0, fragments = false;
	uint8_t local[16], remote[16];
	int local_family;
	if (!parse_protocol(fields[1], &packet.protocol) || !parse_address(fields[2], &packet.family, remote) ||
	    !parse_address(fields[3], &local_family, local) || local_family != packet.family)
		die("bad packet: %s %s %s", fields[1], fields[2], fields[3]);
	memcpy(packet.source, in ? remote : local, 16);
	memcpy(packet.destination, in ? local : remote, 16);
	packet.destination_port = (uint16_t)atoi(fields[4]);
	packet.icmp_type = packet.protocol == PROTO_ICMPV6 ? 128 : 8;
	struct link *link = links;
	while (link < links + link_count && strcmp(link->name, fields[5]) != 0) link++;
	if (link == links + link_count) die("unknown interface %s", fields[5]);
	for (char *option; (option = strsep(&rest, " "));) parse_option(option, &packet, &fragments);
	open_receiver(packet.family, packet.protocol);

	uint8_t whole[PACKET_MAX], first[PACKET_MAX], second[PACKET_MAX];
	size_t length = packet_build(&packet, whole), first_length, second_length;
	if (!fragments) {
		send_packet(link, in, &packet, whole, length);
		return;
	}
	packet_fragment(whole, length, random32(), first, &first_length, second, &second_length);
	send_packet(link, in, &packet, first, first_length);
	send_packet(link, in, &packet, second, second_length);
}

int probe_main(int count, char **arguments)
{
	char *via = count > 0 && strncmp(arguments[0], "via=", 4) == 0 ? arguments[0] + 4 : NULL;
	if (via) {
		count--;
		arguments++;
	}
	if (count < 3) die("usage: traffic probe [via=ROUTER,BRIDGE,INTERFACE] GUARDED PEER INTERFACE=PEER_INTERFACE…");
	guarded = arguments[0];
	peer = arguments[1];
	memset(receivers, 0xff, sizeof receivers);
	if (via) add_router(via);
	for (int i = 2; i < count; i++) add_link(arguments[i]);
	pin(0);
	base = random32() | 1;
	char *line = NULL;
	size_t capacity = 0;
	for (ssize_t length; (length = getline(&line, &capacity, stdin)) > 0;) {
		line[length - 1] = 0;
		if (*line) {
			if (batch_size == BATCH_MAX) die("at most %d packets a batch", BATCH_MAX);
			results[batch_size++] = '0';
			probe(line, base + (uint32_t)batch_size - 1);
			if (batch_size % DRAIN_EVERY == 0) {
				drain_receivers();
				/* A sentinel cannot be among these: none is sent before the end. */
				for (size_t i = 0; i < link_count; i++)
					if (links[i].used_out) drain_link(&links[i]);
			}
			continue;
		}
		settle();
		results[batch_size] = 0;
		puts(results);
		fflush(stdout);
		base += (uint32_t)batch_size;
		batch_size = 0;
	}
	return 0;
}
