/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "children.h"
#include "line.h"
#include "requests.h"

#define OUTPUT_MAX (1024 * 1024) /* bytes; what comes after is dropped */

/* Flags beside the exit status in the answer's last frame. */
enum { TIMED_OUT = 1, TRUNCATED = 2 };

struct job {
	uint16_t id;
	pid_t pid;
	int output; /* the reading end of its standard output and error */
	int signals;
	size_t sent;
	int status;
	uint8_t flags;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_command(const char *command, int output)
{
	int nothing = open("/dev/null", O_RDONLY);

	become_child();
	dup2(nothing, 0);
	dup2(output, 1);
	dup2(output, 2);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int start(struct job *job, const char *command)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	job->pid = fork();
	if (job->pid == 0)
		run_command(command, ends[1]);
	close(ends[1]);
	job->output = ends[0];
	if (job->pid > 0)
		return fcntl(job->output, F_SETFL, O_NONBLOCK);
	close(job->output);
	return -1;
}

/* Send the available output. Returns false when the pipe has no writer left. */
static bool pass_output(struct job *job)
{
	uint8_t bytes[4096];
	ssize_t length;

	while ((length = read(job->output, bytes, sizeof(bytes))) > 0) {
		size_t room = OUTPUT_MAX - job->sent;

		if ((size_t)length > room) {
			job->flags |= TRUNCATED;
			length = (ssize_t)room;
		}
		send_chunks(job->id, bytes, (size_t)length);
		job->sent += (size_t)length;
	}
	return length < 0;
}

/*
 * Wait for the command itself, not for its background processes; kill its whole
 * process group at the deadline.
 */
static void attend(struct job *job, uint32_t limit_ms)
{
	int64_t deadline = now_ms() + limit_ms;
	struct pollfd fds[2] = { { .fd = job->signals, .events = POLLIN },
				 { .fd = job->output, .events = POLLIN } };

	for (;;) {
		int64_t left = deadline - now_ms();

		if (left <= 0 && !(job->flags & TIMED_OUT)) {
			job->flags |= TIMED_OUT;
			kill(-job->pid, SIGKILL);
		}
		poll(fds, 2, left > 0 ? (int)left : -1);
		if (!pass_output(job))
			fds[1].fd = -1;
		if (reap_children(job->pid, &job->status))
			break;
	}
	pass_output(job);
}

static uint32_t exit_status(int status)
{
	if (WIFEXITED(status))
		return (uint32_t)WEXITSTATUS(status);
	return 128 + (uint32_t)WTERMSIG(status);
}

static void answer(const struct job *job)
{
	uint8_t payload[5];

	put32(payload, exit_status(job->status));
	payload[4] = job->flags;
	send_frame(FRAME_END, job->id, payload, sizeof(payload));
}

void serve_run(const struct frame *request)
{
	struct job job = { .id = request->id, .signals = child_events() };
	char *command;

	if (request->length < 4) {
		send_error(request->id, EBADMSG, "run");
		return;
	}
	command = strndup((const char *)request->payload + 4, request->length - 4);
	if (!command || start(&job, command) < 0) {
		send_error(request->id, errno, "starting a shell");
	} else {
		attend(&job, get32(request->payload));
		close(job.output);
		answer(&job);
	}
	free(command);
}
