/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on the serial line, in the HDLC-like framing of RFC 1662: a flag byte
 * ends whatever came before it, and never occurs inside a frame, so that garbage
 * or a cut frame does not damage the next frame.
 *
 *   flag, type (1 byte), id (2), payload (0 to FRAME_PAYLOAD_MAX), CRC-32 (4), flag
 *
 * Numbers are little-endian; the CRC-32 is zlib's, over type, id and payload.
 * A request's type may have FRAME_DEFLATED added: its payload is then raw
 * deflate data (RFC 1951) of one that is no longer than FRAME_PAYLOAD_MAX.
 * The peer is harness/machine/qemu/frames.py.
 */
#ifndef AGENT_FRAME_H
#define AGENT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PAYLOAD_MAX 32768
#define FRAME_CONTENT_MAX (3 + FRAME_PAYLOAD_MAX + 4)

enum frame_type {
	FRAME_HELLO = 0x01,
	FRAME_RUN = 0x02,
	FRAME_READ = 0x03,
	FRAME_WRITE = 0x04,
	FRAME_PROBE = 0x05,
	FRAME_STRESS = 0x06,

	FRAME_CHUNK = 0x81,   /* a part of a long answer */
	FRAME_END = 0x82,     /* the last part of an answer */
	FRAME_ERROR = 0x83,   /* an errno (4 bytes) and what failed */
	FRAME_READY = 0x84,   /* sent once, at boot: the same as the answer to a hello */
	FRAME_DAMAGED = 0x85, /* garbage was received; sent once for consecutive garbage */
};

#define FRAME_DEFLATED 0x40

struct frame {
	uint8_t type;
	uint16_t id;
	const uint8_t *payload;
	size_t length;
};

struct receiver {
	uint8_t content[FRAME_CONTENT_MAX];
	size_t used;
	bool escaped;
	bool overflowed;
};

enum received { RECEIVED_NOTHING, RECEIVED_FRAME, RECEIVED_GARBAGE };

/* Take one byte of the line. A frame's payload is valid until the next byte. */
enum received receive_byte(struct receiver *receiver, uint8_t byte, struct frame *frame);

/* The most bytes on the line of a frame with this much payload. */
#define FRAME_LINE_MAX(payload) (2 * (3 + (payload) + 4) + 2)

/* Encode a frame; returns its length on the line. */
size_t encode_frame(const struct frame *frame, uint8_t *line);

#endif
