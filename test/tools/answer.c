/*
 * traffic answer PORT…
 *
 * Serves each port over TCP and UDP, IPv4 and IPv6, in the namespace that it runs in, for ever. Over both it answers
 * with a line: the address that it sees the client at. Over TCP it is chatty as well: it goes on with a byte ten times
 * a second until the connection ends, whatever the client says. Prints `ready` when it serves.
 */
#include "traffic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOCKETS_MAX = 256, PAUSE_MS = 100 };

static struct pollfd sockets[SOCKETS_MAX];
static enum kind { STREAM_SERVER, DATAGRAM_SERVER, CLIENT } kinds[SOCKETS_MAX];
static int used;

static void add(int fd, enum kind kind)
{
	if (used == SOCKETS_MAX) {
		close(fd);
		return;
	}
	sockets[used] = (struct pollfd){ .fd = fd, .events = POLLIN };
	kinds[used++] = kind;
}

/* A host without IPv6 is served over IPv4. */
static void serve(int type, int port)
{
	int one = 1, zero = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr *address = (struct sockaddr *)&any6;
	socklen_t size = sizeof any6;
	if (fd < 0) {
		fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		address = (struct sockaddr *)&any4;
		size = sizeof any4;
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, address, size) != 0 || (type == SOCK_STREAM && listen(fd, 64) != 0))
		die("serving port %d: %s", port, strerror(errno));
	add(fd, type == SOCK_STREAM ? STREAM_SERVER : DATAGRAM_SERVER);
}

static size_t line_of(const struct sockaddr_storage *peer, char line[INET6_ADDRSTRLEN + 2])
{
	const void *address = peer->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)peer)->sin_addr
							  : (const void *)&((const struct sockaddr_in6 *)peer)->sin6_addr;
	inet_ntop(peer->ss_family, address, line, INET6_ADDRSTRLEN);
	strcat(line, "\n");
	return strlen(line);
}

static void handle(int index)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	char line[INET6_ADDRSTRLEN + 2], data[512];
	int fd = sockets[index].fd;
	if (kinds[index] == STREAM_SERVER) {
		int client = accept4(fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client < 0) return;
		send(client, line, line_of(&peer, line), MSG_NOSIGNAL);
		add(client, CLIENT);
	} else if (kinds[index] == DATAGRAM_SERVER) {
		if (recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&peer, &size) < 0) return;
		sendto(fd, line, line_of(&peer, line), MSG_NOSIGNAL, (struct sockaddr *)&peer, size);
	} else {
		ssize_t length = recv(fd, data, sizeof data, 0);
		if (length > 0 || (length < 0 && errno == EAGAIN)) return;
		close(fd);
		sockets[index].fd = -1;
	}
}

int answer_main(int count, char **arguments)
{
	if (count == 0) die("usage: traffic answer PORT…");
	for (int i = 0; i < count; i++) {
		serve(SOCK_STREAM, atoi(arguments[i]));
		serve(SOCK_DGRAM, atoi(arguments[i]));
	}
	puts("ready");
	fflush(stdout);
	int first_client = used;
	double next = 0;
	for (;;) {
		poll(sockets, used, PAUSE_MS);
		for (int i = 0, all = used; i < all; i++)
			if (sockets[i].fd >= 0 && sockets[i].revents != 0) handle(i);
		bool chat = seconds() >= next;
		if (chat) next = seconds() + PAUSE_MS / 1e3;
		for (int i = first_client; i < used; i++) {
			while (i < used && sockets[i].fd < 0) sockets[i] = sockets[--used];
			if (i < used && chat) send(sockets[i].fd, ".", 1, MSG_NOSIGNAL);
		}
	}
}
