/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is written to and read from /dev/probe: a batch of request records, and
 * one reply record for each of them. harness/devices/probe/protocol.py reads this file.
 *
 * Every number is little-endian and nothing is padded. A request is a struct
 * probe_request_head and the payload of its operation; a reply is a struct
 * probe_reply_head and what the operation answers. The caller chooses the
 * handles, so that a call may use what an earlier call of its batch has made.
 */
#ifndef PROBE_PROTOCOL_H
#define PROBE_PROTOCOL_H

#include <linux/types.h>

#define PROBE_PROTOCOL_VERSION	1
#define PROBE_BATCH_MAX		(64 * 1024)	/* bytes of requests in one write */
#define PROBE_REPLY_MAX		(1024 * 1024)	/* bytes of replies to one batch */
#define PROBE_ANSWER_MAX	(32 * 1024)	/* bytes of payload in one reply */
#define PROBE_CONTEXTS		64		/* independent sets of handles */

struct probe_request_head {
	u8 op;
	__le16 length;		/* of the payload that follows */
} __packed;

/*
 * status: 0, or what the kernel answered (a negative errno), or why the probe
 * refused the request (enum probe_refusal, positive).
 */
struct probe_reply_head {
	__le16 status;
	__le16 length;		/* of the payload that follows */
} __packed;

/* A payload or an answer that is one number. */
struct probe_id {
	__le16 value;
} __packed;

struct probe_count {
	__le32 value;
} __packed;

enum probe_refusal {
	PROBE_UNKNOWN_OP = 1,	/* no such operation */
	PROBE_BAD_LENGTH,	/* the payload is too short or too long */
	PROBE_NO_DEVICE,	/* no device of that id is bound */
	PROBE_NO_HANDLE,	/* nothing has that handle */
	PROBE_HANDLE_USED,	/* something has that handle already */
	PROBE_BAD_RANGE,	/* offset and length leave the object */
	PROBE_BAD_VALUE,	/* a direction, kind or other code is unknown */
	PROBE_NO_MEMORY,	/* the probe itself could not get memory */
	PROBE_BUSY,		/* the buffer is still mapped */
	PROBE_UNREACHABLE,	/* the CPU cannot reach that memory */
	PROBE_REPLY_FULL,	/* no room for replies: the rest was not run */
};

/* A payload that is nothing. */
struct probe_nothing {
} __packed;

enum probe_how {
	PROBE_PLAIN	= 0,
	PROBE_LONGER	= 1,	/* more payload may follow the record */
	PROBE_EXCLUSIVE	= 2,	/* no other call may run meanwhile */
	PROBE_UNLOCKED	= 4,	/* it uses no device and no handle */
};

/*
 * Every operation, by rising number from 1: its name, the call_...() that carries it out, the
 * record of its payload, and how it is run. From this table follow the numbers, the declarations,
 * the dispatch (batch.c) and the requests of the harness (harness/devices/probe/protocol.py): a new
 * operation is an entry at the end, its handler, and a function of harness/devices/probe/calls.py.
 */
