/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SETUP_H
#define AGENT_SETUP_H

/* Set up the initramfs: mounts, busybox's programs, the probe module. */
void set_up(void);

#endif
