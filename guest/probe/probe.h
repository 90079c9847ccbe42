/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the probe know of each other. */
#ifndef PROBE_H
#define PROBE_H

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/xarray.h>

#include "protocol.h"

/* An independent set of handles. */
struct context {
	struct mutex lock;	/* held while one call uses it */
	struct xarray buffers;
	struct xarray mappings;
	struct xarray allocations;
};

/* The replies to one batch; grows up to PROBE_REPLY_MAX. */
struct replies {
	u8 *data;
	size_t used;
	size_t size;
};

/* One request while it is carried out. */
struct call {
	struct context *context;
	const void *request;
	size_t length;
	struct replies *replies;
};

/* A device that this module's drivers are bound to. */
struct target {
	struct device *dev;
	u16 id;
	u8 bus;
	bool leak;
};

struct buffer {
	void *virt;
	u32 size;
	u8 kind;
	u32 front, back;	/* bytes of guard before and behind it */
	unsigned int users;	/* live mappings of it */
};

enum mapping_kind {
	MAPPED_SINGLE,
	MAPPED_PAGE,
	MAPPED_PHYS,
	MAPPED_RESOURCE,
	MAPPED_SG,
};

struct mapping {
	struct target *target;
	enum mapping_kind kind;
	enum dma_data_direction direction;
	dma_addr_t dma_addr;
	u32 size;
	struct sg_table table;		/* MAPPED_SG only */
	unsigned int nbuffers;
	struct buffer *buffers[];
};

struct allocation {
	struct target *target;
	u8 call;
	enum dma_data_direction direction;
	unsigned long attrs;
	u32 size;
	void *virt;
	dma_addr_t dma_addr;
	struct page *page;		/* PROBE_ALLOC_PAGES */
	struct sg_table *table;		/* PROBE_ALLOC_NONCONTIGUOUS */
	struct dma_pool *pool;		/* PROBE_ALLOC_POOL */
};

#define PHYS_UNKNOWN	(~0ULL)

/* Every operation's handler, in the file of what it works on. */
#define PROBE_HANDLER(name, handler, payload, how) int call_##handler(struct call *call);
PROBE_OPERATIONS(PROBE_HANDLER)
#undef PROBE_HANDLER

/* The other functions, by file, in the order of the layers (Kbuild). */

/* reply.c */
int replies_reserve(struct replies *replies);
struct probe_reply_head *reply_head(const struct replies *replies);
void reply_refuse(struct replies *replies, int status);
void *call_answer(struct call *call, size_t length);
size_t call_answered(const struct call *call);
void call_rewind(struct call *call, size_t length);

/* address.c */
u64 device_phys(struct device *dev, dma_addr_t dma_addr);
u64 virt_phys(const void *virt);

/* pattern.c */
void pattern_fill(u8 *where, const struct probe_pattern *pattern, u32 length);
u32 pattern_matching(const u8 *where, const struct probe_pattern *pattern, u32 length);

/* peer.c */
int peer_provide(struct pci_dev *pdev);
void *peer_obtain(u32 size);
void peer_return(void *virt, u32 size);

/* regions.c */
int region_take(struct device *dev, u64 index);
int regions_release(struct device *dev);

/* allocators.c */
bool allocation_obtain(struct allocation *allocation, gfp_t gfp);
void allocation_return(struct allocation *allocation);

/* contexts.c */
void contexts_init(void);
struct context *context_get(unsigned int number);
struct xarray *context_objects(struct context *context, u8 space);

/* targets.c: call target_find() and use what it returns between enter and leave. */
void targets_enter(bool exclusive);
void targets_leave(bool exclusive);
struct target *target_find(__le16 id);
int target_add(struct target *target);
void target_remove(struct target *target);

/* guards.c: what surrounds a buffer. A visitor that returns other than 0 ends the visit. */
typedef int (*span_visitor)(const struct probe_held *span, void *data);
void guards_raise(const struct buffer *buffer);
bool guards_whole(const struct buffer *buffer);
void guards_wipe(const struct buffer *buffer);
int guards_visit(const struct buffer *buffer, struct probe_held *span, span_visitor visit,
		 void *data);

/* held.c */
void held_leak(u8 space, void *object);
void held_exit(void);

/* buffers.c */
void buffer_release(struct buffer *buffer);
int buffer_slice(struct context *context, __le16 handle, u32 offset, u32 length,
		 struct buffer **found);

/* mappings.c */
struct mapping *mapping_new(struct call *call, __le16 device, u8 direction,
			    unsigned int nbuffers, int *status);
int mapping_keep(struct call *call, __le16 handle, struct mapping *mapping);
void mapping_undo(struct mapping *mapping, unsigned long attrs);
void mapping_release(struct mapping *mapping, bool leak);

/* allocations.c */
void allocation_release(struct allocation *allocation, bool leak);

/* teardown.c */
void contexts_reset(void);
void contexts_drop_target(struct target *target);

/* drivers.c */
int drivers_init(void);
void drivers_exit(void);

/* batch.c */
int batch_run(const void *data, size_t length, struct replies *replies);

#endif
