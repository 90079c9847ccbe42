// SPDX-License-Identifier: GPL-2.0-only
/* Streaming mappings of a scatterlist. */
#include <linux/mm.h>

#include "probe.h"

/* Fill the table from the request's entries, holding each buffer in use. */
static int sg_collect(struct call *call, struct mapping *mapping, unsigned int count)
{
	const struct probe_map_sg *request = call->request;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(mapping->table.sgl, sg, count, i) {
		const struct probe_sg_entry *entry = &request->entries[i];
		u32 offset = le32_to_cpu(entry->offset), length = le32_to_cpu(entry->length);
		struct buffer *buffer;
		int status = buffer_slice(call->context, entry->buffer, offset, length, &buffer);

		if (status)
			return status;
		if (check_add_overflow(mapping->size, length, &mapping->size))
			return PROBE_BAD_RANGE;
		sg_set_page(sg, virt_to_page(buffer->virt + offset), length,
			    offset_in_page(buffer->virt + offset));
		mapping->buffers[mapping->nbuffers++] = buffer;
		buffer->users++;
	}
	return 0;
}

static int sg_answer(struct call *call, struct mapping *mapping)
{
	struct device *dev = mapping->target->dev;
	struct probe_segment *answer;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(&mapping->table, sg, i) {
		answer = call_answer(call, sizeof(*answer));
		if (!answer)
			return PROBE_REPLY_FULL;
		answer->dma_addr = cpu_to_le64(sg_dma_address(sg));
		answer->phys = cpu_to_le64(device_phys(dev, sg_dma_address(sg)));
		answer->length = cpu_to_le32(sg_dma_len(sg));
	}
	return 0;
}

/* Map what has been collected; whatever goes wrong, nothing stays mapped. */
static int sg_map(struct call *call, struct mapping *mapping)
{
	const struct probe_map_sg *request = call->request;
	int status = dma_map_sgtable(mapping->target->dev, &mapping->table, mapping->direction,
				     le16_to_cpu(request->attrs));

	if (status)
		goto unmapped;
	mapping->dma_addr = sg_dma_address(mapping->table.sgl);
	status = sg_answer(call, mapping);
	if (!status)
		return mapping_keep(call, request->mapping, mapping);
	mapping_undo(mapping, 0);
unmapped:
	mapping_release(mapping, true);
	return status;
}

int call_map_sg(struct call *call)
{
	const struct probe_map_sg *request = call->request;
	unsigned int count = (call->length - sizeof(*request)) / sizeof(request->entries[0]);
	struct mapping *mapping;
	int status;

	if (!count || call->length != struct_size(request, entries, count))
		return PROBE_BAD_LENGTH;
	if (xa_load(&call->context->mappings, le16_to_cpu(request->mapping)))
		return PROBE_HANDLE_USED;
	mapping = mapping_new(call, request->device, request->direction, count, &status);
	if (!mapping)
		return status;
	mapping->kind = MAPPED_SG;
	status = sg_alloc_table(&mapping->table, count, GFP_KERNEL) ? PROBE_NO_MEMORY : 0;
	status = status ?: sg_collect(call, mapping, count);
	if (!status)
		return sg_map(call, mapping);
	mapping_release(mapping, true);
	return status;
}
