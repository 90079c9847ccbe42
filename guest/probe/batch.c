// SPDX-License-Identifier: GPL-2.0-only
/* Taking a batch apart, and carrying out its requests one after the other. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "probe.h"

#define REPLIES_FIRST	(64 * 1024)

struct operation {
	int (*run)(struct call *call);
	u16 length;		/* of the payload */
	bool longer;		/* more payload may follow */
	bool exclusive;		/* no other call may run meanwhile */
};

static int call_reset(struct call *call)
{
	contexts_reset();
	return 0;
}

static const struct operation operations[] = {
	[PROBE_RESET] = { call_reset, .exclusive = true },
	[PROBE_DEVICES] = { call_devices },
	[PROBE_DEVICE_INFO] = { call_device_info, sizeof(struct probe_id) },
	[PROBE_DEVICE_SET] = { call_device_set, sizeof(struct probe_device_set) },
	[PROBE_BUFFER_ALLOC] = { call_buffer_alloc, sizeof(struct probe_buffer_alloc) },
	[PROBE_BUFFER_FREE] = { call_buffer_free, sizeof(struct probe_id) },
	[PROBE_FILL] = { call_fill, sizeof(struct probe_pattern) },
	[PROBE_COMPARE] = { call_compare, sizeof(struct probe_pattern) },
	[PROBE_WRITE] = { call_write, sizeof(struct probe_range), .longer = true },
	[PROBE_READ] = { call_read, sizeof(struct probe_range) },
	[PROBE_MAP] = { call_map, sizeof(struct probe_map) },
	[PROBE_MAP_RESOURCE] = { call_map_resource, sizeof(struct probe_map_resource) },
	[PROBE_MAP_SG] = { call_map_sg, sizeof(struct probe_map_sg), .longer = true },
	[PROBE_UNMAP] = { call_unmap, sizeof(struct probe_unmap) },
	[PROBE_SYNC] = { call_sync, sizeof(struct probe_sync) },
	[PROBE_NEED_SYNC] = { call_need_sync, sizeof(struct probe_id) },
	[PROBE_ALLOC] = { call_alloc, sizeof(struct probe_alloc) },
	[PROBE_FREE] = { call_free, sizeof(struct probe_id) },
	[PROBE_FORGET] = { call_forget, sizeof(struct probe_object) },
	[PROBE_LIVE] = { call_live, sizeof(struct probe_object) },
	[PROBE_RAW_UNMAP] = { call_raw_unmap, sizeof(struct probe_raw_unmap) },
	[PROBE_TRY_MAP] = { call_try_map, sizeof(struct probe_map) },
	[PROBE_VERIFY] = { call_verify, sizeof(struct probe_pattern) },
	[PROBE_RAW_SYNC] = { call_raw_sync, sizeof(struct probe_raw_sync) },
	[PROBE_INTERRUPT] = { call_interrupt, sizeof(struct probe_interrupt) },
	[PROBE_HELD] = { call_held, sizeof(struct probe_held_from), .exclusive = true },
};

static int replies_reserve(struct replies *replies)
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

static struct probe_reply_head *reply_head(const struct call *call)
{
	return (void *)(call->replies->data + call->replies->used);
}

/* Bytes of answer so far. */
size_t call_answered(const struct call *call)
{
	return le16_to_cpu(reply_head(call)->length);
}

/* Take back what was answered after the first @length bytes. */
void call_rewind(struct call *call, size_t length)
{
	reply_head(call)->length = cpu_to_le16(length);
}

/* Room for @length more bytes of answer, NULL when one reply cannot hold them. */
void *call_answer(struct call *call, size_t length)
{
	struct probe_reply_head *head = reply_head(call);
	size_t used = call_answered(call);

	if (used + length > PROBE_ANSWER_MAX)
		return NULL;
	head->length = cpu_to_le16(used + length);
	return (u8 *)(head + 1) + used;
}

static int call_context(struct call *call)
{
	const struct probe_context *request = call->request;
	struct context *context;

	if (call->length != sizeof(*request))
		return PROBE_BAD_LENGTH;
	context = context_get(request->context);
	if (!context)
		return PROBE_BAD_VALUE;
	call->context = context;
	return 0;
}

static int call_locked(struct call *call, const struct operation *operation)
{
	int status;

	targets_enter(operation->exclusive);
	mutex_lock(&call->context->lock);
	status = operation->run(call);
	mutex_unlock(&call->context->lock);
	targets_leave(operation->exclusive);
	return status;
}

static int call_run(struct call *call, u8 op)
{
	const struct operation *operation;

	if (op == PROBE_CONTEXT)
		return call_context(call);
	if (op >= ARRAY_SIZE(operations) || !operations[op].run)
		return PROBE_UNKNOWN_OP;
	operation = &operations[op];
	if (call->length < operation->length ||
	    (call->length > operation->length && !operation->longer))
		return PROBE_BAD_LENGTH;
	return call_locked(call, operation);
}

/* Carry out one request and complete its reply; a refusal answers nothing else. */
static void call_reply(struct call *call, u8 op)
{
	struct replies *replies = call->replies;
	struct probe_reply_head *head = (void *)(replies->data + replies->used);
	int status;

	head->length = 0;
	status = call_run(call, op);
	if (status > 0)
		head->length = 0;
	head->status = cpu_to_le16(status);
	replies->used += sizeof(*head) + le16_to_cpu(head->length);
}

static void reply_refusal(struct replies *replies, int status)
{
	struct probe_reply_head *head = (void *)(replies->data + replies->used);

	head->status = cpu_to_le16(status);
	head->length = 0;
	replies->used += sizeof(*head);
}

/*
 * Fill @replies with a reply for every request. A request that is cut short is
 * the last one and gets a PROBE_BAD_LENGTH; one whose reply has no room is not
 * carried out, and neither is what follows it. Room for that last reply is
 * always there: replies_reserve() asks for a whole answer each time.
 */
int batch_run(const void *data, size_t length, struct replies *replies)
{
	struct call call = { .context = context_get(0), .replies = replies };
	const u8 *next = data, *end = next + length;

	while (next < end) {
		const struct probe_request_head *head = (const void *)next;
		bool room = !replies_reserve(replies);

		if (!replies->data)
			return -ENOMEM;
		if (!room) {
			reply_refusal(replies, PROBE_REPLY_FULL);
			break;
		}
		if (end - next < sizeof(*head) ||
		    end - next - sizeof(*head) < le16_to_cpu(head->length)) {
			reply_refusal(replies, PROBE_BAD_LENGTH);
			break;
		}
		call.request = head + 1;
		call.length = le16_to_cpu(head->length);
		next += sizeof(*head) + call.length;
		call_reply(&call, head->op);
	}
	return 0;
}
