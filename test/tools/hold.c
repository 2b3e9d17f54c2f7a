/*
 * traffic hold NAMESPACE SOURCE|- ADDRESS PORT
 *
 * Opens a TCP connection to a server of `traffic answer` and keeps it. Prints `open`, `heard` for each time that something
 * comes in, and `closed` at its end; or `closed` alone when it was not opened.
 */
#include "traffic.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int hold_main(int count, char **arguments)
{
	if (count != 4) die("usage: traffic hold NAMESPACE SOURCE|- ADDRESS PORT");
	struct sockaddr_storage to, from;
	socklen_t size = socket_address(&to, arguments[2], atoi(arguments[3]));
	int fd = socket_in(arguments[0], to.ss_family, SOCK_STREAM, 0);
	if (strcmp(arguments[1], "-") != 0) {
		socklen_t length = socket_address(&from, arguments[1], 0);
		if (bind(fd, (struct sockaddr *)&from, length) != 0) die("no source %s", arguments[1]);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (connect(fd, (struct sockaddr *)&to, size) == 0) {
		char data[4096];
		puts("open");
		while (recv(fd, data, sizeof data, 0) > 0) puts("heard");
	}
	puts("closed");
	return 0;
}
