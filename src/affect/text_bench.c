/* ems_bench_text. */
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/run.h"

#include <math.h>
#include <string.h>

enum { TURN = 64, MAX_FILE = 1 << 28 };

typedef struct bench {
    const ems_text *text;
    const char *data;
    size_t *end; /* of line i; it begins where the last one ended */
    size_t lines, room;
} bench;

static int split(bench *b, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *stop = memchr(b->data + at, '\n', size - at);
        at = stop ? (size_t)(stop - b->data) + 1 : size;
        if (ems_reserve((void **)&b->end, &b->room, b->lines + 1,
                        sizeof *b->end) < 0)
            return -1;
        b->end[b->lines++] = at;
    }
    return 0;
}

static void rate_turn(void *ctx, size_t turn)
{
    const bench *b = ctx;
    for (size_t i = turn * TURN; i < b->lines && i < (turn + 1) * TURN; i++) {
        const size_t from = i ? b->end[i - 1] : 0;
        float ekman[EMS_TEXT_EKMAN], full[EMS_TEXT_FULL];
        ems_text_rate(b->text, b->data + from, b->end[i] - from, ekman, full);
    }
}

static int time_it(bench *b, size_t size, double *best, ems_pool *pool,
                   const ems_run *run, ems_error *err)
{
    const double begin = ems_now();
    double least = INFINITY;
    if (split(b, size) < 0)
        return ems_out_of_memory(err);
    if (b->lines == 0)
        return ems_fail(err, EMS_EINVAL, "the file has no lines to rate");
    do {
        const double from = ems_now();
        ems_pool_for(pool, (b->lines + TURN - 1) / TURN, rate_turn, b);
        least = fmin(least, ems_now() - from);
        if (ems_cancelled(run))
            return ems_fail_cancelled(err);
    } while (ems_now() - begin < 1);
    *best = (double)b->lines / least;
    return EMS_OK;
}

int ems_bench_text(const char *weights, const char *file,
                   double *lines_per_second, const ems_run *run,
                   ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    ems_bytes bytes;
    *lines_per_second = 0;
    if (ems_bytes_map(&bytes, file, MAX_FILE, e) < 0)
        return e->code;
    ems_text *t = ems_text_open(weights, e);
    ems_pool *pool = t ? ems_pool_new(ems_run_threads(run), e) : NULL;
    bench b = {.text = t, .data = (const char *)bytes.data};
    const int code = pool ? time_it(&b, bytes.size, lines_per_second, pool,
                                    run, e)
                          : e->code;
    ems_free(b.end);
    ems_pool_free(pool);
    ems_text_free(t);
    ems_bytes_unmap(&bytes);
    return code;
}
