#ifndef WIRE_H
#define WIRE_H
#include <stddef.h>

/* Opens the virtio-serial port of that name, once it is there, for all that follows. */
void open_port(const char *name);
/* The port's descriptor, for poll and read. */
extern int port;
/* Sends "head base64(data)\n"; without data the head alone. */
void send_line(const char *head, const unsigned char *data, size_t length);
void say(const char *format, ...);
/* Decodes base64 in place, adds a NUL, returns the length. */
size_t decode(char *text);
/* CLOCK_MONOTONIC in microseconds. */
long long now_us(void);
/* Ends the agent with a word on the console. */
void die(const char *what);

/* Sends uevents and the kernel's log; never returns. */
void record(void);

#endif
