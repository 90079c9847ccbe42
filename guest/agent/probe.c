/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "line.h"
#include "probe.h"
#include "requests.h"

int open_probe(void)
{
	return open("/dev/probe", O_RDWR | O_CLOEXEC);
}

ssize_t run_batch(int probe, const uint8_t *batch, size_t length, uint8_t *replies, size_t size)
{
	size_t used = 0;
	ssize_t part;

	if (write(probe, batch, length) < 0)
		return -1;
	while ((part = read(probe, replies + used, size - used)) > 0)
		used += (size_t)part;
	return part < 0 ? -1 : (ssize_t)used;
}

/* The probe is opened for each request, so that the module can be unloaded in between. */
void serve_probe(const struct frame *request)
{
	static uint8_t replies[PROBE_REPLY_MAX];
	ssize_t length = -1;
	int probe = open_probe();

	if (probe >= 0)
		length = run_batch(probe, request->payload, request->length, replies,
				   sizeof(replies));
	if (length < 0) {
		send_error(request->id, errno, "/dev/probe");
	} else {
		send_chunks(request->id, replies, (size_t)length);
		send_frame(FRAME_END, request->id, NULL, 0);
	}
	if (probe >= 0)
		close(probe);
}
