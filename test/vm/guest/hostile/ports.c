#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hostile.h"

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
int choose_port(int wanted, int super, char *name, size_t size)
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
