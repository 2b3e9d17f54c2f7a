#include "traffic.h"
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int, char **);
} commands[] = { { "probe", probe_main },
		 { "flood", flood_main },
		 { "cps", cps_main },
		 { "talk", talk_main },
		 { "hammer", hammer_main },
		 { "answer", answer_main },
		 { "ask", ask_main },
		 { "hold", hold_main },
		 { "wire", wire_main } };

int main(int count, char **arguments)
{
	for (size_t i = 0; count > 1 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(arguments[1], commands[i].name) == 0) return commands[i].run(count - 2, arguments + 2);
	die("usage: traffic probe|flood|cps|talk|hammer|answer|ask|hold|wire …; see the head of each source file");
}
