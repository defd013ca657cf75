/* Not a contender: processes that begin and end, for those who listen to them.
 *
 * storm rate=EVENTS-PER-SECOND seconds=S    waits for a line, then prints how many events it made
 *
 * A process is 10 events: it begins, takes 8 other names, and ends. On a machine of two cores processes alone would
 * keep both of them busy before there are as many events. */

#define _GNU_SOURCE
#include "peer.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 8, EVENTS = NAMES + 2, STACK = 16384 };

static int live(void *unused)
{
    (void)unused;
    for (int i = 0; i < NAMES; i++)
        prctl(PR_SET_NAME, "storm of events");
    return 0;
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[STACK];
    double seconds = (double)option(argc, argv, "seconds", 1), start, end;
    double rate = (double)option(argc, argv, "rate", 1000);
    long long made = 0;

    signal(SIGCHLD, SIG_IGN); /* nobody has to wait for them */
    await_backlog();
    start = now();
    end = start + seconds;
    for (;;) {
        double at = now();
        long long due = (long long)((at - start) * rate);
        if (at >= end)
            break;
        if (made >= due) {
            usleep(500);
            continue;
        }
        for (; made < due && now() < end; made += EVENTS)
            if (clone(live, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) < 0)
                die("clone");
    }
    printf("{\"produced\": %lld, \"seconds\": %.6f}\n", made, now() - start);
    return 0;
}
