/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness may ask for. Each of these answers its request, whatever happens. */
#ifndef AGENT_REQUESTS_H
#define AGENT_REQUESTS_H

#include "frame.h"

/* Answer who this guest is, as lines of name=value. */
void serve_hello(const struct frame *request);

/* Say the same without being asked. */
void announce(void);

/* Run a shell command: time limit in ms (4 bytes), command. */
void serve_run(const struct frame *request);

/* Read a file: its path. */
void serve_read(const struct frame *request);

/* Write a file: 1 to append or 0 (1 byte), path, zero byte, content. */
void serve_write(const struct frame *request);

/* Hand a batch to the probe. */
void serve_probe(const struct frame *request);

/* Hand batches to the probe on several CPUs at once; stress.c says how. */
void serve_stress(const struct frame *request);

#endif
