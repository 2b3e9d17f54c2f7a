/*
 * traffic talk SERVER CLIENT tcp|udp ADDRESS PORT [SOURCE|- [LISTENED LISTENED_PORT]]
 *
 * Opens one flow from the namespace CLIENT, there from the address SOURCE, to an
 * echo server on ADDRESS in SERVER (or on LISTENED there, where ADDRESS is translated to that), and keeps it. Prints `open` or `closed`, then for each line of
 * standard input, a number of milliseconds, sends a byte and prints `echo` when
 * it came back in that time, else `silent`, or `closed` after a reset. After
 * `serve N` the server sends a byte of its own accord: `echo` when it arrives.
 * Over UDP it can do so once it has heard from the client.
 */
#include "traffic.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_MS = 1500 };

static int listener;
static bool stream;
static atomic_int serving = -1;
/* Where the server's last datagram came from; written before `serving`, and the same ever after. */
static struct sockaddr_storage from;
static socklen_t from_size = sizeof from;

static void *echo(void *argument)
{
	(void)argument;
	uint8_t byte;
	int fd = stream ? accept(listener, NULL, NULL) : listener;
	if (stream) {
		/* Or a byte waits for the other end's delayed acknowledgement of the one before. */
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		serving = fd;
	}
	for (;;) {
		socklen_t size = sizeof from;
		ssize_t length = recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &size);
		if (length == 0 || (length < 0 && stream)) return NULL;
		if (length < 0) continue;
		from_size = size;
		serving = fd;
		if (stream) send(fd, &byte, 1, MSG_NOSIGNAL);
		else sendto(fd, &byte, 1, 0, (struct sockaddr *)&from, size);
	}
}

static bool ready(int fd, short events, int milliseconds)
{
	struct pollfd wanted = { .fd = fd, .events = events };
	return poll(&wanted, 1, milliseconds) == 1;
}

static bool connected(int fd, const struct sockaddr_storage *address, socklen_t size)
{
	if (connect(fd, (const struct sockaddr *)address, size) == 0) return true;
	int error = 0;
	socklen_t length = sizeof error;
	return errno == EINPROGRESS && ready(fd, POLLOUT, CONNECT_MS) &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

static bool sent(int fd, bool by_server)
{
	if (!by_server || stream) return send(by_server ? serving : fd, "x", 1, MSG_NOSIGNAL) == 1;
	return sendto(serving, "x", 1, 0, (struct sockaddr *)&from, from_size) == 1;
}

static const char *say(int fd, const char *line)
{
	uint8_t byte;
	bool by_server = strncmp(line, "serve ", 6) == 0;
	int milliseconds = atoi(by_server ? line + 6 : line);
	/* What came too late for an earlier line is no answer to this one. */
	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		;
	if (!sent(fd, by_server)) return errno == EPERM ? "silent" : "closed";
	if (!ready(fd, POLLIN, milliseconds)) return "silent";
	return recv(fd, &byte, 1, 0) == 1 ? "echo" : "closed";
}

int talk_main(int count, char **arguments)
{
	if (count < 5 || count > 8 || count == 7)
		die("usage: traffic talk SERVER CLIENT tcp|udp ADDRESS PORT [SOURCE|- [LISTENED LISTENED_PORT]]");
	stream = strcmp(arguments[2], "tcp") == 0;
	int type = stream ? SOCK_STREAM : SOCK_DGRAM, one = 1;
	struct sockaddr_storage address;
	socklen_t size = socket_address(&address, arguments[3], atoi(arguments[4]));
	listener = socket_in(arguments[0], address.ss_family, type, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	struct sockaddr_storage listened = address;
	if (count == 8) socket_address(&listened, arguments[6], atoi(arguments[7]));
	if (bind(listener, (struct sockaddr *)&listened, size) != 0 || (stream && listen(listener, 8) != 0))
		die("listening on %s: %s", arguments[3], strerror(errno));
	pthread_t thread;
	pthread_create(&thread, NULL, echo, NULL);

	int fd = socket_in(arguments[1], address.ss_family, type | SOCK_NONBLOCK, 0);
	if (count >= 6 && strcmp(arguments[5], "-") != 0) {
		struct sockaddr_storage source;
		socklen_t length = socket_address(&source, arguments[5], 0);
		if (bind(fd, (struct sockaddr *)&source, length) != 0) die("%s: %s", arguments[5], strerror(errno));
	}
	if (stream) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	bool open = connected(fd, &address, size);
	puts(open ? "open" : "closed");
	fflush(stdout);
	char line[32];
	while (open && fgets(line, sizeof line, stdin)) {
		puts(say(fd, line));
		fflush(stdout);
	}
	return 0;
}
