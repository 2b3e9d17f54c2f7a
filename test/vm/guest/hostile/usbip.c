#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hostile.h"

#define HEADER 48

enum { CMD_SUBMIT = 1, CMD_UNLINK, RET_SUBMIT, RET_UNLINK };

static void send_all(struct device *d, const void *data, size_t length)
{
	const char *at = data;
	while (length) {
		ssize_t n = write(d->fd, at, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the kernel has dropped the connection; the read side notices */
		at += n;
		length -= n;
	}
}

static int receive_all(struct device *d, void *data, size_t length)
{
	char *at = data;
	while (length) {
		ssize_t n = read(d->fd, at, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		length -= n;
	}
	return 0;
}

void complete(struct device *d, uint32_t seqnum, int status, const void *data, size_t length, size_t sent_length)
{
	uint32_t h[HEADER / 4] = {0};
	h[0] = htonl(RET_SUBMIT);
	h[1] = htonl(seqnum);
	h[5] = htonl(status);
	h[6] = htonl(sent_length);
	send_all(d, h, HEADER);
	if (length)
		send_all(d, data, length);
}

void keep(struct device *d, uint32_t seqnum, uint32_t endpoint, uint32_t length)
{
	if (d->pending_count < MAX_PENDING)
		d->pending[d->pending_count++] = (struct pending){seqnum, endpoint, length};
}

int drop_pending(struct device *d, uint32_t seqnum)
{
	for (int i = 0; i < d->pending_count; i++)
		if (d->pending[i].seqnum == seqnum) {
			memmove(d->pending + i, d->pending + i + 1, (--d->pending_count - i) * sizeof *d->pending);
			return 1;
		}
	return 0;
}

static struct rule *match(struct device *d, const uint8_t *setup)
{
	char hex[17];
	for (int i = 0; i < 8; i++)
		snprintf(hex + 2 * i, 3, "%02x", setup[i]);
	for (int r = 0; r < d->rule_count; r++) {
		struct rule *rule = &d->rules[r];
		int same = !rule->used;
		for (int i = 0; i < 16 && same; i++)
			same = rule->pattern[i] == '.' || rule->pattern[i] == hex[i];
		if (same) {
			rule->used = rule->once;
			return rule;
		}
	}
	return NULL;
}

/* The answer to a control request that no rule has claimed; what a plain device would say. */
static enum reply_kind standard(struct device *d, const uint8_t *setup, struct bytes *reply)
{
	static uint8_t scratch[2];
	unsigned type = setup[0], request = setup[1], low = setup[2], high = setup[3];
	*reply = (struct bytes){scratch, 0};
	if (type == 0x80 && request == 6) {
		if (high == 1)
			*reply = d->device;
		else if (high == 2 && low < (unsigned)d->config_count)
			*reply = d->configs[low];
		else if (high == 3 && d->strings[low].data)
			*reply = d->strings[low];
		else
			return REPLY_STALL;
		return REPLY_DATA;
	}
	if ((type & 0xe0) == 0x80 && request == 0) { /* GET_STATUS */
		memset(scratch, 0, 2);
		reply->length = 2;
		return REPLY_DATA;
	}
	if (type == 0x80 && request == 8) { /* GET_CONFIGURATION */
		scratch[0] = d->configuration;
		reply->length = 1;
		return REPLY_DATA;
	}
	if (type == 0 && request == 9)
		d->configuration = low;
	if (type == 0xa1 && request == 0xfe && d->bot_left >= 0) { /* mass storage GET_MAX_LUN */
		scratch[0] = 0;
		reply->length = 1;
		return REPLY_DATA;
	}
	return type & 0x80 ? REPLY_STALL : REPLY_DATA;
}

static void control(struct device *d, uint32_t seqnum, const uint8_t *setup, uint32_t length)
{
	struct bytes reply;
	enum reply_kind kind;
	struct rule *rule = match(d, setup);
	if (d->trace) {
		printf("ctrl %s ", d->name);
		for (int i = 0; i < 8; i++)
			printf("%02x", setup[i]);
		answer("");
	}
	if (rule) {
		kind = rule->kind;
		reply = rule->reply;
	} else
		kind = standard(d, setup, &reply);
	if (kind == REPLY_HANG)
		keep(d, seqnum, 0, length);
	else if (kind == REPLY_STALL)
		complete(d, seqnum, -EPIPE, NULL, 0, 0);
	else if (!(setup[0] & 0x80))
		complete(d, seqnum, 0, NULL, 0, length);
	else {
		size_t n = reply.length < length ? reply.length : length;
		complete(d, seqnum, 0, reply.data, n, n);
	}
}

static void transfer(struct device *d, uint32_t seqnum, int in, unsigned number, uint32_t length, const uint8_t *data)
{
	if (d->bot_left >= 0 && in && number == (d->bot_in & 15)) {
		disk_in(d, seqnum, length);
		return;
	}
	if (d->bot_left >= 0 && !in && number == (d->bot_out & 15)) {
		disk_out(d, seqnum, data, length);
		return;
	}
	switch (d->endpoints[in][number & 15]) {
	case REPLY_STALL:
		complete(d, seqnum, -EPIPE, NULL, 0, 0);
		break;
	case REPLY_ZERO:
		complete(d, seqnum, 0, NULL, 0, in ? 0 : length);
		break;
	default:
		keep(d, seqnum, in ? number | 0x80 : number, length);
	}
}

int serve(struct device *d)
{
	uint32_t h[HEADER / 4];
	if (receive_all(d, h, HEADER))
		return -1;
	uint32_t command = ntohl(h[0]), seqnum = ntohl(h[1]), in = ntohl(h[3]), number = ntohl(h[4]);
	if (command == CMD_UNLINK) {
		uint32_t r[HEADER / 4] = {0};
		r[0] = htonl(RET_UNLINK);
		r[1] = htonl(seqnum);
		r[5] = htonl(drop_pending(d, ntohl(h[5])) ? -ECONNRESET : 0);
		send_all(d, r, HEADER);
		return 0;
	}
	if (command != CMD_SUBMIT)
		return -1;
	uint32_t length = ntohl(h[6]), packets = ntohl(h[8]);
	uint8_t *data = NULL;
	int result = 0;
	if (packets == 0xffffffff)
		packets = 0;
	if (length > (16u << 20) || packets > 4096)
		return -1;
	if (!in && length) {
		data = malloc(length);
		result = receive_all(d, data, length);
	}
	if (!result && packets) { /* isochronous: every packet is reported as empty */
		uint8_t *frames = malloc(packets * 16);
		result = receive_all(d, frames, packets * 16);
		uint32_t r[HEADER / 4] = {0};
		r[0] = htonl(RET_SUBMIT);
		r[1] = htonl(seqnum);
		r[6] = in ? 0 : htonl(length);
		r[7] = h[7];
		r[8] = htonl(packets);
		for (uint32_t i = 0; i < packets; i++) {
			uint32_t *frame = (uint32_t *)(frames + 16 * i);
			frame[2] = in ? 0 : frame[1];
			frame[3] = 0;
		}
		if (!result) {
			send_all(d, r, HEADER);
			send_all(d, frames, packets * 16);
		}
		free(frames);
	} else if (!result && number == 0)
		control(d, seqnum, (uint8_t *)(h + 10), length);
	else if (!result)
		transfer(d, seqnum, !!in, number, length, data);
	free(data);
	return result;
}
