/* The log of a training as a picture: losses and learning rate over steps. */
#include "base/mem.h"
#include "base/svg.h"
#include "music/train.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_LINE = 400, WIDTH = 900, LEFT = 70, WIDE = 800 };
#define MAX_LOG (256u << 20) /* bytes */

/* ---- Reading ------------------------------------------------------------ */

typedef struct log_line {
    enum { OTHER, STEP, HELD, BEGIN } kind;
    double step, value, other;
} log_line;

/* Digits, a point, an exponent; what the log is written with. */
static int read_number(const char *s, const char **end, double *out)
{
    double value = 0, scale = 1, power = 0;
    int digits = 0, point = 0;
    for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
        if (*s == '.') {
            point = 1;
            continue;
        }
        value = value * 10 + (*s - '0');
        scale *= point ? 10 : 1;
        digits++;
    }
    if (*s == 'e' && (s[1] == '+' || s[1] == '-')) {
        const int below = s[1] == '-';
        for (s += 2; *s >= '0' && *s <= '9'; s++)
            power = fmin(power * 10 + (*s - '0'), 400);
        value *= pow(10, below ? -power : power);
    }
    *end = s;
    *out = value / scale;
    return digits && *out < 1e15 ? 0 : -1; /* no step, no loss is beyond */
}

/* The number after `name` in the line, which ends with 0. */
static int find_number(const char *line, const char *name, double *out)
{
    const char *at = strstr(line, name), *end;
    return at ? read_number(at + strlen(name), &end, out) : -1;
}

static log_line read_line(const char *text)
{
    log_line l = {.kind = OTHER};
    double step, value, other = 0;
    if (strncmp(text, "# d_model ", 10) == 0) {
        if (find_number(text, "; from step ", &step) == 0)
            l = (log_line){BEGIN, step, 0, 0};
    } else if (strncmp(text, "held-out step ", 14) == 0) {
        if (find_number(text, "step ", &step) == 0 &&
            find_number(text, " nll ", &value) == 0 &&
            find_number(text, "without-offsets nll ", &other) == 0)
            l = (log_line){HELD, step, value, other};
    } else if (strncmp(text, "step ", 5) == 0) {
        if (find_number(text, "step ", &step) == 0 &&
            find_number(text, " loss ", &value) == 0 &&
            find_number(text, " lr ", &other) == 0)
            l = (log_line){STEP, step, value, other};
    }
    return l;
}

/* The line at `text` with its end taken off. Returns where the next begins. */
static size_t cut_line(const char *text, size_t size, char line[MAX_LINE])
{
    const char *newline = memchr(text, '\n', size);
    const size_t n = newline ? (size_t)(newline - text) : size;
    const size_t kept = n < MAX_LINE - 1 ? n : MAX_LINE - 1;
    memcpy(line, text, kept);
    line[kept] = '\0';
    return newline ? n + 1 : n;
}

/* Drop from ascending steps those beyond `step`. */
static size_t go_back(const double *steps, size_t count, double step)
{
    while (count && steps[count - 1] > step)
        count--;
    return count;
}

static void add_line(ems_curve *c, const log_line *l)
{
    if (l->kind == BEGIN) {
        c->count = go_back(c->step, c->count, l->step);
        c->held_count = go_back(c->held_step, c->held_count, l->step);
    }
    if (l->kind == STEP && go_back(c->step, c->count, l->step) == c->count) {
        c->step[c->count] = l->step;
        c->loss[c->count] = l->value;
        c->rate[c->count++] = l->other;
    }
    if (l->kind == HELD &&
        go_back(c->held_step, c->held_count, l->step) == c->held_count) {
        c->held_step[c->held_count] = l->step;
        c->held[c->held_count] = l->value;
        c->blind[c->held_count++] = l->other;
    }
}

int ems_curve_parse(ems_curve *c, const char *text, size_t size,
                    ems_error *err)
{
    size_t lines = 1;
    char line[MAX_LINE];
    *c = (ems_curve){0};
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    c->step = ems_alloc(6 * lines, sizeof *c->step);
    if (!c->step)
        return ems_out_of_memory(err);
    c->loss = c->step + lines;
    c->rate = c->step + 2 * lines;
    c->held_step = c->step + 3 * lines;
    c->held = c->step + 4 * lines;
    c->blind = c->step + 5 * lines;
    for (size_t at = 0; at < size;) {
        at += cut_line(text + at, size - at, line);
        const log_line l = read_line(line);
        add_line(c, &l);
    }
    return EMS_OK;
}

void ems_curve_clear(ems_curve *c)
{
    ems_free(c->step);
    *c = (ems_curve){0};
}

