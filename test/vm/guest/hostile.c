/*
 * User-space USB devices that answer what the test wants, on the guest's virtual host controllers (vhci_hcd).
 *
 * The kernel's half of a socket pair goes to vhci_hcd; on the other half this program is the device, in the
 * protocol of Documentation/usb/usbip_protocol.rst: every transfer the guest's drivers submit arrives here.
 *
 * Commands on standard input, one a line; every one is answered by "ok NAME ..." or "error NAME TEXT":
 *   plug NAME KEY=VALUE...
 *     speed=low|full|high|super   (high)
 *     port=N                      vhci port (the first free one that suits the speed); the answer has the sysfs name
 *     device=HEX config=HEX...    descriptors as sent, lengths and counts unchecked
 *     string.INDEX=HEX            a whole string descriptor, header included
 *     on=PATTERN:REPLY once=...   PATTERN: the 8 setup bytes in hex, "." for any digit. REPLY: hex, stall or hang.
 *                                 Tried in order, before all else; a "once" is used up by its first match
 *     ep.ADDRESS=stall|zero|hang  what transfers on an endpoint get, address in hex (hang: no answer, as an idle one)
 *     bot=N                       mass storage (bulk only, one 8 MiB disk): obey N commands, then say "hung NAME" and stop answering
 *     bot.in=ADDRESS bot.out=ADDRESS  its endpoints (81, 02)
 *     trace=1                     print "ctrl NAME SETUP" for every control request
 *   send NAME ADDRESS HEX         completes a waiting IN transfer (a key press); fails if none waits
 *   unplug NAME
 *   count                         "ok count N"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICES 300
#define MAX_PENDING 64
#define DISK_BLOCKS 16384u
#define BLOCK 512u
#define HEADER 48
#define PLATFORM "/sys/devices/platform"

enum { CMD_SUBMIT = 1, CMD_UNLINK, RET_SUBMIT, RET_UNLINK };
enum { SPEED_LOW = 1, SPEED_FULL, SPEED_HIGH, SPEED_SUPER = 5 };
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

static struct device *devices[DEVICES];

static void answer(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
}

static struct bytes from_hex(const char *hex)
{
	struct bytes out = {malloc(strlen(hex) / 2 + 1), 0};
	unsigned value;
	while (hex[0] && hex[1] && sscanf(hex, "%2x", &value) == 1) {
		out.data[out.length++] = value;
		hex += 2;
	}
	return out;
}

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

static void complete(struct device *d, uint32_t seqnum, int status, const void *data, size_t length, size_t sent_length)
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

static void keep(struct device *d, uint32_t seqnum, uint32_t endpoint, uint32_t length)
{
	if (d->pending_count < MAX_PENDING)
		d->pending[d->pending_count++] = (struct pending){seqnum, endpoint, length};
}

static int drop_pending(struct device *d, uint32_t seqnum)
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

static void disk_in(struct device *d, uint32_t seqnum, uint32_t length)
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

static void disk_out(struct device *d, uint32_t seqnum, const uint8_t *data, uint32_t length)
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

/* Reads and answers one message. Returns -1 when the kernel has closed the connection. */
static int serve(struct device *d)
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

static int read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 ? atoi(text) : -1;
}

/*
 * The lines of status files: "hs  0000 004 ...": hub kind, port, state (4: free). Chooses the port wanted, or the
 * first free one, of the kind; the sysfs name comes from the controller's root hub of that speed and the port's
 * place among the controller's ports of its kind.
 */
