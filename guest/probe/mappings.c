// SPDX-License-Identifier: GPL-2.0-only
/* Streaming mappings of one piece of memory, and the end of every mapping. */
#include <linux/slab.h>

#include "probe.h"

/* A mapping for @device that nothing has been mapped for yet; NULL sets @status. */
struct mapping *mapping_new(struct call *call, __le16 device, u8 direction,
			    unsigned int nbuffers, int *status)
{
	struct target *target = target_find(device);
	struct mapping *mapping;

	*status = PROBE_NO_DEVICE;
	if (!target)
		return NULL;
	*status = PROBE_BAD_VALUE;
	if (direction > DMA_FROM_DEVICE)
		return NULL;
	*status = PROBE_NO_MEMORY;
	mapping = kzalloc(struct_size(mapping, buffers, nbuffers), GFP_KERNEL);
	if (!mapping)
		return NULL;
	mapping->target = target;
	mapping->direction = direction;
	*status = 0;
	return mapping;
}

/* DMA_ATTR_MMIO came with dma_map_phys(): it is what mappings by address are for. */
#ifdef DMA_ATTR_MMIO
#define map_phys dma_map_phys
#define unmap_phys dma_unmap_phys
#else
static dma_addr_t map_phys(struct device *dev, phys_addr_t phys, size_t size,
			   enum dma_data_direction direction, unsigned long attrs)
{
	return DMA_MAPPING_ERROR;
}

static void unmap_phys(struct device *dev, dma_addr_t dma_addr, size_t size,
		       enum dma_data_direction direction, unsigned long attrs)
{
}
#endif

static const enum mapping_kind kinds[] = {
	[PROBE_CALL_SINGLE] = MAPPED_SINGLE,
	[PROBE_CALL_PAGE] = MAPPED_PAGE,
	[PROBE_CALL_PHYS] = MAPPED_PHYS,
};

/* End the mapping as its driver would. */
void mapping_undo(struct mapping *mapping, unsigned long attrs)
{
	struct device *dev = mapping->target->dev;

	switch (mapping->kind) {
	case MAPPED_SINGLE:
		dma_unmap_single_attrs(dev, mapping->dma_addr, mapping->size,
				       mapping->direction, attrs);
		break;
	case MAPPED_PAGE:
		dma_unmap_page_attrs(dev, mapping->dma_addr, mapping->size,
				     mapping->direction, attrs);
		break;
	case MAPPED_PHYS:
		unmap_phys(dev, mapping->dma_addr, mapping->size, mapping->direction, attrs);
		break;
	case MAPPED_RESOURCE:
		dma_unmap_resource(dev, mapping->dma_addr, mapping->size,
				   mapping->direction, attrs);
		break;
	case MAPPED_SG:
		dma_unmap_sgtable(dev, &mapping->table, mapping->direction, attrs);
		break;
	}
}

static void mapping_dispose(struct mapping *mapping)
{
	unsigned int i;

	for (i = 0; i < mapping->nbuffers; i++)
		mapping->buffers[i]->users--;
	sg_free_table(&mapping->table);
	kfree(mapping);
}

void mapping_release(struct mapping *mapping, bool leak)
{
	if (!leak)
		mapping_undo(mapping, 0);
	mapping_dispose(mapping);
}

/* Give a live mapping its handle, or end it. */
int mapping_keep(struct call *call, __le16 handle, struct mapping *mapping)
{
	int error = xa_insert(&call->context->mappings, le16_to_cpu(handle), mapping, GFP_KERNEL);

	if (!error)
		return 0;
	mapping_release(mapping, false);
	return error == -EBUSY ? PROBE_HANDLE_USED : PROBE_NO_MEMORY;
}

