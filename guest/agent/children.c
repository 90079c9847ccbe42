/* SPDX-License-Identifier: Apache-2.0 */
#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONSOLE "/dev/ttyAMA0"
#define NO_CONSOLE 127 /* how a shell ends that is not to be started again */

static int signals = -1;
static pid_t shell;

static sigset_t child_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

int watch_children(void)
{
	sigset_t set = child_signal();

	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return signals;
}

int child_events(void)
{
	return signals;
}

void become_child(void)
{
	sigset_t set = child_signal();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setsid();
}

static void run_shell(void)
{
	int console;

	become_child();
	console = open(CONSOLE, O_RDWR);
	if (console < 0)
		_exit(NO_CONSOLE);
	ioctl(console, TIOCSCTTY, 1);
	for (int i = 0; i < 3; i++)
		dup2(console, i);
	execl("/bin/sh", "-sh", (char *)NULL);
	_exit(NO_CONSOLE);
}

void start_shell(void)
{
	shell = fork();
	if (shell == 0)
		run_shell();
}

bool reap_children(pid_t wanted, int *status)
{
	struct signalfd_siginfo ignored;
	bool found = false;
	int ended;
	pid_t pid;

	while (read(signals, &ignored, sizeof(ignored)) > 0)
		;
	while ((pid = waitpid(-1, &ended, WNOHANG)) > 0) {
		if (pid == shell && !(WIFEXITED(ended) && WEXITSTATUS(ended) == NO_CONSOLE))
			start_shell();
		if (pid == wanted) {
			*status = ended;
			found = true;
		}
	}
	return found;
}
