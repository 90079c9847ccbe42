/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's PID 1: sets the guest up, then serves requests of the harness. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "children.h"
#include "inflate.h"
#include "line.h"
#include "requests.h"
#include "setup.h"

static void serve(const struct frame *request)
{
	switch (request->type) {
	case FRAME_HELLO:
		serve_hello(request);
		break;
	case FRAME_RUN:
		serve_run(request);
		break;
	case FRAME_READ:
		serve_read(request);
		break;
	case FRAME_WRITE:
		serve_write(request);
		break;
	case FRAME_PROBE:
		serve_probe(request);
		break;
	case FRAME_STRESS:
		serve_stress(request);
		break;
	default:
		send_error(request->id, ENOSYS, "unknown request");
	}
}

/* To send a byte over the emulated UART takes far longer than to inflate it. */
static void inflate_and_serve(const struct frame *deflated)
{
	static uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame request = *deflated;
	ssize_t length = inflate(deflated->payload, deflated->length, payload, sizeof(payload));

	if (length < 0) {
		send_error(deflated->id, EBADMSG, "inflating a request");
		return;
	}
	request.type = deflated->type & ~FRAME_DEFLATED;
	request.payload = payload;
	request.length = (size_t)length;
	serve(&request);
}

/* Report consecutive garbage once, so that the reports cannot fill the line. */
static void take_byte(uint8_t byte)
{
	static struct receiver receiver;
	static bool complained;
	struct frame frame;

	switch (receive_byte(&receiver, byte, &frame)) {
	case RECEIVED_FRAME:
		complained = false;
		if (frame.type & FRAME_DEFLATED)
			inflate_and_serve(&frame);
		else
			serve(&frame);
		break;
	case RECEIVED_GARBAGE:
		if (!complained)
			send_frame(FRAME_DAMAGED, 0, NULL, 0);
		complained = true;
		break;
	case RECEIVED_NOTHING:
		break;
	}
}

static void take_bytes(int line)
{
	uint8_t bytes[4096];
	ssize_t length = read(line, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < length; i++)
		take_byte(bytes[i]);
}

static void attend(int line, int children)
{
	struct pollfd fds[2] = { { .fd = line, .events = POLLIN },
				 { .fd = children, .events = POLLIN } };
	int ignored;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			take_bytes(line);
		if (fds[1].revents)
			reap_children(0, &ignored);
	}
}

/* Never returns: the kernel panics if PID 1 ends. Without its line it only reaps children. */
int main(void)
{
	int children, line;

	set_up();
	children = watch_children();
	line = open_line();
	if (line < 0)
		fprintf(stderr, "agent: the serial line to the harness: %m\n");
	start_shell();
	if (line >= 0)
		announce();
	attend(line, children);
}
