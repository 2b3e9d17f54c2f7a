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
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "hostile.h"

enum { SPEED_LOW = 1, SPEED_FULL, SPEED_HIGH, SPEED_SUPER = 5 };

struct device *devices[DEVICES];

void answer(const char *format, ...)
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
