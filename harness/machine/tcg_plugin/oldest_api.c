// SPDX-License-Identifier: Apache-2.0
/*
 * A TCG plugin for QEMU of API version 0, to ask which versions QEMU takes: it either refuses this
 * one, and says which is the oldest (plugins/loader.c:plugin_load), or takes it, as 7.2 does.
 */
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 0;

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments)
{
	(void)id, (void)info, (void)count, (void)arguments;
	printf("minimum version of 0\n");
	return 1; /* there is nothing to do */
}
