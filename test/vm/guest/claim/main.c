/* claim PORT INTERFACE: claims an interface through usbfs, as a program without a driver would, and says how that went. */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int number(const char *port, const char *attribute)
{
	char path[256];
	int value = -1;
	snprintf(path, sizeof path, "/sys/bus/usb/devices/%s/%s", port, attribute);
	FILE *file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%d", &value) != 1)
			value = -1;
		fclose(file);
	}
	return value;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 64;
	char path[64];
	snprintf(path, sizeof path, "/dev/bus/usb/%03d/%03d", number(argv[1], "busnum"), number(argv[1], "devnum"));
	int fd = open(path, O_RDWR);
	unsigned int interface = (unsigned int)atoi(argv[2]);
	if (fd < 0 || ioctl(fd, USBDEVFS_CLAIMINTERFACE, &interface)) {
		puts(strerror(errno));
		return 0;
	}
	puts("claimed");
	return 0;
}
