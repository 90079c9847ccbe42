// SPDX-License-Identifier: GPL-2.0-only
/* The replies to a batch, one after the other, and the answer in each of them. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "probe.h"

#define REPLIES_FIRST	(64 * 1024)

/* Room for one more reply, whatever it answers; PROBE_REPLY_FULL if there is none. */
int replies_reserve(struct replies *replies)
{
	size_t wanted = replies->used + sizeof(struct probe_reply_head) + PROBE_ANSWER_MAX;
	size_t size = replies->size ?: REPLIES_FIRST;
	u8 *data;

	while (size < wanted)
		size *= 2;
	if (size > PROBE_REPLY_MAX)
		return PROBE_REPLY_FULL;
	if (size == replies->size)
		return 0;
	data = kvmalloc(size, GFP_KERNEL);
	if (!data)
		return PROBE_REPLY_FULL;
	if (replies->used)
		memcpy(data, replies->data, replies->used);
	kvfree(replies->data);
	replies->data = data;
	replies->size = size;
	return 0;
}

/* The head of the reply that is being made. */
struct probe_reply_head *reply_head(const struct replies *replies)
{
	return (void *)(replies->data + replies->used);
}

/* Bytes of answer so far. */
size_t call_answered(const struct call *call)
{
	return le16_to_cpu(reply_head(call->replies)->length);
}

/* Take back what was answered after the first @length bytes. */
void call_rewind(struct call *call, size_t length)
{
	reply_head(call->replies)->length = cpu_to_le16(length);
}

/* Room for @length more bytes of answer, NULL when one reply cannot hold them. */
void *call_answer(struct call *call, size_t length)
{
	struct probe_reply_head *head = reply_head(call->replies);
	size_t used = call_answered(call);

	if (used + length > PROBE_ANSWER_MAX)
		return NULL;
	head->length = cpu_to_le16(used + length);
	return (u8 *)(head + 1) + used;
}

/* A reply that says just that. */
void reply_refuse(struct replies *replies, int status)
{
	struct probe_reply_head *head = reply_head(replies);

	head->status = cpu_to_le16(status);
	head->length = 0;
	replies->used += sizeof(*head);
}
