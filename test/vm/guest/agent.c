/*
 * The guest's side of the test lab: runs commands for the host and records what the kernel reports.
 *
 * "agent" is the former, "agent record" the latter, which can so begin before there is a root file system.
 * They talk over a virtio-serial port each, in lines of words, binary data in base64:
 *   port lab.rpc, host to guest:
 *     RUN id milliseconds script   run with /bin/sh -c in a session of its own; 0 milliseconds: no limit
 *     IN id data | EOF id          write to, or close, the command's standard input
 *     KILL id signal               signal the command's process group
 *     PUT id append mode path data write a file (append 0|1, mode octal)
 *   port lab.rpc, guest to host:
 *     HELLO boot-id                sent once, when the agent is ready
 *     OUT id data | ERR id data    output as it comes
 *     EXIT id code reason          reason: exit, signal, timeout (killed), stuck (killed, and still there)
 *   port lab.events, guest to host:
 *     U microseconds data          a kernel uevent as received (NUL between its fields), CLOCK_MONOTONIC
 *     K data                       a record of /dev/kmsg
 *     LOST what                    the recorder overflowed: what follows is incomplete
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS 64
#define CHUNK 49152
#define REAP_GRACE_US 1000000

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static int port = -1;

static void die(const char *what)
{
	int console = open("/dev/console", O_WRONLY | O_NOCTTY);
	if (console >= 0)
		dprintf(console, "lab-agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_us(void)
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

/* Sends "head base64(data)\n"; without data the head alone. */
static void send_line(const char *head, const unsigned char *data, size_t length)
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

static void say(const char *format, ...)
{
	char text[512];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	send_line(text, NULL, 0);
}

/* Decodes in place, adds a NUL, returns the length. */
static size_t decode(char *text)
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

static int open_port(const char *name)
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

static void record(int netlink, int kmsg)
{
	static char data[65536], head[64];
	struct pollfd fds[2] = {{netlink, POLLIN, 0}, {kmsg, POLLIN, 0}};
	for (;;) {
		if (poll(fds, kmsg < 0 ? 1 : 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[0].revents) {
			ssize_t n = recv(netlink, data, sizeof data, MSG_DONTWAIT);
			if (n > 0) {
				snprintf(head, sizeof head, "U %lld", now_us());
				send_line(head, (unsigned char *)data, n);
			} else if (n < 0 && errno == ENOBUFS)
				say("LOST uevents");
		}
		if (kmsg >= 0 && fds[1].revents) {
			ssize_t n = read(kmsg, data, sizeof data);
			if (n > 0)
				send_line("K", (unsigned char *)data, n);
			else if (n < 0 && errno == EPIPE)
				say("LOST kmsg");
		}
	}
}

static void run_recorder(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int size = 64 << 20;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (netlink < 0 || bind(netlink, (struct sockaddr *)&address, sizeof address))
		die("netlink");
	setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	port = open_port("lab.events");
	record(netlink, kmsg);
}

struct command {
	int id; /* 0: free */
	pid_t pid;
	int in, out, err;
	long long deadline; /* 0: none */
	int killed;
};
static struct command commands[COMMANDS];

static struct command *find(int id)
{
	for (int i = 0; i < COMMANDS; i++)
		if (commands[i].id == id)
			return &commands[i];
	return NULL;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void pass_on(struct command *c, int *fd, const char *kind)
{
	static unsigned char data[CHUNK];
	char head[48];
	ssize_t n = read(*fd, data, sizeof data);
	if (n > 0) {
		snprintf(head, sizeof head, "%s %d", kind, c->id);
		send_line(head, data, n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		shut(fd);
}

static int readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	return fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Output still in the pipes is sent, but a background process that holds them open is not waited for. */
static void finish(struct command *c, int code, const char *reason)
{
	while (readable(c->out))
		pass_on(c, &c->out, "OUT");
	while (readable(c->err))
		pass_on(c, &c->err, "ERR");
	shut(&c->in);
	shut(&c->out);
	shut(&c->err);
	say("EXIT %d %d %s", c->id, code, reason);
	c->id = 0;
	c->pid = 0;
}

static void oom_score(const char *value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, value, strlen(value)) < 0)
			perror("oom_score_adj");
		close(fd);
	}
}

static void run(int id, long milliseconds, const char *script)
{
	int in[2], out[2], err[2];
	struct command *c = find(0);
	if (!c || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		say("EXIT %d 125 exit", id);
		return;
	}
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		oom_score("0");
		signal(SIGPIPE, SIG_DFL);
		if (chdir("/root"))
			perror("/root");
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*c = (struct command){id, child, in[1], out[0], err[0], milliseconds ? now_us() + milliseconds * 1000LL : 0, 0};
}

static void put(int id, int append, const char *mode, char *path, char *data)
{
	int result = 0;
	decode(path);
	size_t length = decode(data);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0600);
	if (fd < 0)
		result = errno;
	for (size_t at = 0; !result && at < length;) {
		ssize_t n = write(fd, data + at, length - at);
		if (n < 0)
			result = errno;
		else
			at += n;
	}
	if (fd >= 0 && fchmod(fd, strtol(mode, NULL, 8)) && !result)
		result = errno;
	if (fd >= 0)
		close(fd);
	say("EXIT %d %d exit", id, result);
}

