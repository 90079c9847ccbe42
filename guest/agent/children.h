/* SPDX-License-Identifier: Apache-2.0 */
/* Reap child processes: PID 1 must reap every process that ends. */
#ifndef AGENT_CHILDREN_H
#define AGENT_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* Block SIGCHLD and return a descriptor that is readable when a child has ended; -1 on error. */
int watch_children(void);

/* Return that descriptor. */
int child_events(void);

/* Start a shell on the console for people. */
void start_shell(void);

/*
 * Reap the children that have ended; restart the shell if it was one of them. Returns
 * true if @wanted (0 for none) was among them, with its wait status in @status.
 */
bool reap_children(pid_t wanted, int *status);

/* In a child: undo the signal setup of PID 1. */
void become_child(void);

#endif
