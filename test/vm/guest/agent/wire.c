#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "wire.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
int port = -1;

void die(const char *what)
{
	int console = open("/dev/console", O_WRONLY | O_NOCTTY);
	if (console >= 0)
		dprintf(console, "lab-agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

long long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void write_all(const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(port, data, length);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			die("write");
		}
		data += n;
		length -= n;
	}
}

void send_line(const char *head, const unsigned char *data, size_t length)
{
	size_t at = strlen(head);
	char *line = malloc(at + length * 4 / 3 + 8);
	if (!line)
		die("malloc");
	memcpy(line, head, at);
	if (data) {
		line[at++] = ' ';
		for (size_t i = 0; i < length; i += 3) {
			unsigned v = data[i] << 16 | (i + 1 < length ? data[i + 1] << 8 : 0) | (i + 2 < length ? data[i + 2] : 0);
			line[at++] = alphabet[v >> 18];
			line[at++] = alphabet[v >> 12 & 63];
			line[at++] = i + 1 < length ? alphabet[v >> 6 & 63] : '=';
			line[at++] = i + 2 < length ? alphabet[v & 63] : '=';
		}
	}
	line[at++] = '\n';
	write_all(line, at);
	free(line);
}

void say(const char *format, ...)
{
	char text[512];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	send_line(text, NULL, 0);
}

size_t decode(char *text)
{
	size_t out = 0, bits = 0;
	unsigned value = 0;
	for (char *p = text; *p && *p != '='; p++) {
		const char *found = strchr(alphabet, *p);
		if (!found)
			break;
		value = value << 6 | (found - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			text[out++] = value >> bits & 255;
		}
	}
	text[out] = 0;
	return out;
}

static int find_port(const char *name)
{
	for (int tries = 0; tries < 600; tries++) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *entry;
		while (dir && (entry = readdir(dir))) {
			char path[400], have[64] = "";
			snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			ssize_t n = read(fd, have, sizeof have - 1);
			close(fd);
			if (n > 0 && have[n - 1] == '\n')
				have[n - 1] = 0;
			if (strcmp(have, name))
				continue;
			snprintf(path, sizeof path, "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		usleep(50000);
	}
	die(name);
	return -1;
}

void open_port(const char *name)
{
	port = find_port(name);
}
