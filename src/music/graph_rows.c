/* Which rows a batch has. A sequence's rows end with its last target: what
 * comes after it has no loss, and nothing looks ahead. So padding at the end
 * costs nothing; the rows of all sequences follow each other without gaps. */
#include "music/graph_parts.h"
#include "music/vocab.h"

#include <string.h>

enum { TURN = 64 };
#define MASKED -1e30f

static size_t turns_of(size_t rows)
{
    return (rows + TURN - 1) / TURN;
}

void ems_rows_place(ems_graph *g, ems_arena *a)
{
    const size_t B = g->o.batch;
    g->begin = ems_take(a, B + 1, sizeof *g->begin);
    g->turn = ems_take(a, B * turns_of(g->N), sizeof *g->turn);
    g->mask = ems_take(a, B * g->N, sizeof *g->mask);
    g->masked = ems_take(a, B, 1);
}

/* Rows of a sequence: the conditions and the tokens up to the last target. */
static size_t count_rows(const ems_graph *g, const ems_batch *b,
                         size_t sequence)
{
    const uint16_t *targets = b->targets + sequence * g->o.tokens;
    size_t n = g->o.tokens;
    if (!g->o.all_rows)
        while (n > 0 && targets[n - 1] == EMS_PAD)
            n--;
    return n ? n + EMS_CONDITIONS : 0;
}

static void find_padding(ems_graph *g, const ems_batch *b, size_t sequence)
{
    float *const mask = g->mask + g->begin[sequence];
    const size_t rows = g->begin[sequence + 1] - g->begin[sequence];
    g->masked[sequence] = 0;
    for (size_t n = 0; n < rows; n++) {
        const int pad = n >= EMS_CONDITIONS &&
                        ems_token_at(g, b, sequence, n) == EMS_PAD;
        mask[n] = pad ? MASKED : 0;
        g->masked[sequence] |= (unsigned char)pad;
    }
}

void ems_rows_find(ems_graph *g, const ems_batch *b)
{
    g->M = 0;
    g->turns = 0;
    for (size_t s = 0; s < g->o.batch; s++) {
        const size_t rows = count_rows(g, b, s);
        g->begin[s] = g->M;
        g->begin[s + 1] = g->M + rows;
        for (size_t n = 0; n < rows; n += TURN)
            g->turn[g->turns++] = (ems_rows){
                g->M + n, rows - n < TURN ? rows - n : TURN, s, n};
        g->M += rows;
        find_padding(g, b, s);
    }
}

void ems_rows_each(ems_graph *g, void (*fn)(void *ctx, size_t turn),
                   void *ctx)
{
    ems_pool_for(g->pool, g->turns, fn, ctx);
}
