/* SPDX-License-Identifier: Apache-2.0 */
/* Every process that ends is this one's, being PID 1, to bury. */
#ifndef AGENT_CHILDREN_H
#define AGENT_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* Block SIGCHLD and return a descriptor that is readable when a child has ended; -1 on error. */
int watch_children(void);

/* That descriptor. */
int child_events(void);

/* Start a shell on the console for people. */
void start_shell(void);

/*
 * Bury what has ended, and start the shell anew if it was that. Returns true if
 * @wanted (0 for none) was among it, with its wait status in @status.
 */
bool bury_children(pid_t wanted, int *status);

/* In a child: undo what PID 1 has set up for itself. */
void become_child(void);

#endif
