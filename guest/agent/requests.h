/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of the harness. Each function answers its request in every case. */
#ifndef AGENT_REQUESTS_H
#define AGENT_REQUESTS_H

#include "frame.h"

/* Describe this guest, as lines of name=value. */
void serve_hello(const struct frame *request);

/* Send the same at boot, without a request. */
void announce(void);

/* Run a shell command: time limit in ms (4 bytes), command. */
void serve_run(const struct frame *request);

/* Read a file: its path. */
void serve_read(const struct frame *request);

/* Write a file: 1 to append or 0 (1 byte), path, zero byte, content. */
void serve_write(const struct frame *request);

/* Pass a batch to the probe. */
void serve_probe(const struct frame *request);

/* Pass batches to the probe on several CPUs at once; see stress.c. */
void serve_stress(const struct frame *request);

#endif
