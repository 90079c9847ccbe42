// SPDX-License-Identifier: GPL-2.0-only
/* Reading and writing what a handle names, as the CPU or as the device sees it. */
#include <linux/mm.h>

#include "probe.h"

static bool reachable(const void *virt)
{
	return is_vmalloc_addr(virt) || virt_addr_valid(virt);
}

static int device_side(struct device *dev, dma_addr_t dma_addr, void **where)
{
	void *virt = phys_to_virt(device_phys(dev, dma_addr));

	if (!virt_addr_valid(virt))
		return PROBE_UNREACHABLE;
	*where = virt;
	return 0;
}

/* Offsets count through the segments; a range lies within one of them. */
static int segment_slice(struct mapping *mapping, u32 offset, u32 length, void **where)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(&mapping->table, sg, i) {
		if (offset < sg_dma_len(sg)) {
			if (length > sg_dma_len(sg) - offset)
				return PROBE_BAD_RANGE;
			return device_side(mapping->target->dev, sg_dma_address(sg) + offset,
					   where);
		}
		offset -= sg_dma_len(sg);
	}
	return PROBE_BAD_RANGE;
}

static int mapping_slice(struct call *call, u16 handle, u32 offset, u32 length, void **where)
{
	struct mapping *mapping = xa_load(&call->context->mappings, handle);

	if (!mapping)
		return PROBE_NO_HANDLE;
	if (mapping->kind == MAPPED_RESOURCE)
		return PROBE_UNREACHABLE;
	if (mapping->kind == MAPPED_SG)
		return segment_slice(mapping, offset, length, where);
	if (offset > mapping->size || length > mapping->size - offset)
		return PROBE_BAD_RANGE;
	return device_side(mapping->target->dev, mapping->dma_addr + offset, where);
}

static int allocation_slice(struct call *call, u16 handle, u32 offset, u32 length, void **where)
{
	struct allocation *allocation = xa_load(&call->context->allocations, handle);

	if (!allocation)
		return PROBE_NO_HANDLE;
	if (offset > allocation->size || length > allocation->size - offset)
		return PROBE_BAD_RANGE;
	if (!reachable(allocation->virt))
		return PROBE_UNREACHABLE;
	*where = allocation->virt + offset;
	return 0;
}

/* Where @length bytes of what @range names lie, at its offset. */
static int memory_slice(struct call *call, const struct probe_range *range, u32 length,
			void **where)
{
	u16 handle = le16_to_cpu(range->object.handle);
	u32 offset = le32_to_cpu(range->offset);
	struct buffer *buffer;
	int status;

	if (!length)
		return PROBE_BAD_RANGE;
	switch (range->object.space) {
	case PROBE_SPACE_BUFFER:
		status = buffer_slice(call->context, range->object.handle, offset, length,
				      &buffer);
		if (status)
			return status;
		*where = buffer->virt + offset;
		return buffer->kind == PROBE_BUFFER_PEER ? PROBE_UNREACHABLE : 0;
	case PROBE_SPACE_MAPPING:
		return mapping_slice(call, handle, offset, length, where);
	case PROBE_SPACE_ALLOCATION:
		return allocation_slice(call, handle, offset, length, where);
	default:
		return PROBE_BAD_VALUE;
	}
}

static int pattern_slice(struct call *call, const struct probe_pattern *request, void **where)
{
	if (request->kind != PROBE_PATTERN_BYTE && request->kind != PROBE_PATTERN_SEED)
		return PROBE_BAD_VALUE;
	return memory_slice(call, &request->range, le32_to_cpu(request->range.length), where);
}

int call_fill(struct call *call)
{
	const struct probe_pattern *request = call->request;
	void *where;
	int status = pattern_slice(call, request, &where);

	if (!status)
		pattern_fill(where, request, le32_to_cpu(request->range.length));
	return status;
}

int call_compare(struct call *call)
{
	const struct probe_pattern *request = call->request;
	u32 length = le32_to_cpu(request->range.length);
	struct probe_count *answer;
	void *where;
	int status = pattern_slice(call, request, &where);

	if (status)
		return status;
	answer = call_answer(call, sizeof(*answer));
	answer->value = cpu_to_le32(pattern_matching(where, request, length));
	return 0;
}

/* For a caller that stops at the first thing that is wrong, on a CPU of its own. */
int call_verify(struct call *call)
{
	const struct probe_pattern *request = call->request;
	u32 length = le32_to_cpu(request->range.length);
	void *where;
	int status = pattern_slice(call, request, &where);

	if (status)
		return status;
	return pattern_matching(where, request, length) == length ? 0 : -EILSEQ;
}

int call_write(struct call *call)
{
	const struct probe_range *request = call->request;
	u32 length = call->length - sizeof(*request);
	void *where;
	int status = memory_slice(call, request, length, &where);

	if (!status)
		memcpy(where, request + 1, length);
	return status;
}

int call_read(struct call *call)
{
	const struct probe_range *request = call->request;
	u32 length = le32_to_cpu(request->length);
	void *where, *answer;
	int status = memory_slice(call, request, length, &where);

	if (status)
		return status;
	answer = call_answer(call, length);
	if (!answer)
		return PROBE_BAD_RANGE;
	memcpy(answer, where, length);
	return 0;
}

/*
 * The CRC-32 of zlib, four bits at a time: a table for eight would take longer to fill than most
 * ranges to sum. The kernel's own is not in every kernel (CONFIG_CRC32).
 */
static u32 crc32_of(const u8 *bytes, u32 length)
{
	static const u32 steps[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	u32 crc = ~0u;

	while (length--) {
		crc ^= *bytes++;
		crc = crc >> 4 ^ steps[crc & 15];
		crc = crc >> 4 ^ steps[crc & 15];
	}
	return ~crc;
}

/* Tells whether bytes are as expected without their way over the UART. */
int call_checksum(struct call *call)
{
	const struct probe_range *request = call->request;
	u32 length = le32_to_cpu(request->length);
	struct probe_count *answer;
	void *where;
	int status = memory_slice(call, request, length, &where);

	if (status)
		return status;
	answer = call_answer(call, sizeof(*answer));
	answer->value = cpu_to_le32(crc32_of(where, length));
	return 0;
}