static int choose_port(int wanted, int super, char *name, size_t size)
{
	for (int hc = 0; hc < 64; hc++) {
		char path[400], line[256];
		snprintf(path, sizeof path, hc ? PLATFORM "/vhci_hcd.0/status.%d" : PLATFORM "/vhci_hcd.0/status", hc);
		FILE *file = fopen(path, "re");
		if (!file)
			return -1;
		int place = 0;
		while (fgets(line, sizeof line, file)) {
			char kind[8];
			int port, state;
			if (sscanf(line, "%7s %d %d", kind, &port, &state) != 3 || strcmp(kind, super ? "ss" : "hs"))
				continue;
			place++;
			int taken = 0;
			for (int i = 0; i < DEVICES; i++)
				taken |= devices[i] && devices[i]->port == port;
			if (wanted >= 0 ? port != wanted : state != 4 || taken)
				continue;
			fclose(file);
			snprintf(path, sizeof path, PLATFORM "/vhci_hcd.%d", hc);
			DIR *dir = opendir(path);
			struct dirent *entry;
			while (dir && (entry = readdir(dir))) {
				int bus, speed;
				if (sscanf(entry->d_name, "usb%d", &bus) != 1)
					continue;
				snprintf(path, sizeof path, PLATFORM "/vhci_hcd.%d/usb%d/speed", hc, bus);
				speed = read_number(path);
				if (super ? speed >= 5000 : speed == 480)
					snprintf(name, size, "%d-%d", bus, place);
			}
			if (dir)
				closedir(dir);
			return port;
		}
		fclose(file);
	}
	return -1;
}

static int reply_kind(const char *text)
{
	return !strcmp(text, "stall") ? REPLY_STALL : !strcmp(text, "hang") ? REPLY_HANG : !strcmp(text, "zero") ? REPLY_ZERO : REPLY_DATA;
}

static void release(struct device *d)
{
	close(d->fd);
	free(d->device.data);
	for (int i = 0; i < d->config_count; i++)
		free(d->configs[i].data);
	for (int i = 0; i < 256; i++)
		free(d->strings[i].data);
	for (int i = 0; i < d->rule_count; i++)
		free(d->rules[i].reply.data);
	free(d->bot_data);
	free(d);
}

static const char *set(struct device *d, const char *key, char *value, int *port, int *speed)
{
	unsigned address;
	if (!strcmp(key, "port"))
		*port = atoi(value);
	else if (!strcmp(key, "speed"))
		*speed = !strcmp(value, "low") ? SPEED_LOW : !strcmp(value, "full") ? SPEED_FULL : !strcmp(value, "super") ? SPEED_SUPER : SPEED_HIGH;
	else if (!strcmp(key, "trace"))
		d->trace = atoi(value);
	else if (!strcmp(key, "device") && !d->device.data)
		d->device = from_hex(value);
	else if (!strcmp(key, "config") && d->config_count < 8)
		d->configs[d->config_count++] = from_hex(value);
	else if (sscanf(key, "string.%u", &address) == 1 && address < 256 && !d->strings[address].data)
		d->strings[address] = from_hex(value);
	else if (sscanf(key, "ep.%x", &address) == 1)
		d->endpoints[!!(address & 0x80)][address & 15] = reply_kind(value);
	else if (!strcmp(key, "bot"))
		d->bot_left = atol(value);
	else if (!strcmp(key, "bot.in"))
		d->bot_in = strtoul(value, NULL, 16);
	else if (!strcmp(key, "bot.out"))
		d->bot_out = strtoul(value, NULL, 16);
	else if ((!strcmp(key, "on") || !strcmp(key, "once")) && d->rule_count < 64) {
		struct rule *rule = &d->rules[d->rule_count];
		if (strlen(value) < 17 || value[16] != ':')
			return "a rule is 16 digits, a colon and a reply";
		memcpy(rule->pattern, value, 16);
		rule->kind = reply_kind(value + 17);
		rule->once = key[2] == 'c';
		if (rule->kind == REPLY_DATA)
			rule->reply = from_hex(value + 17);
		d->rule_count++;
	} else
		return "unknown, repeated or too many";
	return NULL;
}

