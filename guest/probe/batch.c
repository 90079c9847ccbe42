// SPDX-License-Identifier: GPL-2.0-only
/* Taking a batch apart, and carrying out its requests one after the other. */
#include <linux/sched.h>

#include "probe.h"

struct operation {
	int (*run)(struct call *call);
	size_t length;		/* of the payload */
	unsigned int how;	/* enum probe_how */
};

#define OPERATION(name, handler, payload, how) \
	[PROBE_##name] = { call_##handler, sizeof(payload), how },

static const struct operation operations[] = {
	PROBE_OPERATIONS(OPERATION)
};

#undef OPERATION

int call_context(struct call *call)
{
	const struct probe_context *request = call->request;
	struct context *context = context_get(request->context);

	if (!context)
		return PROBE_BAD_VALUE;
	call->context = context;
	return 0;
}

static int call_locked(struct call *call, const struct operation *operation)
{
	bool exclusive = operation->how & PROBE_EXCLUSIVE;
	int status;

	targets_enter(exclusive);
	mutex_lock(&call->context->lock);
	status = operation->run(call);
	mutex_unlock(&call->context->lock);
	targets_leave(exclusive);
	return status;
}

static int call_run(struct call *call, u8 op)
{
	const struct operation *operation;

	if (op >= ARRAY_SIZE(operations) || !operations[op].run)
		return PROBE_UNKNOWN_OP;
	operation = &operations[op];
	if (call->length < operation->length ||
	    (call->length > operation->length && !(operation->how & PROBE_LONGER)))
		return PROBE_BAD_LENGTH;
	return operation->how & PROBE_UNLOCKED ? operation->run(call) : call_locked(call, operation);
}

/* Carry out one request and complete its reply; a refusal answers nothing else. */
static void call_reply(struct call *call, u8 op)
{
	struct replies *replies = call->replies;
	struct probe_reply_head *head = reply_head(replies);
	int status;

	head->length = 0;
	status = call_run(call, op);
	if (status > 0)
		head->length = 0;
	head->status = cpu_to_le16(status);
	replies->used += sizeof(*head) + le16_to_cpu(head->length);
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
			reply_refuse(replies, PROBE_REPLY_FULL);
			break;
		}
		if (end - next < sizeof(*head) ||
		    end - next - sizeof(*head) < le16_to_cpu(head->length)) {
			reply_refuse(replies, PROBE_BAD_LENGTH);
			break;
		}
		call.request = head + 1;
		call.length = le16_to_cpu(head->length);
		next += sizeof(*head) + call.length;
		call_reply(&call, head->op);
		cond_resched();	/* a batch on a slow host is no soft lockup */
	}
	return 0;
}