#define PROBE_OPERATIONS(OP)								\
	OP(CONTEXT, context, struct probe_context, PROBE_UNLOCKED)			\
	/* free everything in every context */						\
	OP(RESET, reset, struct probe_nothing, PROBE_EXCLUSIVE)				\
	/* -> struct probe_id[] */							\
	OP(DEVICES, devices, struct probe_nothing, PROBE_PLAIN)				\
	/* -> struct probe_device_info, texts */					\
	OP(DEVICE_INFO, device_info, struct probe_id, PROBE_PLAIN)			\
	OP(DEVICE_SET, device_set, struct probe_device_set, PROBE_PLAIN)		\
	/* -> struct probe_place */							\
	OP(BUFFER_ALLOC, buffer_alloc, struct probe_buffer_alloc, PROBE_PLAIN)		\
	OP(BUFFER_FREE, buffer_free, struct probe_id, PROBE_PLAIN)			\
	OP(FILL, fill, struct probe_pattern, PROBE_PLAIN)				\
	/* -> struct probe_count, bytes that match */					\
	OP(COMPARE, compare, struct probe_pattern, PROBE_PLAIN)				\
	/* the bytes follow; the range's length is ignored */				\
	OP(WRITE, write, struct probe_range, PROBE_LONGER)				\
	/* -> bytes */									\
	OP(READ, read, struct probe_range, PROBE_PLAIN)					\
	/* -> struct probe_mapped */							\
	OP(MAP, map, struct probe_map, PROBE_PLAIN)					\
	/* -> struct probe_mapped */							\
	OP(MAP_RESOURCE, map_resource, struct probe_map_resource, PROBE_PLAIN)		\
	/* the entries follow -> struct probe_segment[] */				\
	OP(MAP_SG, map_sg, struct probe_map_sg, PROBE_LONGER)				\
	OP(UNMAP, unmap, struct probe_unmap, PROBE_PLAIN)				\
	OP(SYNC, sync, struct probe_sync, PROBE_PLAIN)					\
	/* -> u8 */									\
	OP(NEED_SYNC, need_sync, struct probe_id, PROBE_PLAIN)				\
	/* -> struct probe_allocated */							\
	OP(ALLOC, alloc, struct probe_alloc, PROBE_PLAIN)				\
	OP(FREE, free, struct probe_id, PROBE_PLAIN)					\
	/* leak it, as a buggy driver would */						\
	OP(FORGET, forget, struct probe_object, PROBE_PLAIN)				\
	/* from that handle on -> struct probe_live[] */				\
	OP(LIVE, live, struct probe_object, PROBE_PLAIN)				\
	/* unchecked */									\
	OP(RAW_UNMAP, raw_unmap, struct probe_raw_unmap, PROBE_PLAIN)			\
	/* unchecked */									\
	OP(RAW_SYNC, raw_sync, struct probe_raw_sync, PROBE_PLAIN)			\
	/* as MAP, and unmapped at once */						\
	OP(TRY_MAP, try_map, struct probe_map, PROBE_PLAIN)				\
	/* -EILSEQ if any byte differs */						\
	OP(VERIFY, verify, struct probe_pattern, PROBE_PLAIN)				\
	/* -> struct probe_held[] */							\
	OP(HELD, held, struct probe_held_from, PROBE_EXCLUSIVE)				\
	/* -ENOMEM, or -EILSEQ if a byte differs */					\
	OP(INTERRUPT, interrupt, struct probe_interrupt, PROBE_PLAIN)			\
	/* -> struct probe_count, the CRC-32 of the bytes */				\
	OP(CHECKSUM, checksum, struct probe_range, PROBE_PLAIN)				\
	/* -> struct probe_count[4]: map, sync for device, for CPU, unmap */		\
	OP(COST_MAP, cost_map, struct probe_cost_map, PROBE_PLAIN)			\
	/* -> struct probe_count[2]: alloc, free */					\
	OP(COST_ALLOC, cost_alloc, struct probe_cost_alloc, PROBE_PLAIN)

#define PROBE_NUMBER(name, handler, payload, how) PROBE_##name,

enum probe_op {
	PROBE_NO_OP,
	PROBE_OPERATIONS(PROBE_NUMBER)
};

#undef PROBE_NUMBER

/* The rest of the batch uses the handles of this context. A batch starts in 0. */
struct probe_context {
	u8 context;
} __packed;

enum probe_bus {
	PROBE_BUS_PCI = 1,
	PROBE_BUS_PLATFORM,
};

/* Followed by two texts, each ended by a zero byte: device name, devicetree path. */
struct probe_device_info {
	u8 bus;
	u8 coherent;		/* dev_is_dma_coherent() */
	__le64 dma_mask;
	__le64 coherent_dma_mask;
	__le64 seg_boundary;
	__le64 max_mapping_size;
	__le32 min_align_mask;
	__le32 max_seg_size;
} __packed;

enum probe_setting {
	PROBE_SET_DMA_MASK = 1,
	PROBE_SET_COHERENT_MASK,
	PROBE_SET_MIN_ALIGN_MASK,
	PROBE_SET_SEG_BOUNDARY,
	PROBE_SET_MAX_SEG_SIZE,
	PROBE_SET_BUS_MASTER,	/* 0 or 1; PCI only */
	PROBE_SET_LEAK,		/* 1: unbinding leaks what is live; 0: it cleans up */
	PROBE_SET_REGION,	/* of_reserved_mem_device_init_by_idx() of this index */
	PROBE_SET_NO_REGIONS,	/* of_reserved_mem_device_release(), whatever the value */
};

struct probe_device_set {
	__le16 device;
	u8 setting;
	__le64 value;
} __packed;

enum probe_buffer_kind {
	PROBE_BUFFER_KMALLOC = 1,
	PROBE_BUFFER_PAGES,	/* physically contiguous, page aligned */
	PROBE_BUFFER_PEER,	/* another PCI device's, by P2PDMA: the CPU cannot reach it */
};

struct probe_buffer_alloc {
	__le16 buffer;
	u8 kind;
	__le32 size;
} __packed;

struct probe_place {
	__le64 virt;
	__le64 phys;
} __packed;

/* What a handle names. The device's side of a mapping is the memory behind its DMA address. */
enum probe_space {
	PROBE_SPACE_BUFFER = 1,
	PROBE_SPACE_MAPPING,
	PROBE_SPACE_ALLOCATION,
};

struct probe_object {
	u8 space;
	__le16 handle;
} __packed;

struct probe_range {
	struct probe_object object;
	__le32 offset;
	__le32 length;
} __packed;

enum probe_pattern_kind {
	PROBE_PATTERN_BYTE = 1,	/* every byte is the low byte of value */
	PROBE_PATTERN_SEED,	/* word i of the object is probe_pattern_word(value, i) */
};

struct probe_pattern {
	struct probe_range range;
	u8 kind;
	__le32 value;
} __packed;

