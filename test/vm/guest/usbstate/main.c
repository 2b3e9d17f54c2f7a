/*
 * Prints what the kernel says about USB, in one go and without waiting for any device: of the files in sysfs only
 * those are read that do not take the device's lock, for a device that hangs holds it for half a minute.
 *
 *   hub NAME authorized_default interface_authorized_default
 *   device NAME authorized driver idVendor:idProduct class:subclass:protocol devnum descriptors
 *   interface NAME authorized driver class:subclass:protocol altsetting
 *   node CLASS NAME DEVICE        a block, input, network, terminal, ... device, and the USB interface it hangs on
 *
 * A missing value is "-". Descriptors are in hex.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM (2 * PATH_MAX)
#define BUS "/sys/bus/usb/devices"

static const char *const classes[] = {"block", "input", "net", "tty", "sound", "hidraw", "usbmisc", "scsi_host"};

/* Reads a file into one of a few static buffers, trimmed. */
static const char *value(const char *dir, const char *file)
{
	static char buffers[8][256];
	static int next;
	char path[ROOM], *text = buffers[next = (next + 1) % 8];
	snprintf(path, sizeof path, "%s/%s", dir, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 255);
	if (fd >= 0)
		close(fd);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	if (n <= 0)
		return "-";
	text[n] = 0;
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

static const char *driver(const char *dir)
{
	static char target[PATH_MAX];
	char path[ROOM];
	snprintf(path, sizeof path, "%s/driver", dir);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n <= 0)
		return "-";
	target[n] = 0;
	return strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
}

static void descriptors(const char *dir)
{
	static unsigned char data[65536];
	char path[ROOM];
	ssize_t n, total = 0;
	snprintf(path, sizeof path, "%s/descriptors", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, data + total, sizeof data - total)) > 0)
		total += n;
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < total; i++)
		printf("%02x", data[i]);
	puts(total ? "" : "-");
}

static void one(const char *name)
{
	char dir[PATH_MAX];
	snprintf(dir, sizeof dir, BUS "/%s", name);
	if (strchr(name, ':')) {
		printf("interface %s %s %s %s:%s:%s %s\n", name, value(dir, "authorized"), driver(dir), value(dir, "bInterfaceClass"),
		       value(dir, "bInterfaceSubClass"), value(dir, "bInterfaceProtocol"), value(dir, "bAlternateSetting"));
		return;
	}
	if (!strncmp(name, "usb", 3))
		printf("hub %s %s %s\n", name, value(dir, "authorized_default"), value(dir, "interface_authorized_default"));
	printf("device %s %s %s %s:%s %s:%s:%s %s ", name, value(dir, "authorized"), driver(dir), value(dir, "idVendor"),
	       value(dir, "idProduct"), value(dir, "bDeviceClass"), value(dir, "bDeviceSubClass"), value(dir, "bDeviceProtocol"),
	       value(dir, "devnum"));
	descriptors(dir);
}

/* The last part of a path in /sys/devices that is the name of a USB interface or device. */
static const char *usb_part(char *path)
{
	char *found = NULL, *cursor;
	if (!strstr(path, "/usb"))
		return NULL;
	for (char *part = strtok_r(path, "/", &cursor); part; part = strtok_r(NULL, "/", &cursor)) {
		char bus[ROOM];
		snprintf(bus, sizeof bus, BUS "/%s", part);
		if (isdigit((unsigned char)*part) && !access(bus, F_OK))
			found = part;
	}
	return found;
}

int main(void)
{
	struct dirent **entries;
	char path[PATH_MAX], real[PATH_MAX];
	int n = scandir(BUS, &entries, NULL, versionsort);
	for (int i = 0; i < n; i++)
		if (*entries[i]->d_name != '.')
			one(entries[i]->d_name);
	for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
		snprintf(path, sizeof path, "/sys/class/%s", classes[c]);
		n = scandir(path, &entries, NULL, versionsort);
		for (int i = 0; i < n; i++) {
			snprintf(path, sizeof path, "/sys/class/%s/%s", classes[c], entries[i]->d_name);
			if (*entries[i]->d_name == '.' || !realpath(path, real))
				continue;
			const char *device = usb_part(real);
			if (device)
				printf("node %s %s %s\n", classes[c], entries[i]->d_name, device);
		}
	}
	return 0;
}
