// SPDX-License-Identifier: GPL-2.0-only
/* Memory of the CPU's that calls map. Its neighbours are its own other bytes, and guards. */
#include <linux/gfp.h>
#include <linux/slab.h>

#include "probe.h"

/* A buffer that cannot be had is an answer, not a reason to kill the agent. */
#define BUFFER_GFP	(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY)

static u32 guard_size(u8 kind)
{
	switch (kind) {
	case PROBE_BUFFER_KMALLOC:
		return ARCH_DMA_MINALIGN;
	case PROBE_BUFFER_PAGES:
		return PAGE_SIZE;
	default:
		return 0;
	}
}

/* Guards leave pages on a page and kmalloc() memory aligned for DMA; the largest have none. */
static void choose_guards(struct buffer *buffer)
{
	u32 guard = guard_size(buffer->kind);

	if (!guard || buffer->size > KMALLOC_MAX_SIZE - 2 * guard)
		return;
	buffer->front = guard;
	buffer->back = ALIGN(buffer->size, guard) - buffer->size + guard;
}

static size_t whole_size(const struct buffer *buffer)
{
	return (size_t)buffer->front + buffer->size + buffer->back;
}

static void *obtain(u8 kind, size_t size)
{
	switch (kind) {
	case PROBE_BUFFER_KMALLOC:
		return kmalloc(size, BUFFER_GFP);
	case PROBE_BUFFER_PAGES:
		return alloc_pages_exact(size, BUFFER_GFP);
	default:
		return peer_obtain(size);
	}
}

static void give_back(u8 kind, void *start, size_t size)
{
	switch (kind) {
	case PROBE_BUFFER_KMALLOC:
		kfree(start);
		break;
	case PROBE_BUFFER_PAGES:
		free_pages_exact(start, size);
		break;
	case PROBE_BUFFER_PEER:
		peer_return(start, size);
		break;
	}
}

/* A buffer whose guard is damaged stays where it is, for the harness to see. */
void buffer_release(struct buffer *buffer)
{
	if (guards_whole(buffer)) {
		guards_wipe(buffer);
		give_back(buffer->kind, buffer->virt - buffer->front, whole_size(buffer));
	} else {
		held_leak(PROBE_SPACE_BUFFER, buffer);
	}
	kfree(buffer);
}

static struct buffer *buffer_new(u8 kind, u32 size)
{
	struct buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	void *start;

	if (!buffer)
		return NULL;
	buffer->kind = kind;
	buffer->size = size;
	choose_guards(buffer);
	start = obtain(kind, whole_size(buffer));
	if (!start) {
		kfree(buffer);
		return NULL;
	}
	buffer->virt = start + buffer->front;
	guards_raise(buffer);
	return buffer;
}

static int buffer_keep(struct call *call, __le16 handle, struct buffer *buffer)
{
	int error = xa_insert(&call->context->buffers, le16_to_cpu(handle), buffer, GFP_KERNEL);

	if (!error)
		return 0;
	buffer_release(buffer);
	return error == -EBUSY ? PROBE_HANDLE_USED : PROBE_NO_MEMORY;
}

int call_buffer_alloc(struct call *call)
{
	const struct probe_buffer_alloc *request = call->request;
	struct probe_place *answer;
	struct buffer *buffer;
	int status;

	if (request->kind < PROBE_BUFFER_KMALLOC || request->kind > PROBE_BUFFER_PEER)
		return PROBE_BAD_VALUE;
	if (!request->size)
		return PROBE_BAD_RANGE;
	buffer = buffer_new(request->kind, le32_to_cpu(request->size));
	if (!buffer)
		return PROBE_NO_MEMORY;
	status = buffer_keep(call, request->buffer, buffer);
	if (status)
		return status;
	answer = call_answer(call, sizeof(*answer));
	answer->virt = cpu_to_le64((uintptr_t)buffer->virt);
	answer->phys = cpu_to_le64(virt_to_phys(buffer->virt));
	return 0;
}

int call_buffer_free(struct call *call)
{
	const struct probe_id *request = call->request;
	u16 handle = le16_to_cpu(request->value);
	struct buffer *buffer = xa_load(&call->context->buffers, handle);

	if (!buffer)
		return PROBE_NO_HANDLE;
	if (buffer->users)
		return PROBE_BUSY;
	xa_erase(&call->context->buffers, handle);
	buffer_release(buffer);
	return 0;
}

/* Find the buffer of @handle, which must hold [@offset, @offset + @length), not empty. */
int buffer_slice(struct context *context, __le16 handle, u32 offset, u32 length,
		 struct buffer **found)
{
	struct buffer *buffer = xa_load(&context->buffers, le16_to_cpu(handle));

	if (!buffer)
		return PROBE_NO_HANDLE;
	if (!length || offset > buffer->size || length > buffer->size - offset)
		return PROBE_BAD_RANGE;
	*found = buffer;
	return 0;
}
