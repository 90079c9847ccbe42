/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the kernel that runs after a crash of this one:
 *   kexec IMAGE INITRD COMMAND-LINE
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int image, initrd;

	if (argc != 4) {
		fprintf(stderr, "usage: kexec IMAGE INITRD COMMAND-LINE\n");
		return 2;
	}
	image = open(argv[1], O_RDONLY | O_CLOEXEC);
	initrd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (image < 0 || initrd < 0) {
		fprintf(stderr, "kexec: %s: %m\n", argv[image < 0 ? 1 : 2]);
		return 1;
	}
	if (syscall(SYS_kexec_file_load, image, initrd, strlen(argv[3]) + 1, argv[3],
		    KEXEC_FILE_ON_CRASH) < 0) {
		fprintf(stderr, "kexec: loading a crash kernel: %m\n");
		return 1;
	}
	return 0;
}
