/* SPDX-License-Identifier: Apache-2.0 */
/* Loads another kernel and starts it; see usage(). */
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int usage(void)
{
	fprintf(stderr, "usage: kexec -p|-l IMAGE INITRD COMMAND-LINE\n"
			"         -p: for a crash of this kernel; -l: for kexec -e\n"
			"       kexec -e\n");
	return 2;
}

static int load(unsigned long flags, char **files)
{
	const char *command_line = files[2];
	int parts[2];

	for (int i = 0; i < 2; i++) {
		parts[i] = open(files[i], O_RDONLY | O_CLOEXEC);
		if (parts[i] < 0) {
			fprintf(stderr, "kexec: %s: %m\n", files[i]);
			return 1;
		}
	}
	if (syscall(SYS_kexec_file_load, parts[0], parts[1], strlen(command_line) + 1, command_line,
		    flags) < 0) {
		fprintf(stderr, "kexec: loading a kernel: %m\n");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "-p"))
		return load(KEXEC_FILE_ON_CRASH, argv + 2);
	if (argc == 5 && !strcmp(argv[1], "-l"))
		return load(0, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "-e")) {
		reboot(RB_KEXEC);
		fprintf(stderr, "kexec: starting the loaded kernel: %m\n");
		return 1;
	}
	return usage();
}
