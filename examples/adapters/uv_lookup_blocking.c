/* uv_lookup_blocking.c - the naive twin of uv_lookup.c: the library is asked where the question was read.
 *
 * The fault: the lookup blocks in the read callback, and with it every other connection and the ticker.  The report: a
 * stall of cause `call`, in usleep from `lookup`, with the name of the connection.
 * link: -luv */
#include "uv_probe.h"

static int at_once(uv_work_t *req, uv_work_cb work, uv_after_work_cb after)
{
    work(req);
    after(req, 0);
    return 0;
}
#undef uv_queue_work
#define uv_queue_work(loop, req, work, after) at_once((req), (work), (after))

#include "uv_lookup.c"
