/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bytes.h"

/* The only 8250 of the machine is the PCI UART; the console is a PL011, ttyAMA0. */
#define LINE "/dev/ttyS0"

/*
 * QEMU passes as many bytes at a time to its UART as the trigger level says
 * (hw/char/serial.c:serial_can_receive1()), so the highest level is the fastest; fewer
 * bytes arrive after four character times, 0.35 ms.
 */
#define TRIGGER "/sys/class/tty/ttyS0/rx_trig_bytes"
#define TRIGGER_LEVEL "14"

static int line = -1;

static void raise_trigger(void)
{
	int file = open(TRIGGER, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		return;
	if (write(file, TRIGGER_LEVEL, strlen(TRIGGER_LEVEL)) < 0)
		perror(TRIGGER);
	close(file);
}

int open_line(void)
{
	struct termios settings;

	raise_trigger();
	line = open(LINE, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (line < 0 || tcgetattr(line, &settings) < 0)
		return -1;
	cfmakeraw(&settings);
	cfsetspeed(&settings, B115200);
	settings.c_cflag |= CLOCAL | CREAD;
	if (tcsetattr(line, TCSANOW, &settings) < 0)
		return -1;
	return line;
}

static void write_all(const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t done = write(line, bytes, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			perror(LINE);
			return;
		}
		bytes += done;
		length -= (size_t)done;
	}
}

void send_frame(uint8_t type, uint16_t id, const void *payload, size_t length)
{
	static uint8_t bytes[FRAME_LINE_MAX(FRAME_PAYLOAD_MAX)];
	struct frame frame = { .type = type, .id = id, .payload = payload, .length = length };

	write_all(bytes, encode_frame(&frame, bytes));
}

void send_chunks(uint16_t id, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		size_t part = length < FRAME_PAYLOAD_MAX ? length : FRAME_PAYLOAD_MAX;

		send_frame(FRAME_CHUNK, id, bytes, part);
		bytes += part;
		length -= part;
	}
}

void send_error(uint16_t id, int number, const char *what)
{
	uint8_t payload[4 + 256];
	int length;

	put32(payload, (uint32_t)number);
	length = snprintf((char *)payload + 4, sizeof(payload) - 4, "%s: %s", what,
			  strerror(number));
	if (length > (int)sizeof(payload) - 5)
		length = (int)sizeof(payload) - 5;
	send_frame(FRAME_ERROR, id, payload, 4 + (size_t)length);
}
