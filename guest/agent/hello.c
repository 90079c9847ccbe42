/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <elf.h>

#include "line.h"
#include "requests.h"

#define PROTOCOL_VERSION 1
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define NOTES "/sys/kernel/notes"

static ssize_t read_some(const char *path, void *to, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (file < 0)
		return -1;
	length = read(file, to, size);
	close(file);
	return length;
}

static size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

/* Write the kernel's build id in hexadecimal, or nothing if it has none. */
static void find_build_id(char *text, size_t size)
{
	static uint8_t notes[4096];
	ssize_t length = read_some(NOTES, notes, sizeof(notes));
	size_t at = 0;

	text[0] = 0;
	while (length > 0 && at + sizeof(Elf64_Nhdr) < (size_t)length) {
		Elf64_Nhdr note;
		size_t name = at + sizeof(note), body, end;

		memcpy(&note, notes + at, sizeof(note));
		body = name + padded(note.n_namesz);
		end = body + note.n_descsz;
		if (end > (size_t)length)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && !memcmp(notes + name, "GNU", 4)) {
			for (size_t i = body; i < end && 2 * (i - body) + 2 < size; i++)
				sprintf(text + 2 * (i - body), "%02x", notes[i]);
			return;
		}
		at = body + padded(note.n_descsz);
	}
}

/*
 * Read the ids only for the announcement: QEMU would translate all the code behind two files anew
 * in every restored guest, which is greeted first of all.
 */
static size_t describe(char *text, size_t size)
{
	static char build_id[64], boot_id[40];
	struct timespec uptime;
	struct utsname name;

	if (!boot_id[0]) {
		find_build_id(build_id, sizeof(build_id));
		read_some(BOOT_ID, boot_id, 36);
	}
	clock_gettime(CLOCK_BOOTTIME, &uptime);
	uname(&name);
	return (size_t)snprintf(text, size,
				"protocol=%d\nrelease=%s\nbuild_id=%s\nboot_id=%s\nuptime=%lld.%03ld\n",
				PROTOCOL_VERSION, name.release, build_id, boot_id,
				(long long)uptime.tv_sec, uptime.tv_nsec / 1000000);
}

void serve_hello(const struct frame *request)
{
	char text[512];

	send_frame(FRAME_END, request->id, text, describe(text, sizeof(text)));
}

void announce(void)
{
	char text[512];

	send_frame(FRAME_READY, 0, text, describe(text, sizeof(text)));
}
