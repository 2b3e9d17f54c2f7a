#include "traffic.h"
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int, char **);
} commands[] = { { "probe", probe_main },
		 { "flood", flood_main },
		 { "cps", cps_main },
		 { "talk", talk_main },
		 { "hammer", hammer_main } };

int main(int count, char **arguments)
{
	for (size_t i = 0; count > 1 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(arguments[1], commands[i].name) == 0) return commands[i].run(count - 2, arguments + 2);
	die("usage: traffic probe|flood|cps|talk|hammer …; see the head of each source file");
}
