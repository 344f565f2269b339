#include "emotion/text_find.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EDGE = 40,        /* of 255: a step of brightness over two pixels */
    LEAST_EACH = 2,   /* steps up, and steps down, in a cell with letters */
    LEAST_BOTH = 6,
    GAP = 2,          /* cells between words of a line */
    LEAST_WIDE = 4,   /* cells; what is narrower is no line */
    LEAST_CELLS = 5,
    LEAST_IN_LEAVES = 8, /* cells of a line that touches other things */
    FILLED = 4,       /* a quarter of a line's box at least */
    MOST_PIXELS = 70000, /* of all lines: more takes seconds to read */
    ASIDE = 3,        /* cells to the left and to the right */
    MOST_LINES = 8,   /* more: leaves, or credits that nobody feels */
};
static const double TWO_SHADES = 0.78; /* of the variance */
static const double MOST_VARIED = 25;  /* of 255: ink, or paper */

/* Pictures wider or higher than EMS_TEXT_CELLS cells have larger ones. */
static int cell_side(const ems_still *s)
{
    const int longer = s->width > s->height ? s->width : s->height;
    const int fit = (longer + EMS_TEXT_CELLS - 1) / EMS_TEXT_CELLS;
    return fit > EMS_TEXT_CELL ? fit : EMS_TEXT_CELL;
}

static int luma(const uint8_t *rgb)
{
    return (rgb[0] + 2 * rgb[1] + rgb[2]) / 4;
}

static int has_letters(const ems_still *s, int x0, int y0, int side)
{
    int up = 0, down = 0;
    for (int y = y0; y < y0 + side && y < s->height; y++)
        for (int x = x0 > 0 ? x0 : 1; x < x0 + side && x + 1 < s->width; x++) {
            const uint8_t *p = s->rgb + 3 * ((size_t)y * (size_t)s->width +
                                             (size_t)x);
            const int step = luma(p + 3) - luma(p - 3);
            up += step >= EDGE;
            down += step <= -EDGE;
        }
    return up >= LEAST_EACH && down >= LEAST_EACH && up + down >= LEAST_BOTH;
}

static int is_set(uint64_t row, int x)
{
    return (int)(row >> x & 1);
}

typedef struct block { /* cells that hang together, both ends included */
    int x0, y0, x1, y1, count;
    uint64_t cells[EMS_TEXT_CELLS];
} block;

typedef struct grid {
    uint64_t cells[EMS_TEXT_CELLS]; /* with edges, not yet in a block */
    int columns, rows, side;
} grid;

/* Words of a line hang together over GAP cells, lines over none. */
static void visit(grid *g, block *b, int x, int y, int stack[][2], int *depth)
{
    if (x < 0 || y < 0 || x >= g->columns || y >= g->rows ||
        !is_set(g->cells[y], x))
        return;
    g->cells[y] &= ~((uint64_t)1 << x);
    b->cells[y] |= (uint64_t)1 << x;
    b->x0 = x < b->x0 ? x : b->x0;
    b->x1 = x > b->x1 ? x : b->x1;
    b->y0 = y < b->y0 ? y : b->y0;
    b->y1 = y > b->y1 ? y : b->y1;
    b->count++;
    stack[*depth][0] = x;
    stack[(*depth)++][1] = y;
}

static void gather(grid *g, block *b, int x, int y)
{
    int stack[EMS_TEXT_CELLS * EMS_TEXT_CELLS][2], depth = 0;
    *b = (block){.x0 = x, .x1 = x, .y0 = y, .y1 = y};
    visit(g, b, x, y, stack, &depth);
    while (depth > 0) {
        const int cx = stack[--depth][0], cy = stack[depth][1];
        for (int d = -GAP - 1; d <= GAP + 1; d++)
            visit(g, b, cx + d, cy, stack, &depth);
        for (int d = -1; d <= 1; d++) {
            visit(g, b, cx + d, cy - 1, stack, &depth);
            visit(g, b, cx + d, cy + 1, stack, &depth);
        }
    }
}

typedef struct pixels { /* of a block */
    double count, sum, square, bins[256];
    double edges, bright, bright2, dark, dark2; /* beside the edges */
} pixels;

static void look_at(const ems_still *s, int x, int y, pixels *p)
{
    const uint8_t *at = s->rgb + 3 * ((size_t)y * (size_t)s->width +
                                      (size_t)x);
    const int here = luma(at);
    p->bins[here]++;
    p->count++;
    p->sum += here;
    p->square += here * here;
    if (abs(luma(at + 3) - luma(at - 3)) < EDGE)
        return;
    int high = 0, low = 255;
    for (int d = -2; d <= 2; d++) {
        const int v = luma(at + 3 * d);
        high = v > high ? v : high;
        low = v < low ? v : low;
    }
    p->edges++;
    p->bright += high;
    p->bright2 += high * high;
    p->dark += low;
    p->dark2 += low * low;
}

/* Otsu: the share of the variance that two groups, split best, explain. */
static double two_shades(const pixels *p)
{
    const double mean = p->sum / p->count;
    const double variance = p->square / p->count - mean * mean;
    double best = 0, n = 0, sum = 0;
    for (int v = 0; v < 255; v++) {
        n += p->bins[v];
        sum += p->bins[v] * v;
        if (n < 1 || n >= p->count)
            continue;
        const double apart = sum / n - (p->sum - sum) / (p->count - n);
        const double between =
            n * (p->count - n) / (p->count * p->count) * apart * apart;
        best = between > best ? between : best;
    }
    return variance > 0 ? best / variance : 0;
}

static double deviation(double n, double sum, double square)
{
    const double v = square / n - sum / n * (sum / n);
    return v > 0 ? sqrt(v) : 0;
}