static void plug(char *name, char **cursor)
{
	int wanted = -1, speed = SPEED_HIGH, slot = 0, pair[2];
	char sysfs[32] = "?", order[64];
	struct device *d = calloc(1, sizeof *d);
	while (slot < DEVICES && devices[slot])
		slot++;
	snprintf(d->name, sizeof d->name, "%s", name);
	d->bot_left = -1;
	d->bot_in = 0x81;
	d->bot_out = 2;
	d->fd = -1;
	for (char *word = strtok_r(NULL, " ", cursor); word; word = strtok_r(NULL, " ", cursor)) {
		char *value = strchr(word, '=');
		const char *wrong = "no value";
		if (value) {
			*value++ = 0;
			wrong = set(d, word, value, &wanted, &speed);
		}
		if (wrong) {
			answer("error %s %s: %s", name, word, wrong);
			release(d);
			return;
		}
	}
	d->port = choose_port(wanted, speed == SPEED_SUPER, sysfs, sizeof sysfs);
	if (slot == DEVICES || d->port < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		answer("error %s no free port", name);
		release(d);
		return;
	}
	d->fd = pair[0];
	int attach = open(PLATFORM "/vhci_hcd.0/attach", O_WRONLY | O_CLOEXEC);
	int length = snprintf(order, sizeof order, "%d %d %d %d", d->port, pair[1], 0x10000 + d->port, speed);
	int failed = 0;
	/* A port that has just been left is free a moment later. */
	for (int tries = 0; tries < 200; tries++) {
		failed = attach < 0 || write(attach, order, length) != length ? errno : 0;
		if (failed != EBUSY)
			break;
		usleep(5000);
	}
	if (attach >= 0)
		close(attach);
	close(pair[1]);
	if (failed) {
		answer("error %s attach: %s", name, strerror(failed));
		release(d);
		return;
	}
	devices[slot] = d;
	answer("ok %s %s %d", name, sysfs, d->port);
}

static void unplug(int slot)
{
	release(devices[slot]);
	devices[slot] = NULL;
}

static void send_to(struct device *d, const char *address, const char *hex)
{
	unsigned endpoint = strtoul(address, NULL, 16);
	for (int i = 0; i < d->pending_count; i++)
		if (d->pending[i].endpoint == endpoint) {
			struct bytes data = from_hex(hex);
			struct pending p = d->pending[i];
			size_t n = data.length < p.length ? data.length : p.length;
			drop_pending(d, p.seqnum);
			complete(d, p.seqnum, 0, data.data, n, n);
			free(data.data);
			answer("ok %s", d->name);
			return;
		}
	answer("error %s nobody waits for endpoint %s", d->name, address);
}

static void obey(char *line)
{
	char *cursor, *verb = strtok_r(line, " ", &cursor), *name = strtok_r(NULL, " ", &cursor);
	int slot = 0, count = 0;
	if (!verb)
		return;
	if (!strcmp(verb, "count")) {
		for (int i = 0; i < DEVICES; i++)
			count += !!devices[i];
		answer("ok count %d", count);
		return;
	}
	while (name && slot < DEVICES && !(devices[slot] && !strcmp(devices[slot]->name, name)))
		slot++;
	if (!name)
		answer("error - a name is missing");
	else if (!strcmp(verb, "plug"))
		plug(name, &cursor);
	else if (slot == DEVICES)
		answer("error %s no such device", name);
	else if (!strcmp(verb, "unplug")) {
		unplug(slot);
		answer("ok %s", name);
	} else if (!strcmp(verb, "send")) {
		char *address = strtok_r(NULL, " ", &cursor), *hex = strtok_r(NULL, " ", &cursor);
		send_to(devices[slot], address ? address : "", hex ? hex : "");
	} else
		answer("error %s unknown command %s", name, verb);
}

int main(void)
{
	static char input[1 << 20];
	size_t have = 0;
	for (;;) {
		struct pollfd fds[DEVICES + 1] = {{0, POLLIN, 0}};
		int slots[DEVICES + 1], n = 1;
		for (int i = 0; i < DEVICES; i++)
			if (devices[i]) {
				slots[n] = i;
				fds[n++] = (struct pollfd){devices[i]->fd, POLLIN, 0};
			}
		if (poll(fds, n, -1) < 0)
			continue;
		for (int i = 1; i < n; i++)
			if (fds[i].revents && serve(devices[slots[i]])) {
				answer("gone %s", devices[slots[i]]->name);
				unplug(slots[i]);
			}
		if (!fds[0].revents)
			continue;
		ssize_t got = read(0, input + have, sizeof input - have - 1);
		if (got <= 0)
			return 0; /* closing the sockets unplugs everything */
		have += got;
		char *end;
		while ((end = memchr(input, '\n', have))) {
			size_t used = end + 1 - input;
			*end = 0;
			obey(input);
			have -= used;
			memmove(input, input + used, have);
		}
	}
}
