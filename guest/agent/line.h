/* SPDX-License-Identifier: Apache-2.0 */
/* The serial line to the harness, and its messages. */
#ifndef AGENT_LINE_H
#define AGENT_LINE_H

#include "frame.h"

/* Open the line raw, at its highest speed; returns its descriptor, or -1 with errno set. */
int open_line(void);

/* Send one frame, and wait until the line has accepted it. */
void send_frame(uint8_t type, uint16_t id, const void *payload, size_t length);

/* Send an answer of any length as chunks, without FRAME_END. */
void send_chunks(uint16_t id, const uint8_t *bytes, size_t length);

/* Send an error: @number is an errno. */
void send_error(uint16_t id, int number, const char *what);

#endif