/* Ink and paper: two shades, one of which is the same all along. */
static int is_inked(const ems_still *s, const grid *g, const block *b)
{
    pixels p = {0};
    const int x1 = (b->x1 + 1) * g->side, y1 = (b->y1 + 1) * g->side;
    for (int y = b->y0 * g->side; y < y1 && y < s->height; y++)
        for (int x = b->x0 ? b->x0 * g->side : 2;
             x < x1 && x + 2 < s->width; x++)
            look_at(s, x, y, &p);
    return p.edges > 0 && two_shades(&p) >= TWO_SHADES &&
           fmin(deviation(p.edges, p.bright, p.bright2),
                deviation(p.edges, p.dark, p.dark2)) <= MOST_VARIED;
}

static int is_line(const ems_still *s, const grid *g, const block *b)
{
    const int wide = b->x1 - b->x0 + 1, high = b->y1 - b->y0 + 1;
    return wide >= LEAST_WIDE && b->count >= LEAST_CELLS &&
           3 * high <= 2 * wide && 3 * high <= g->rows &&
           FILLED * b->count >= wide * high && is_inked(s, g, b);
}

/* Wider by what a line's first and last letter may lie outside of its cells,
 * and by the paper around it, without which nothing can be read. */
static void box(const ems_still *s, const grid *g, const block *b,
                ems_text_place *p)
{
    const int side = g->side;
    p->x = b->x0 > ASIDE ? (b->x0 - ASIDE) * side : 0;
    p->y = b->y0 > 0 ? (b->y0 - 1) * side : 0;
    const int x1 = (b->x1 + 1 + ASIDE) * side, y1 = (b->y1 + 2) * side;
    p->width = (x1 < s->width ? x1 : s->width) - p->x;
    p->height = (y1 < s->height ? y1 : s->height) - p->y;
}

static void add_line(block *all, const block *b)
{
    all->x0 = b->x0 < all->x0 ? b->x0 : all->x0;
    all->x1 = b->x1 > all->x1 ? b->x1 : all->x1;
    all->y0 = b->y0 < all->y0 ? b->y0 : all->y0;
    all->y1 = b->y1 > all->y1 ? b->y1 : all->y1;
    for (int y = b->y0; y <= b->y1; y++)
        all->cells[y] |= b->cells[y];
}

/* Two rows of a block, from column `from` to the next wide gap; returns where
 * that ends. */
static int strip_of(block *strip, const block *b, int y, int from,
                    int columns)
{
    const uint64_t rows[2] = {b->cells[y], y < b->y1 ? b->cells[y + 1] : 0};
    int x = from, last = from;
    *strip = (block){.x0 = from, .x1 = from, .y0 = y,
                     .y1 = y < b->y1 ? y + 1 : y};
    for (; x < columns && x - last <= GAP + 1; x++) {
        if (!is_set(rows[0] | rows[1], x))
            continue;
        last = strip->x1 = x;
        strip->count += is_set(rows[0], x) + is_set(rows[1], x);
    }
    const uint64_t mask = (~(uint64_t)0 >> (63 - (last - from))) << from;
    strip->cells[y] = rows[0] & mask;
    if (strip->y1 > y)
        strip->cells[y + 1] = rows[1] & mask;
    return x;
}

/* A line before leaves hangs together with them: look for it row by row. */
static int search(const ems_still *s, const grid *g, const block *b,
                  block *all)
{
    int lines = 0;
    for (int y = b->y0; y <= b->y1; y++) {
        const uint64_t both = b->cells[y] | (y < b->y1 ? b->cells[y + 1] : 0);
        for (int x = b->x0; x <= b->x1;) {
            block strip;
            if (!is_set(both, x)) {
                x++;
                continue;
            }
            x = strip_of(&strip, b, y, x, b->x1 + 1);
            if (strip.x1 - strip.x0 + 1 >= LEAST_IN_LEAVES &&
                is_line(s, g, &strip) && ++lines)
                add_line(all, &strip);
        }
    }
    return lines > 0;
}

static void make_grid(grid *g, const ems_still *s)
{
    *g = (grid){.side = cell_side(s)};
    g->columns = (s->width + g->side - 1) / g->side;
    g->rows = (s->height + g->side - 1) / g->side;
    for (int y = 0; y < g->rows; y++)
        for (int x = 0; x < g->columns; x++)
            if (has_letters(s, x * g->side, y * g->side, g->side))
                g->cells[y] |= (uint64_t)1 << x;
}

int ems_text_find(const ems_still *still, ems_text_place *place)
{
    grid g;
    block b, all = {.x0 = EMS_TEXT_CELLS, .y0 = EMS_TEXT_CELLS, .x1 = -1,
                    .y1 = -1};
    int lines = 0;
    memset(place, 0, sizeof *place);
    make_grid(&g, still);
    for (int y = 0; y < g.rows; y++)
        for (int x = 0; x < g.columns; x++) {
            if (!is_set(g.cells[y], x))
                continue;
            gather(&g, &b, x, y);
            if (is_line(still, &g, &b) && ++lines)
                add_line(&all, &b);
            else
                lines += search(still, &g, &b, &all);
        }
    if (lines == 0 || lines > MOST_LINES)
        return 0;
    memcpy(place->cells, all.cells, sizeof all.cells);
    box(still, &g, &all, place);
    return place->width * place->height <= MOST_PIXELS;
}

int ems_text_same(const ems_text_place *a, const ems_text_place *b)
{
    int both = 0, either = 0;
    for (int y = 0; y < EMS_TEXT_CELLS; y++) {
        both += __builtin_popcountll(a->cells[y] & b->cells[y]);
        either += __builtin_popcountll(a->cells[y] | b->cells[y]);
    }
    return 4 * both >= 3 * either;
}
