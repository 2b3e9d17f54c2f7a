#ifndef HOSTILE_H
#define HOSTILE_H
#include <stddef.h>
#include <stdint.h>

#define DEVICES 300
#define MAX_PENDING 64
#define PLATFORM "/sys/devices/platform"

enum reply_kind { REPLY_DATA, REPLY_STALL, REPLY_HANG, REPLY_ZERO };

struct bytes {
	uint8_t *data;
	size_t length;
};

struct rule {
	char pattern[17];
	enum reply_kind kind;
	struct bytes reply;
	int once, used;
};

struct pending {
	uint32_t seqnum, endpoint, length;
};

struct device {
	char name[48];
	int fd, port, trace;
	struct bytes device, configs[8], strings[256];
	int config_count, configuration;
	struct rule rules[64];
	int rule_count;
	enum reply_kind endpoints[2][16];
	struct pending pending[MAX_PENDING];
	int pending_count;
	/* Bulk-only transport: commands left (-1: not a disk), the data and status to return. */
	long bot_left;
	unsigned bot_in, bot_out;
	uint8_t csw[13];
	uint8_t *bot_data;
	size_t bot_length, bot_at, bot_expected_out;
	int csw_ready;
};

/* Every device that is plugged in. */
extern struct device *devices[DEVICES];

/* Prints a line. */
void answer(const char *format, ...);

/* usbip.c: reads and answers one message of the kernel. Returns -1 when it has closed the connection. */
int serve(struct device *d);
/* Completes a transfer; `sent_length` is what the kernel is told, `data` what an IN transfer returns. */
void complete(struct device *d, uint32_t seqnum, int status, const void *data, size_t length, size_t sent_length);
/* Leaves a transfer unanswered. */
void keep(struct device *d, uint32_t seqnum, uint32_t endpoint, uint32_t length);
/* Forgets an unanswered transfer; 0 if there is none. */
int drop_pending(struct device *d, uint32_t seqnum);

/* disk.c: transfers of a bulk-only disk. */
void disk_in(struct device *d, uint32_t seqnum, uint32_t length);
void disk_out(struct device *d, uint32_t seqnum, const uint8_t *data, uint32_t length);

/* ports.c: the vhci port wanted, or with -1 the first free one, for a speed; -1 if there is none. Sets the sysfs name. */
int choose_port(int wanted, int super, char *name, size_t size);

#endif
