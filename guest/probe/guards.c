// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory around each buffer that nobody may copy into a pool and nobody may write to: the
 * harness looks for its word in the pools, and whether it is still there.
 */
#include <linux/mm.h>

#include "probe.h"

#define WORD_SIZE	sizeof(__le32)

static const __le32 word = cpu_to_le32(PROBE_GUARD_WORD);

/* Doubling what is there: byte by byte takes longer than the rest of an allocation. */
static void fill(u8 *guard, u32 length)
{
	u32 done = min_t(u32, length, WORD_SIZE), more;

	memcpy(guard, &word, done);
	for (; done < length; done += more) {
		more = min(done, length - done);
		memcpy(guard + done, guard, more);
	}
}

static bool whole(const u8 *guard, u32 length)
{
	if (!length)
		return true;
	return !memcmp(guard, &word, WORD_SIZE) &&
	       !memcmp(guard, guard + WORD_SIZE, length - WORD_SIZE);
}

static u8 *front(const struct buffer *buffer)
{
	return (u8 *)buffer->virt - buffer->front;
}

static u8 *back(const struct buffer *buffer)
{
	return (u8 *)buffer->virt + buffer->size;
}

void guards_raise(const struct buffer *buffer)
{
	fill(front(buffer), buffer->front);
	fill(back(buffer), buffer->back);
}

bool guards_whole(const struct buffer *buffer)
{
	return whole(front(buffer), buffer->front) && whole(back(buffer), buffer->back);
}

/* Whoever gets this memory next may map it, and must not bring the word into a pool. */
void guards_wipe(const struct buffer *buffer)
{
	memset(front(buffer), 0, buffer->front);
	memset(back(buffer), 0, buffer->back);
}

static int visit_guard(const u8 *guard, u32 length, struct probe_held *span,
		       span_visitor visit, void *data)
{
	if (!length)
		return 0;
	span->phys = cpu_to_le64(virt_phys(guard));
	span->length = cpu_to_le32(length);
	return visit(span, data);
}

int guards_visit(const struct buffer *buffer, struct probe_held *span, span_visitor visit,
		 void *data)
{
	int status = visit_guard(front(buffer), buffer->front, span, visit, data);

	return status ?: visit_guard(back(buffer), buffer->back, span, visit, data);
}
