/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_INFLATE_H
#define AGENT_INFLATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Decompress raw deflate data (RFC 1951) into @to, @size bytes long. Returns the
 * length of the result, or -1 if the data are not valid or the result does not fit.
 */
ssize_t inflate(const uint8_t *from, size_t length, uint8_t *to, size_t size);

#endif
