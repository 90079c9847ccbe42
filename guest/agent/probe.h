/* SPDX-License-Identifier: Apache-2.0 */
/* Interface to the kernel module of guest/probe: batches in, replies out. */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROBE_REPLY_MAX (1024 * 1024) /* as in guest/probe/protocol.h */

/* Returns a descriptor with its own set of replies, or -1 with errno set. */
int open_probe(void);

/* Pass @batch to the probe; returns the length of its replies, or -1 with errno set. */
ssize_t run_batch(int probe, const uint8_t *batch, size_t length, uint8_t *replies, size_t size);

#endif