static dma_addr_t map_buffer(struct mapping *mapping, u32 offset, unsigned long attrs)
{
	struct device *dev = mapping->target->dev;
	void *begin = mapping->buffers[0]->virt, *virt = begin + offset;

	if (mapping->kind == MAPPED_SINGLE)
		return dma_map_single_attrs(dev, virt, mapping->size, mapping->direction, attrs);
	if (mapping->kind == MAPPED_PHYS)
		return map_phys(dev, page_to_phys(virt_to_page(virt)) + offset_in_page(virt),
				mapping->size, mapping->direction, attrs);
	/* The offset may lie behind the page, as in a driver's compound page. */
	return dma_map_page_attrs(dev, virt_to_page(begin), offset_in_page(begin) + offset,
				  mapping->size, mapping->direction, attrs);
}

/* Answer with what the kernel said; a mapping that it refused is disposed of. */
static int mapping_answer(struct call *call, __le16 handle, struct mapping *mapping)
{
	struct probe_mapped *answer = call_answer(call, sizeof(*answer));
	struct device *dev = mapping->target->dev;
	dma_addr_t dma_addr = mapping->dma_addr;
	int error = dma_mapping_error(dev, dma_addr);

	answer->dma_addr = cpu_to_le64(dma_addr);
	answer->phys = cpu_to_le64(error ? PHYS_UNKNOWN : device_phys(dev, dma_addr));
	if (!error)
		return mapping_keep(call, handle, mapping);
	mapping_dispose(mapping);
	return error;
}

static bool handle_used(struct call *call, __le16 handle)
{
	return xa_load(&call->context->mappings, le16_to_cpu(handle));
}

int call_map(struct call *call)
{
	const struct probe_map *request = call->request;
	u32 offset = le32_to_cpu(request->offset), length = le32_to_cpu(request->length);
	struct mapping *mapping;
	struct buffer *buffer;
	int status;

	if (request->call < PROBE_CALL_SINGLE || request->call > PROBE_CALL_PHYS)
		return PROBE_BAD_VALUE;
	if (handle_used(call, request->mapping))
		return PROBE_HANDLE_USED;
	status = buffer_slice(call->context, request->buffer, offset, length, &buffer);
	if (status)
		return status;
	mapping = mapping_new(call, request->device, request->direction, 1, &status);
	if (!mapping)
		return status;
	mapping->kind = kinds[request->call];
	mapping->size = length;
	mapping->nbuffers = 1;
	mapping->buffers[0] = buffer;
	buffer->users++;
	mapping->dma_addr = map_buffer(mapping, offset, le16_to_cpu(request->attrs));
	return mapping_answer(call, request->mapping, mapping);
}

/* Where would it go? Many of these in a batch find the pool as each of them found it. */
int call_try_map(struct call *call)
{
	const struct probe_map *request = call->request;
	int status = call_map(call);

	if (!status)
		mapping_release(xa_erase(&call->context->mappings,
					 le16_to_cpu(request->mapping)), false);
	return status;
}

int call_map_resource(struct call *call)
{
	const struct probe_map_resource *request = call->request;
	struct mapping *mapping;
	int status;

	if (handle_used(call, request->mapping))
		return PROBE_HANDLE_USED;
	if (!request->length)
		return PROBE_BAD_RANGE;
	mapping = mapping_new(call, request->device, request->direction, 0, &status);
	if (!mapping)
		return status;
	mapping->kind = MAPPED_RESOURCE;
	mapping->size = le32_to_cpu(request->length);
	mapping->dma_addr = dma_map_resource(mapping->target->dev, le64_to_cpu(request->phys),
					     mapping->size, mapping->direction,
					     le16_to_cpu(request->attrs));
	return mapping_answer(call, request->mapping, mapping);
}

int call_unmap(struct call *call)
{
	const struct probe_unmap *request = call->request;
	struct mapping *mapping = xa_erase(&call->context->mappings,
					   le16_to_cpu(request->mapping));

	if (!mapping)
		return PROBE_NO_HANDLE;
	mapping_undo(mapping, le16_to_cpu(request->attrs));
	mapping_dispose(mapping);
	return 0;
}