enum probe_map_call {
	PROBE_CALL_SINGLE = 1,	/* dma_map_single_attrs() */
	PROBE_CALL_PAGE,	/* dma_map_page_attrs() */
	PROBE_CALL_PHYS,	/* dma_map_phys(), since Linux 6.18 */
};

struct probe_map {
	__le16 mapping;
	__le16 device;
	u8 call;
	u8 direction;		/* enum dma_data_direction */
	__le16 attrs;
	__le16 buffer;
	__le32 offset;
	__le32 length;
} __packed;

struct probe_map_resource {
	__le16 mapping;
	__le16 device;
	u8 direction;
	__le16 attrs;
	__le64 phys;
	__le32 length;
} __packed;

/* phys is where the DMA address leads without an IOMMU, all ones if nowhere. */
struct probe_mapped {
	__le64 dma_addr;
	__le64 phys;
} __packed;

struct probe_sg_entry {
	__le16 buffer;
	__le32 offset;
	__le32 length;
} __packed;

struct probe_map_sg {
	__le16 mapping;
	__le16 device;
	u8 direction;
	__le16 attrs;
	struct probe_sg_entry entries[];
} __packed;

struct probe_segment {
	__le64 dma_addr;
	__le64 phys;
	__le32 length;
} __packed;

struct probe_unmap {
	__le16 mapping;
	__le16 attrs;
} __packed;

enum probe_sync_target {
	PROBE_SYNC_CPU = 1,
	PROBE_SYNC_DEVICE,
};

/* A length of 0 means the whole mapping, and is the only one for a scatterlist. */
struct probe_sync {
	__le16 mapping;
	u8 target;
	__le32 offset;
	__le32 length;
} __packed;

enum probe_alloc_call {
	PROBE_ALLOC_COHERENT = 1,	/* dma_alloc_attrs() */
	PROBE_ALLOC_PAGES,		/* dma_alloc_pages() */
	PROBE_ALLOC_NONCOHERENT,	/* dma_alloc_noncoherent() */
	PROBE_ALLOC_NONCONTIGUOUS,	/* dma_alloc_noncontiguous() */
	PROBE_ALLOC_POOL,		/* dma_pool_alloc() from a pool of its own */
	PROBE_ALLOC_MANAGED,		/* dmam_alloc_attrs() */
};

enum probe_gfp {
	PROBE_GFP_KERNEL = 1,
	PROBE_GFP_ATOMIC,
	PROBE_GFP_BOTTOM_HALF,	/* GFP_ATOMIC, with bottom halves disabled */
};

struct probe_alloc {
	__le16 allocation;
	__le16 device;
	u8 call;
	u8 direction;
	u8 gfp;
	__le16 attrs;
	__le32 size;
} __packed;

struct probe_allocated {
	__le64 virt;
	__le64 dma_addr;
	__le64 phys;		/* of the memory behind virt, all ones if unknown */
} __packed;

/* As many as fit in one reply, by rising handle. dma_addr: of the first segment. */
struct probe_live {
	__le16 handle;
	__le16 device;		/* 0 for a buffer */
	__le64 dma_addr;	/* the physical address for a buffer */
	__le32 size;
} __packed;

/* Where to begin: context, then space, then handle. */
struct probe_held_from {
	u8 context;
	u8 space;
	__le16 handle;
} __packed;

#define PROBE_LEAKED		PROBE_CONTEXTS	/* what was leaked, in place of a context */
#define PROBE_GUARD_WORD	0x9dc1a7e5	/* what guards are filled with */

/*
 * A piece of memory that is held: a mapping's, one for each segment; an allocation's; or, with
 * PROBE_SPACE_BUFFER, a guard before or behind a buffer. An answer holds all pieces of an object
 * or none. Leaked pieces have handles of their own; guards are leaked when they are damaged.
 */
struct probe_held {
	u8 context;		/* or PROBE_LEAKED */
	u8 space;
	__le16 handle;
	__le16 device;		/* 0 for a guard */
	__le64 phys;		/* where the DMA address leads without an IOMMU */
	__le32 length;
} __packed;

/* Every other CPU maps the buffer for the device in an interrupt, looks at it, and unmaps it. */
struct probe_interrupt {
	__le16 device;
	__le16 buffer;
	__le32 length;
} __packed;

/* Instructions of calls that map the first bytes of a buffer; -EOPNOTSUPP if none are counted. */
struct probe_cost_map {
	__le16 device;
	__le16 buffer;
	u8 direction;
	__le32 length;
} __packed;

/* The same for coherent memory. */
struct probe_cost_alloc {
	__le16 device;
	__le32 size;
} __packed;

struct probe_raw_unmap {
	__le16 device;
	__le64 dma_addr;
	__le32 length;
	u8 direction;
	__le16 attrs;
} __packed;

struct probe_raw_sync {
	__le16 device;
	u8 target;
	__le64 dma_addr;
	__le32 length;
	u8 direction;
} __packed;

#endif
