#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "hostile.h"

#define DISK_BLOCKS 16384u
#define BLOCK 512u

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Takes a command block and prepares the data and status that the next IN transfers return. */
static void scsi(struct device *d, const uint8_t *cbw)
{
	static const uint8_t inquiry[36] = {0, 0x80, 4, 2, 31, 0, 0, 0, 'H', 'o', 's', 't', 'i', 'l', 'e', ' ', 'd', 'i',
					    's', 'k', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', '1', '.', '0', '0'};
	uint32_t wanted = cbw[8] | cbw[9] << 8 | cbw[10] << 16 | (uint32_t)cbw[11] << 24;
	const uint8_t *cdb = cbw + 15;
	int to_host = cbw[12] & 0x80, failed = 0;
	uint32_t have = 0;
	free(d->bot_data);
	d->bot_data = calloc(1, wanted + BLOCK);
	switch (cdb[0]) {
	case 0x12: /* INQUIRY */
		failed = cdb[1] & 1;
		have = failed ? 0 : sizeof inquiry;
		memcpy(d->bot_data, inquiry, have < wanted ? have : wanted);
		break;
	case 0x25: { /* READ CAPACITY(10) */
		uint32_t capacity[2] = {htonl(DISK_BLOCKS - 1), htonl(BLOCK)};
		have = 8;
		memcpy(d->bot_data, capacity, have < wanted ? have : wanted);
		break;
	}
	case 0x03: /* REQUEST SENSE: illegal request */
		have = 18;
		if (wanted >= 8) {
			d->bot_data[0] = 0x70;
			d->bot_data[2] = 5;
			d->bot_data[7] = 10;
		}
		break;
	case 0x1a: /* MODE SENSE(6) */
		have = 4;
		if (wanted)
			d->bot_data[0] = 3;
		break;
	case 0x28: /* READ(10) */
		failed = be32(cdb + 2) >= DISK_BLOCKS;
		have = failed ? 0 : wanted;
		break;
	case 0x00: /* TEST UNIT READY */
	case 0x1e: /* PREVENT ALLOW MEDIUM REMOVAL */
	case 0x2a: /* WRITE(10), not kept */
	case 0x35: /* SYNCHRONIZE CACHE */
		break;
	default:
		failed = 1;
	}
	d->bot_length = to_host ? (have < wanted ? have : wanted) : 0;
	d->bot_at = 0;
	d->bot_expected_out = to_host ? 0 : wanted;
	memcpy(d->csw, "USBS", 4);
	memcpy(d->csw + 4, cbw + 4, 4);
	uint32_t residue = to_host ? wanted - d->bot_length : 0;
	for (int i = 0; i < 4; i++)
		d->csw[8 + i] = residue >> (8 * i);
	d->csw[12] = failed;
	/* A data phase with nothing in it is a zero-length packet. */
	d->csw_ready = !(to_host && wanted && !d->bot_length);
}

void disk_in(struct device *d, uint32_t seqnum, uint32_t length)
{
	if (d->bot_at < d->bot_length) {
		size_t n = d->bot_length - d->bot_at < length ? d->bot_length - d->bot_at : length;
		complete(d, seqnum, 0, d->bot_data + d->bot_at, n, n);
		d->bot_at += n;
	} else if (!d->csw_ready) {
		d->csw_ready = 1;
		complete(d, seqnum, 0, NULL, 0, 0);
	} else {
		size_t n = length < sizeof d->csw ? length : sizeof d->csw;
		complete(d, seqnum, 0, d->csw, n, n);
	}
}

void disk_out(struct device *d, uint32_t seqnum, const uint8_t *data, uint32_t length)
{
	if (d->bot_expected_out) {
		d->bot_expected_out -= length < d->bot_expected_out ? length : d->bot_expected_out;
	} else if (length == 31 && !memcmp(data, "USBC", 4)) {
		if (!d->bot_left) {
			keep(d, seqnum, d->bot_out, length);
			answer("hung %s", d->name);
			return;
		}
		d->bot_left--;
		scsi(d, data);
	}
	complete(d, seqnum, 0, NULL, 0, length);
}
