/*
 * traffic cps SERVER CLIENT ADDRESS PORT SECONDS
 *
 * Connects from the namespace CLIENT to ADDRESS in SERVER over and over, and
 * prints one line: connections, failures, seconds.
 */
#include "traffic.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *serve(void *argument)
{
	int listener = *(int *)argument;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0) close(fd);
	}
	return NULL;
}

int cps_main(int count, char **arguments)
{
	if (count != 5) die("usage: traffic cps SERVER CLIENT ADDRESS PORT SECONDS");
	struct sockaddr_storage address;
	socklen_t size = socket_address(&address, arguments[2], atoi(arguments[3]));
	int one = 1, listener = socket_in(arguments[0], address.ss_family, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0)
		die("listening on %s: %s", arguments[2], strerror(errno));
	pthread_t thread;
	pthread_create(&thread, NULL, serve, &listener);

	/* Entering the namespace once; sockets after that are made in it. */
	close(socket_in(arguments[1], address.ss_family, SOCK_STREAM, 0));
	long connected = 0, failed = 0;
	struct linger reset = { 1, 0 };
	double start = seconds(), end = start + atof(arguments[4]), now;
	do {
		int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		/* Closing by reset keeps the client's ports free. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		if (connect(fd, (struct sockaddr *)&address, size) == 0) connected++;
		else failed++;
		close(fd);
		now = seconds();
	} while (now < end);
	printf("%ld %ld %.6f\n", connected, failed, now - start);
	return 0;
}
