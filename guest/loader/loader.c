/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's first program where the kernel has drivers as modules: it loads them and becomes the
 * agent, which may need some of them for its serial line.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The modules: a path in each line, each after those that it needs. */
#define ORDER "/lib/modules/order"
#define AGENT "/bin/agent"

/* Says on the console why a module cannot be loaded. */
static void load(const char *path)
{
	int module = open(path, O_RDONLY | O_CLOEXEC);

	if (module < 0 || syscall(SYS_finit_module, module, "", 0) < 0)
		fprintf(stderr, "loader: loading %s: %m\n", path);
	if (module >= 0)
		close(module);
}

int main(void)
{
	FILE *order = fopen(ORDER, "re");
	char path[256];

	while (order && fgets(path, sizeof(path), order)) {
		path[strcspn(path, "\n")] = 0;
		load(path);
	}
	execl(AGENT, AGENT, (char *)NULL);
	fprintf(stderr, "loader: %s: %m\n", AGENT);
	return 1;
}
