/*
 * traffic ask MILLISECONDS
 *
 * Each line of standard input is a question: NAMESPACE tcp|udp SOURCE|- SOURCE_PORT|0 ADDRESS PORT. Addresses may name an
 * interface after a %. All are asked at once, UDP ones again twice a second. When each has its answer, or the time is over, prints a line for each, in their order: `answer TEXT`,
 * `closed` when the connection ended before one, `refused`, `unreachable`, or `silent`.
 */
#include "traffic.h"
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUESTIONS_MAX = 256, AGAIN_MS = 500 };

static struct pollfd sockets[QUESTIONS_MAX];
static bool streams[QUESTIONS_MAX];
static char answers[QUESTIONS_MAX][128];
static int used, waiting;

static void settle(int index, const char *text)
{
	snprintf(answers[index], sizeof answers[index], "%s", text);
	close(sockets[index].fd);
	sockets[index].fd = -1;
	waiting--;
}

static void fail(int index, int error)
{
	settle(index, error == ECONNREFUSED ? "refused" : error == ECONNRESET ? "closed"
				 : error == ENETUNREACH || error == EHOSTUNREACH ? "unreachable"
										 : "silent");
}

/* Of an address with an interface behind a %, the interface's index in the namespace of the thread is filled in. */
static socklen_t scoped(struct sockaddr_storage *storage, char *address, int port)
{
	char *interface = strchr(address, '%');
	if (interface) *interface++ = 0;
	socklen_t size = socket_address(storage, address, port);
	if (interface) ((struct sockaddr_in6 *)storage)->sin6_scope_id = if_nametoindex(interface);
	return size;
}

static void ask(char *line)
{
	char namespace[256], protocol[8], source[64], address[64];
	int source_port, port;
	if (used == QUESTIONS_MAX ||
	    sscanf(line, "%255s %7s %63s %d %63s %d", namespace, protocol, source, &source_port, address, &port) != 6)
		die("no question: %s", line);
	int index = used++, one = 1;
	streams[index] = strcmp(protocol, "tcp") == 0;
	int domain = strchr(address, ':') ? AF_INET6 : AF_INET;
	int fd = socket_in(namespace, domain, (streams[index] ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	struct sockaddr_storage to, from;
	socklen_t size = scoped(&to, address, port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	sockets[index] = (struct pollfd){ .fd = fd, .events = streams[index] ? POLLOUT : POLLIN };
	waiting++;
	if (strcmp(source, "-") != 0) {
		socklen_t length = scoped(&from, source, source_port);
		if (bind(fd, (struct sockaddr *)&from, length) != 0) die("%s: %s", source, strerror(errno));
	}
	if (connect(fd, (struct sockaddr *)&to, size) != 0 && errno != EINPROGRESS) fail(index, errno);
	else if (!streams[index] && send(fd, "?", 1, 0) != 1) sockets[index].events = POLLIN;
}

static void look(int index)
{
	int error = 0;
	socklen_t size = sizeof error;
	char text[100];
	getsockopt(sockets[index].fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		fail(index, error);
		return;
	}
	if (sockets[index].events == POLLOUT) {
		sockets[index].events = POLLIN;
		return;
	}
	ssize_t length = recv(sockets[index].fd, text, sizeof text - 1, 0);
	if (length < 0 && errno == EAGAIN) return;
	if (length <= 0) {
		if (length == 0) settle(index, "closed");
		else fail(index, errno);
		return;
	}
	text[length] = 0;
	text[strcspn(text, "\n")] = 0;
	char answer[128];
	snprintf(answer, sizeof answer, "answer %s", strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text);
	settle(index, answer);
}

int ask_main(int count, char **arguments)
{
	if (count != 1) die("usage: traffic ask MILLISECONDS <QUESTIONS");
	char line[512];
	while (fgets(line, sizeof line, stdin)) ask(line);
	double now = seconds(), end = now + atoi(arguments[0]) / 1e3, again = now + AGAIN_MS / 1e3;
	while (waiting > 0 && now < end) {
		if (now >= again) {
			for (int i = 0; i < used; i++)
				if (sockets[i].fd >= 0 && !streams[i]) (void)!send(sockets[i].fd, "?", 1, 0);
			again = now + AGAIN_MS / 1e3;
		}
		double until = again < end ? again : end;
		if (poll(sockets, used, (int)((until - now) * 1e3) + 1) > 0)
			for (int i = 0; i < used; i++)
				if (sockets[i].fd >= 0 && sockets[i].revents != 0) look(i);
		now = seconds();
	}
	for (int i = 0; i < used; i++) puts(sockets[i].fd >= 0 ? "silent" : answers[i]);
	return 0;
}
