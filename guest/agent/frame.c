/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "bytes.h"
#include "crc32.h"

/* RFC 1662, section 4.2. */
enum { FLAG = 0x7e, ESCAPE = 0x7d, ESCAPE_BIT = 0x20 };

enum { HEAD = 3, TAIL = 4 };

static enum received finish(struct receiver *receiver, struct frame *frame)
{
	size_t used = receiver->used;
	bool damaged = receiver->escaped || receiver->overflowed;

	receiver->used = 0;
	receiver->escaped = false;
	receiver->overflowed = false;
	if (!damaged && used == 0)
		return RECEIVED_NOTHING;
	if (damaged || used < HEAD + TAIL)
		return RECEIVED_GARBAGE;
	if (crc32(0, receiver->content, used - TAIL) != get32(receiver->content + used - TAIL))
		return RECEIVED_GARBAGE;
	frame->type = receiver->content[0];
	frame->id = get16(receiver->content + 1);
	frame->payload = receiver->content + HEAD;
	frame->length = used - HEAD - TAIL;
	return RECEIVED_FRAME;
}

enum received receive_byte(struct receiver *receiver, uint8_t byte, struct frame *frame)
{
	if (byte == FLAG)
		return finish(receiver, frame);
	if (byte == ESCAPE) {
		receiver->escaped = true;
		return RECEIVED_NOTHING;
	}
	if (receiver->escaped)
		byte ^= ESCAPE_BIT;
	receiver->escaped = false;
	if (receiver->used == sizeof(receiver->content))
		receiver->overflowed = true;
	else
		receiver->content[receiver->used++] = byte;
	return RECEIVED_NOTHING;
}

static uint8_t *escape(uint8_t *line, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == FLAG || bytes[i] == ESCAPE) {
			*line++ = ESCAPE;
			*line++ = bytes[i] ^ ESCAPE_BIT;
		} else {
			*line++ = bytes[i];
		}
	}
	return line;
}

size_t encode_frame(const struct frame *frame, uint8_t *line)
{
	uint8_t head[HEAD] = { frame->type }, tail[TAIL], *next = line;

	put16(head + 1, frame->id);
	put32(tail, crc32(crc32(0, head, HEAD), frame->payload, frame->length));
	*next++ = FLAG;
	next = escape(next, head, HEAD);
	next = escape(next, frame->payload, frame->length);
	next = escape(next, tail, TAIL);
	*next++ = FLAG;
	return (size_t)(next - line);
}
