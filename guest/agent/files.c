/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line.h"
#include "requests.h"

enum { NEW_FILE_MODE = 0755 };

static void pass_file(uint16_t id, const char *path, int file)
{
	static uint8_t bytes[FRAME_PAYLOAD_MAX];
	ssize_t length;

	while ((length = read(file, bytes, sizeof(bytes))) > 0)
		send_chunks(id, bytes, (size_t)length);
	if (length < 0)
		send_error(id, errno, path);
	else
		send_frame(FRAME_END, id, NULL, 0);
}

void serve_read(const struct frame *request)
{
	char *path = strndup((const char *)request->payload, request->length);
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (file < 0) {
		send_error(request->id, errno, path ? path : "read");
	} else {
		pass_file(request->id, path, file);
		close(file);
	}
	free(path);
}

/* sysfs needs all content in one call, so only a short write is continued. */
static int write_all(int file, const uint8_t *bytes, size_t length)
{
	do {
		ssize_t done = write(file, bytes, length);

		if (done < 0)
			return -1;
		bytes += done;
		length -= (size_t)done;
	} while (length > 0);
	return 0;
}

static int store(const char *path, bool append, const uint8_t *bytes, size_t length)
{
	int mode = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC);
	int file = open(path, mode, NEW_FILE_MODE);
	int result, number;

	if (file < 0)
		return -1;
	result = write_all(file, bytes, length);
	number = errno;
	close(file);
	errno = number;
	return result;
}

void serve_write(const struct frame *request)
{
	const uint8_t *path = request->payload + 1, *end = request->payload + request->length;
	const uint8_t *zero = request->length > 1 ? memchr(path, 0, request->length - 1) : NULL;

	if (!zero)
		send_error(request->id, EBADMSG, "write");
	else if (store((const char *)path, request->payload[0], zero + 1, (size_t)(end - zero - 1)) < 0)
		send_error(request->id, errno, (const char *)path);
	else
		send_frame(FRAME_END, request->id, NULL, 0);
}