static void obey(char *line)
{
	char *words[6] = {0};
	int count = 0;
	for (char *word = strtok(line, " "); word && count < 6; word = strtok(NULL, " "))
		words[count++] = word;
	if (count < 2)
		return;
	int id = atoi(words[1]);
	struct command *c = find(id);
	if (!strcmp(words[0], "RUN") && count == 4) {
		decode(words[3]);
		run(id, atol(words[2]), words[3]);
	} else if (!strcmp(words[0], "PUT") && count >= 5) {
		char empty[1] = "";
		put(id, atoi(words[2]), words[3], words[4], count == 6 ? words[5] : empty);
	} else if (!strcmp(words[0], "KILL") && count == 3 && c) {
		kill(-c->pid, atoi(words[2]));
	} else if (!strcmp(words[0], "IN") && count == 3 && c && c->in >= 0) {
		size_t length = decode(words[2]);
		for (size_t at = 0; at < length;) {
			ssize_t n = write(c->in, words[2] + at, length - at);
			if (n < 0) {
				shut(&c->in);
				break;
			}
			at += n;
		}
	} else if (!strcmp(words[0], "EOF") && c)
		shut(&c->in);
}

static void reap(void)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < COMMANDS; i++) {
			struct command *c = &commands[i];
			if (!c->id || c->pid != pid)
				continue;
			if (c->killed)
				finish(c, 137, "timeout");
			else if (WIFSIGNALED(status))
				finish(c, 128 + WTERMSIG(status), "signal");
			else
				finish(c, WEXITSTATUS(status), "exit");
		}
}

static void expire(void)
{
	for (int i = 0; i < COMMANDS; i++) {
		struct command *c = &commands[i];
		if (!c->id || !c->deadline || now_us() < c->deadline)
			continue;
		if (c->killed)
			finish(c, 137, "stuck");
		else {
			kill(-c->pid, SIGKILL);
			c->killed = 1;
			c->deadline = now_us() + REAP_GRACE_US;
		}
	}
}

static void wake(int signal)
{
	(void)signal;
}

static void serve(void)
{
	static char *input;
	static size_t have, room;
	for (;;) {
		struct pollfd fds[1 + 2 * COMMANDS];
		struct command *owner[1 + 2 * COMMANDS];
		int n = 1;
		fds[0] = (struct pollfd){port, POLLIN, 0};
		for (int i = 0; i < COMMANDS; i++) {
			struct command *c = &commands[i];
			if (c->id && c->out >= 0) {
				owner[n] = c;
				fds[n++] = (struct pollfd){c->out, POLLIN, 0};
			}
			if (c->id && c->err >= 0) {
				owner[n] = c;
				fds[n++] = (struct pollfd){c->err, POLLIN, 0};
			}
		}
		/* The tick bounds how late a deadline, or a SIGCHLD that came between two polls, is noticed. */
		if (poll(fds, n, 50) < 0 && errno != EINTR)
			die("poll");
		for (int i = 1; i < n; i++)
			if (fds[i].revents) {
				if (fds[i].fd == owner[i]->out)
					pass_on(owner[i], &owner[i]->out, "OUT");
				else if (fds[i].fd == owner[i]->err)
					pass_on(owner[i], &owner[i]->err, "ERR");
			}
		reap();
		expire();
		if (!(fds[0].revents & POLLIN)) {
			/* POLLHUP without data: the host is not connected. */
			if (fds[0].revents)
				usleep(20000);
			continue;
		}
		if (room - have < CHUNK) {
			room = have + 4 * CHUNK;
			input = realloc(input, room);
			if (!input)
				die("realloc");
		}
		ssize_t got = read(port, input + have, room - have - 1);
		if (got <= 0)
			continue;
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

int main(int argc, char **argv)
{
	char boot_id[64] = "";
	oom_score("-1000");
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "record"))
		run_recorder();
	struct sigaction child = {.sa_handler = wake};
	sigaction(SIGCHLD, &child, NULL);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/lab", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C", 1);
	port = open_port("lab.rpc");
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, boot_id, sizeof boot_id - 1);
	if (fd >= 0)
		close(fd);
	boot_id[n > 0 ? strcspn(boot_id, "\n") : 0] = 0;
	/* The newline ends whatever a guest that went down in the middle of a line had sent. */
	say("\nHELLO %s", boot_id);
	serve();
}
