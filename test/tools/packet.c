#include "traffic.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

/* Marks a payload as ours; the tag follows. */
static const uint8_t magic[4] = { 'p', 'W', 0xa7, 0x1c };

enum { IPV6_HOP_BY_HOP = 0, IPV6_ROUTING = 43, IPV6_FRAGMENT = 44, IPV6_DESTINATION = 60 };

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* RFC 1071: the sum of 16-bit words before it is folded and negated. */
static uint32_t sum(const uint8_t *data, size_t length, uint32_t start)
{
	uint32_t total = start;
	for (size_t i = 0; i + 1 < length; i += 2) total += (uint32_t)data[i] << 8 | data[i + 1];
	if (length & 1) total += (uint32_t)data[length - 1] << 8;
	return total;
}

static uint16_t checksum(uint32_t total)
{
	while (total >> 16) total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* CRC32c as SCTP has it (RFC 9260 appendix A), a bit at a time: packets are few or built once. */
static uint32_t crc32c(const uint8_t *data, size_t length)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < length; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* The header of the packet's protocol and its payload. */
/* The packet that an ICMP error is about, which went the other way; it carries the tag. */
static size_t build_quote(const struct packet *packet, uint8_t *out)
{
	bool v4 = packet->family == AF_INET;
	size_t header = v4 ? 20 : 40;
	memset(out, 0, header);
	if (v4) {
		out[0] = 0x45;
		put16(out + 2, 36);
		out[8] = 64;
		out[9] = PROTO_UDP;
		memcpy(out + 12, packet->destination, 4);
		memcpy(out + 16, packet->quoted, 4);
		put16(out + 10, checksum(sum(out, 20, 0)));
	} else {
		out[0] = 0x60;
		put16(out + 4, 16);
		out[6] = PROTO_UDP;
		out[7] = 64;
		memcpy(out + 8, packet->destination, 16);
		memcpy(out + 24, packet->quoted, 16);
	}
	uint8_t *udp = out + header;
	put16(udp, packet->quoted_source_port);
	put16(udp + 2, packet->quoted_destination_port);
	put16(udp + 4, 16);
	put16(udp + 6, 0);
	memcpy(udp + 8, magic, 4);
	put32(udp + 12, packet->tag);
	return header + 16;
}

static size_t build_transport(const struct packet *packet, uint8_t *out)
{
	switch (packet->protocol) {
	case PROTO_TCP:
		memset(out, 0, 20);
		put16(out, packet->source_port);
		put16(out + 2, packet->destination_port);
		put32(out + 4, packet->tag);
		out[12] = 5 << 4;
		out[13] = packet->ack ? 0x10 : 0x02;
		put16(out + 14, 1024);
		memcpy(out + 20, magic, 4);
		put32(out + 24, packet->tag);
		return 28;
	case PROTO_UDP:
		put16(out, packet->source_port);
		put16(out + 2, packet->destination_port);
		put16(out + 4, 24);
		put16(out + 6, 0);
		memcpy(out + 8, magic, 4);
		put32(out + 12, packet->tag);
		memset(out + 16, 0, 8);
		return 24;
	case PROTO_SCTP: /* INIT: initiate tag, window, streams out and in, first TSN */
		memset(out, 0, 32);
		put16(out, packet->source_port);
		put16(out + 2, packet->destination_port);
		out[12] = 1;
		put16(out + 14, 20);
		put32(out + 16, packet->tag);
		put32(out + 20, 65536);
		put16(out + 24, 1);
		put16(out + 26, 1);
		put32(out + 28, 1);
		uint32_t crc = crc32c(out, 32);
		for (int i = 0; i < 4; i++) out[8 + i] = (uint8_t)(crc >> (8 * i));
		return 32;
	case PROTO_ICMP:
	case PROTO_IGMP:
	case PROTO_ICMPV6:
		memset(out, 0, 24);
		out[0] = packet->icmp_type;
		out[1] = packet->icmp_code;
		if (packet->quotes) return 8 + build_quote(packet, out + 8);
		put16(out + 4, packet->source_port);
		put16(out + 6, 1);
		memcpy(out + 8, magic, 4);
		put32(out + 12, packet->tag);
		return 24;
	default:
		memset(out, 0, 16);
		memcpy(out, magic, 4);
		put32(out + 4, packet->tag);
		return 16;
	}
}

static void set_checksum(const struct packet *packet, uint8_t *transport, size_t length)
{
	size_t size = packet->family == AF_INET ? 4 : 16;
	uint32_t pseudo = sum(packet->source, size, sum(packet->destination, size, packet->protocol + (uint32_t)length));
	if (packet->protocol == PROTO_TCP) put16(transport + 16, checksum(sum(transport, length, pseudo)));
	if (packet->protocol == PROTO_UDP) {
		uint16_t value = checksum(sum(transport, length, pseudo));
		put16(transport + 6, value ? value : 0xffff);
	}
	if (packet->protocol == PROTO_ICMP || packet->protocol == PROTO_IGMP)
		put16(transport + 2, checksum(sum(transport, length, 0)));
	if (packet->protocol == PROTO_ICMPV6) put16(transport + 2, checksum(sum(transport, length, pseudo)));
}

/* Appends an extension header of 8 bytes; `link` is where its number belongs. Returns where the next number belongs. */
static uint8_t *extend(uint8_t **at, uint8_t *link, uint8_t number)
{
	uint8_t *header = *at;
	*link = number;
	memset(header, 0, 8);
	if (number == IPV6_HOP_BY_HOP || number == IPV6_DESTINATION) {
		header[2] = 1; /* PadN over the rest */
		header[3] = 4;
	}
	if (number == IPV6_ROUTING) header[2] = 253; /* experimental (RFC 4727), nothing left to visit */
	*at += 8;
	return header;
}

size_t packet_build(const struct packet *packet, uint8_t *out)
{
	uint8_t *at = out;
	if (packet->family == AF_INET) {
		memset(at, 0, 20);
		at[0] = 0x45;
		put16(at + 4, random32());
		at[8] = packet->hop_limit;
		at[9] = packet->protocol;
		memcpy(at + 12, packet->source, 4);
		memcpy(at + 16, packet->destination, 4);
		at += 20;
	} else {
		memset(at, 0, 40);
		at[0] = 0x60;
		at[7] = packet->hop_limit;
		memcpy(at + 8, packet->source, 16);
		memcpy(at + 24, packet->destination, 16);
		at += 40;
		uint8_t *link = out + 6;
		if (packet->hop_by_hop) link = extend(&at, link, IPV6_HOP_BY_HOP);
		if (packet->routing) link = extend(&at, link, IPV6_ROUTING);
		if (packet->destination_options) link = extend(&at, link, IPV6_DESTINATION);
		if (packet->atomic_fragment) {
			link = extend(&at, link, IPV6_FRAGMENT);
			put32(link + 4, random32());
		}
		*link = packet->protocol;
	}
	uint8_t *transport = at;
	size_t length = build_transport(packet, transport);
	set_checksum(packet, transport, length);
	size_t total = (size_t)(transport - out) + length;
	if (packet->family == AF_INET) {
		put16(out + 2, (uint32_t)total);
		put16(out + 10, checksum(sum(out, 20, 0)));
	} else {
		put16(out + 4, (uint32_t)(total - 40));
	}
	return total;
}

void packet_fragment(const uint8_t *whole, size_t length, uint32_t id, uint8_t *first, size_t *first_length,
		     uint8_t *second, size_t *second_length)
{
	bool v4 = whole[0] >> 4 == 4;
	size_t header = v4 ? 20 : 40, cut = length - header > 24 ? 24 : 16, rest = length - header - cut;
	if (v4) {
		memcpy(first, whole, header + cut);
		memcpy(second, whole, header);
		memcpy(second + header, whole + header + cut, rest);
		for (int i = 0; i < 2; i++) {
			uint8_t *fragment = i ? second : first;
			put16(fragment + 2, (uint32_t)(header + (i ? rest : cut)));
			put16(fragment + 4, id);
			put16(fragment + 6, i ? (uint32_t)(cut / 8) : 0x2000);
			put16(fragment + 10, 0);
			put16(fragment + 10, checksum(sum(fragment, header, 0)));
		}
		*first_length = header + cut;
		*second_length = header + rest;
		return;
	}
	for (int i = 0; i < 2; i++) {
		uint8_t *fragment = i ? second : first;
		memcpy(fragment, whole, header);
		fragment[6] = IPV6_FRAGMENT;
		put16(fragment + 4, (uint32_t)(8 + (i ? rest : cut)));
		memset(fragment + header, 0, 8);
		fragment[header] = whole[6];
		put16(fragment + header + 2, i ? (uint32_t)cut : 1);
		put32(fragment + header + 4, id);
		memcpy(fragment + header + 8, whole + header + (i ? cut : 0), i ? rest : cut);
	}
	*first_length = header + 8 + cut;
	*second_length = header + 8 + rest;
}

bool transport_tag(uint8_t protocol, const uint8_t *data, size_t length, uint32_t *tag)
{
	if (protocol == PROTO_SCTP) {
		/* INIT has no room for the mark; its own layout has to do. */
		if (length < 24 || data[12] != 1 || get32(data + 20) != 65536) return false;
		return *tag = get32(data + 16), true;
	}
	size_t offset = protocol == PROTO_TCP                                                          ? 20
			: protocol == PROTO_UDP || protocol == PROTO_ICMP || protocol == PROTO_ICMPV6 ||
					  protocol == PROTO_IGMP
				? 8
				: 0;
	/* The tag of an error is in what it quotes: behind its own header, and those of IP and UDP. */
	if ((protocol == PROTO_ICMP || protocol == PROTO_ICMPV6) && length >= 24 && memcmp(data + 8, magic, 4) != 0)
		offset = protocol == PROTO_ICMP ? 36 : 56;
	/* A first fragment of TCP ends before its payload; the sequence number is the tag as well. */
	if (protocol == PROTO_TCP && length >= 8 && length < 28) return *tag = get32(data + 4), true;
	if (length < offset + 8 || memcmp(data + offset, magic, 4) != 0) return false;
	return *tag = get32(data + offset + 4), true;
}

bool packet_tag(const uint8_t *ip, size_t length, uint32_t *tag)
{
	if (length < 20) return false;
	if (ip[0] >> 4 == 4) {
		size_t header = (size_t)(ip[0] & 15) * 4;
		bool later_fragment = ((ip[6] << 8 | ip[7]) & 0x1fff) != 0;
		return !later_fragment && length > header && transport_tag(ip[9], ip + header, length - header, tag);
	}
	if (ip[0] >> 4 != 6 || length < 40) return false;
	uint8_t next = ip[6];
	size_t at = 40;
	while (at + 8 <= length && (next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING || next == IPV6_FRAGMENT ||
				    next == IPV6_DESTINATION)) {
		if (next == IPV6_FRAGMENT && (ip[at + 2] << 8 | ip[at + 3]) >> 3 != 0) return false;
		size_t size = next == IPV6_FRAGMENT ? 8 : (size_t)(ip[at + 1] + 1) * 8;
		next = ip[at];
		at += size;
	}
	return at < length && transport_tag(next, ip + at, length - at, tag);
}