/* ---- Drawing ------------------------------------------------------------ */

/* A running mean over a 50th of the run: single lines jump about. */
static void smooth(double *out, const double *x, size_t n)
{
    const size_t half = n / 100;
    double sum = 0;
    size_t from = 0, to = 0;
    for (size_t i = 0; i < n; i++) {
        for (; to < n && to <= i + half; to++)
            sum += x[to];
        for (; from + half < i; from++)
            sum -= x[from];
        out[i] = sum / (double)(to - from);
    }
}

static void include(double *low, double *high, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *low = fmin(*low, x[i]);
        *high = fmax(*high, x[i]);
    }
}

/* What the first steps say is far above all that matters: the picture's top
 * is the mean loss after a tenth of them, with room. */
static void set_range(ems_plot *p, const ems_curve *c, const double *loss)
{
    const size_t skip = c->count / 10;
    p->y0 = INFINITY;
    p->y1 = -INFINITY;
    include(&p->y0, &p->y1, loss + skip, c->count - skip);
    include(&p->y0, &p->y1, c->held + c->held_count / 10,
            c->held_count - c->held_count / 10);
    include(&p->y0, &p->y1, c->blind + c->held_count / 10,
            c->held_count - c->held_count / 10);
    if (!(p->y1 >= p->y0))
        p->y0 = p->y1 = 0;
    const double room = fmax(0.05 * (p->y1 - p->y0), 1e-3);
    p->y0 -= room;
    p->y1 += room;
    p->x1 = 1;
    if (c->count)
        p->x1 = c->step[c->count - 1];
    if (c->held_count)
        p->x1 = fmax(p->x1, c->held_step[c->held_count - 1]);
}

/* Points above the picture's top are not drawn. */
static void curve(const ems_plot *p, const double *x, double *y, size_t n,
                  const char *colour)
{
    for (size_t i = 0; i < n; i++)
        if (y[i] > p->y1)
            y[i] = NAN;
    ems_plot_curve(p, x, y, n, colour);
}

static void legend(ems_svg *s, int i, const char *colour, const char *text)
{
    const double x = LEFT + WIDE - 265, y = 60 + 18.0 * i;
    ems_svg_rect(s, x, y, 16, 4, colour, 1);
    ems_svg_text(s, x + 22, y + 6, 12, EMS_SVG_START, "#333", text);
}

static void draw_losses(ems_svg *s, ems_curve *c, double *loss)
{
    ems_plot p = {.svg = s, .left = LEFT, .top = 40, .width = WIDE,
                  .height = 320};
    set_range(&p, c, loss);
    ems_plot_frame(&p, "Loss, nats a token", NULL, NULL);
    curve(&p, c->step, loss, c->count, "#999");
    curve(&p, c->held_step, c->blind, c->held_count, "#e6a23c");
    curve(&p, c->held_step, c->held, c->held_count, "#c33");
    legend(s, 0, "#999", "training (a <CHORD> counts ten times)");
    legend(s, 1, "#c33", "held out");
    legend(s, 2, "#e6a23c", "held out, offsets withheld");
}

static void draw_rate(ems_svg *s, const ems_curve *c)
{
    double low = 0, high = 1e-9;
    include(&low, &high, c->rate, c->count);
    const ems_plot p = {
        .svg = s, .left = LEFT, .top = 410, .width = WIDE, .height = 120,
        .x1 = c->count ? c->step[c->count - 1] : 1, .y1 = 1.05 * high};
    ems_plot_frame(&p, "Learning rate", "step", NULL);
    ems_plot_curve(&p, c->step, c->rate, c->count, "#36c");
}

static int draw(ems_curve *c, const char *path, ems_error *err)
{
    ems_svg s = {0};
    double *loss = ems_alloc(c->count, sizeof *loss);
    if (!loss)
        return ems_out_of_memory(err);
    smooth(loss, c->loss, c->count);
    int code = ems_svg_open(&s, path, WIDTH, 580, err);
    if (code == EMS_OK) {
        draw_losses(&s, c, loss);
        draw_rate(&s, c);
        code = ems_svg_close(&s, err);
    }
    ems_free(loss);
    return code;
}

int ems_curve_draw(const char *log_path, const char *svg_path,
                   ems_error *err)
{
    ems_bytes b;
    ems_curve c;
    int code = ems_bytes_map(&b, log_path, MAX_LOG, err);
    if (code < 0)
        return code;
    code = ems_curve_parse(&c, (const char *)b.data, b.size, err);
    if (code == EMS_OK)
        code = draw(&c, svg_path, err);
    ems_curve_clear(&c);
    ems_bytes_unmap(&b);
    return code;
}
