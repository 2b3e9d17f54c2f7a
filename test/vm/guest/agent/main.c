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
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "wire.h"

#define COMMANDS 64
#define CHUNK 49152
#define REAP_GRACE_US 1000000

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
		record();
	struct sigaction child = {.sa_handler = wake};
	sigaction(SIGCHLD, &child, NULL);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/lab", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C", 1);
	open_port("lab.rpc");
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, boot_id, sizeof boot_id - 1);
	if (fd >= 0)
		close(fd);
	boot_id[n > 0 ? strcspn(boot_id, "\n") : 0] = 0;
	/* The newline ends whatever a guest that went down in the middle of a line had sent. */
	say("\nHELLO %s", boot_id);
	serve();
}
