/* Test traffic between two network namespaces, from one process. */
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

enum { PROTO_ICMP = 1, PROTO_IGMP = 2, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58, PROTO_SCTP = 132 };

/* Longest packet that is built: a header, extension headers and a little payload. */
enum { PACKET_MAX = 512, ETHERNET_HEADER = 14 };

/* One packet of a new flow. Addresses are in network order, IPv4 in the first four bytes. */
struct packet {
	int family; /* AF_INET or AF_INET6 */
	uint8_t source[16], destination[16];
	uint8_t protocol;
	uint16_t source_port, destination_port;
	uint32_t tag; /* Carried where the receiver finds it again; see packet_tag. */
	uint8_t hop_limit;
	uint8_t icmp_type, icmp_code; /* With PROTO_ICMP, PROTO_ICMPV6 and PROTO_IGMP alone. */
	/* ICMP errors: quotes a UDP packet that the error's receiver sent, from and to these ports, to this address. */
	bool quotes;
	uint8_t quoted[16];
	uint16_t quoted_source_port, quoted_destination_port;
	bool hop_by_hop, routing, destination_options; /* IPv6 extension headers, in that order. */
	bool atomic_fragment; /* An IPv6 fragment header around the whole. */
	bool ack; /* TCP: ACK in place of SYN. */
};

/* Writes the IP packet to `out` (PACKET_MAX bytes), all checksums right. Returns its length. */
size_t packet_build(const struct packet *packet, uint8_t *out);

/*
 * Cuts an IPv4 packet, or an IPv6 packet without extension headers, in two. The
 * first fragment holds the whole transport header, as RFC 7112 demands.
 */
void packet_fragment(const uint8_t *whole, size_t length, uint32_t id, uint8_t *first, size_t *first_length,
		     uint8_t *second, size_t *second_length);

/* The tag of a packet that starts at its IP header; false when it is none of ours. */
bool packet_tag(const uint8_t *ip, size_t length, uint32_t *tag);

/* The same for one that starts at the header of `protocol`. */
bool transport_tag(uint8_t protocol, const uint8_t *data, size_t length, uint32_t *tag);

/* A socket made in the namespace of `path` (such as /proc/1/ns/net). Exits with a message when it cannot. */
int socket_in(const char *path, int domain, int type, int protocol);
/* Interface index and hardware address in that namespace. */
int interface_index(const char *path, const char *name, uint8_t mac[6]);

bool parse_address(const char *text, int *family, uint8_t out[16]);
/* Fills `storage` for a literal address; exits when it is none. Returns its size. */
socklen_t socket_address(struct sockaddr_storage *storage, const char *address, int port);
/* tcp, udp, sctp, icmp, icmpv6, or a number. */
bool parse_protocol(const char *text, uint8_t *protocol);
double seconds(void);
/* CPU time that the calling thread has used. */
double thread_seconds(void);
uint32_t random32(void);
/* Prints to stderr and exits with 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The largest receive buffer that root gets. */
void grow_receive_buffer(int fd);
/* Packets that the socket's buffer had no room for. */
uint32_t socket_drops(int fd);
void pin(int cpu);

int probe_main(int count, char **arguments);
int flood_main(int count, char **arguments);
int cps_main(int count, char **arguments);
int talk_main(int count, char **arguments);
int hammer_main(int count, char **arguments);
int answer_main(int count, char **arguments);
int ask_main(int count, char **arguments);
int hold_main(int count, char **arguments);
int wire_main(int count, char **arguments);
