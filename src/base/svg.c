#include "base/svg.h"

#include "base/base64.h"

#include <math.h>
#include <stdlib.h>

enum { CURVE_POINTS = 4000, GRID_LINES = 6 };

/* Two decimals: a hundredth of a pixel is enough for anyone. */
static void number(FILE *f, const char *before, double value)
{
    const long long hundredths = llround(fmax(-1e9, fmin(1e9, value)) * 100);
    const long long size = llabs(hundredths);
    fprintf(f, "%s%s%lld.%02lld", before, hundredths < 0 ? "-" : "",
            size / 100, size % 100);
}

/* Text for XML. What XML 1.0 has no place for becomes a blank. */
static void escaped(FILE *f, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
        }
    }
}

int ems_svg_open(ems_svg *s, const char *path, double width, double height,
                 ems_error *err)
{
    *s = (ems_svg){.width = width, .height = height};
    if (!(width >= 1 && width <= 100000 && height >= 1 && height <= 100000))
        return ems_fail(err, EMS_EINVAL,
                        "a picture of %.0f by %.0f cannot be drawn", width,
                        height);
    const int code = ems_output_open(&s->out, path, err);
    if (code < 0)
        return code;
    FILE *f = s->out.file;
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\"", f);
    number(f, " width=\"", width);
    number(f, "\" height=\"", height);
    number(f, "\" viewBox=\"0 0 ", width);
    number(f, " ", height);
    fputs("\" font-family=\"sans-serif\">\n", f);
    ems_svg_rect(s, 0, 0, width, height, "#fff", 1);
    return EMS_OK;
}

int ems_svg_close(ems_svg *s, ems_error *err)
{
    fputs("</svg>\n", s->out.file);
    return ems_output_commit(&s->out, err);
}

void ems_svg_discard(ems_svg *s)
{
    ems_output_discard(&s->out);
}

/* 0: there is none. */
static int box(FILE *f, const char *element, double x, double y, double width,
               double height)
{
    if (!isfinite(x + y + width + height) || width < 0 || height < 0)
        return 0;
    fprintf(f, "<%s", element);
    number(f, " x=\"", x);
    number(f, "\" y=\"", y);
    number(f, "\" width=\"", width);
    number(f, "\" height=\"", height);
    return 1;
}

void ems_svg_rect(ems_svg *s, double x, double y, double width, double height,
                  const char *fill, double opacity)
{
    FILE *f = s->out.file;
    if (!box(f, "rect", x, y, width, height))
        return;
    fprintf(f, "\" fill=\"%s", fill);
    if (opacity < 1)
        number(f, "\" opacity=\"", opacity);
    fputs("\"/>\n", f);
}

void ems_svg_jpeg(ems_svg *s, double x, double y, double width, double height,
                  const uint8_t *data, size_t size)
{
    FILE *f = s->out.file;
    if (!box(f, "image", x, y, width, height))
        return;
    fputs("\" preserveAspectRatio=\"xMidYMid slice\""
          " href=\"data:image/jpeg;base64,", f);
    ems_base64_write(f, data, size);
    fputs("\"/>\n", f);
}

void ems_svg_line(ems_svg *s, double x1, double y1, double x2, double y2,
                  const char *stroke, double thickness)
{
    ems_svg_polyline(s, (double[]){x1, x2}, (double[]){y1, y2}, 2, stroke,
                     thickness);
}

void ems_svg_polyline(ems_svg *s, const double *x, const double *y,
                      size_t count, const char *stroke, double thickness)
{
    FILE *f = s->out.file;
    int drawing = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(x[i] + y[i])) {
            number(f, drawing ? " " : "<polyline points=\"", x[i]);
            number(f, ",", y[i]);
            drawing = 1;
        }
        if (drawing && (i + 1 == count || !isfinite(x[i] + y[i]))) {
            fprintf(f, "\" fill=\"none\" stroke=\"%s", stroke);
            number(f, "\" stroke-width=\"", thickness);
            fputs("\"/>\n", f);
            drawing = 0;
        }
    }
}

void ems_svg_circle(ems_svg *s, double x, double y, double radius,
                    const char *fill, double opacity)
{
    if (!isfinite(x + y))
        return;
    FILE *f = s->out.file;
    number(f, "<circle cx=\"", x);
    number(f, "\" cy=\"", y);
    number(f, "\" r=\"", radius);
    fprintf(f, "\" fill=\"%s", fill);
    number(f, "\" opacity=\"", opacity);
    fputs("\"/>\n", f);
}

void ems_svg_text(ems_svg *s, double x, double y, double size,
                  ems_svg_anchor anchor, const char *fill, const char *text)
{
    static const char *const word[] = {"start", "middle", "end"};
    FILE *f = s->out.file;
    number(f, "<text x=\"", x);
    number(f, "\" y=\"", y);
    number(f, "\" font-size=\"", size);
    fprintf(f, "\" text-anchor=\"%s\" fill=\"%s\">", word[anchor], fill);
    escaped(f, text);
    fputs("</text>\n", f);
}

double ems_plot_x(const ems_plot *p, double x)
{
    return p->left + (x - p->x0) / (p->x1 - p->x0) * p->width;
}

double ems_plot_y(const ems_plot *p, double y)
{
    return p->top + (p->y1 - y) / (p->y1 - p->y0) * p->height;
}

/* 1, 2 or 5 times a power of ten: at most GRID_LINES of them fit. */
static double grid_step(double span)
{
    const double power = pow(10, floor(log10(span / GRID_LINES)));
    const double wanted = span / GRID_LINES / power;
    return power * (wanted <= 1 ? 1 : wanted <= 2 ? 2 : wanted <= 5 ? 5 : 10);
}

/* As many decimals as tell neighbouring grid lines apart. */
static void grid_value(char *text, size_t size, double value, double step)
{
    const int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    const long long scale = llround(pow(10, decimals));
    const long long whole = llround(value * (double)scale);
    const long long rest = llabs(whole);
    if (decimals == 0)
        snprintf(text, size, "%lld", whole);
    else
        snprintf(text, size, "%s%lld.%0*lld", whole < 0 ? "-" : "",
                 rest / scale, decimals, rest % scale);
}

static void grid(const ems_plot *p, int across)
{
    const double low = across ? p->x0 : p->y0, high = across ? p->x1 : p->y1;
    if (!(high > low) || !isfinite(high - low))
        return;
    const double step = grid_step(high - low);
    for (double k = ceil(low / step); k * step <= high + step * 1e-9; k++) {
        char text[40];
        grid_value(text, sizeof(text), k * step, step);
        if (across) {
            const double x = ems_plot_x(p, k * step);
            ems_svg_line(p->svg, x, p->top, x, p->top + p->height, "#e4e4e4",
                         1);
            ems_svg_text(p->svg, x, p->top + p->height + 14, 11,
                         EMS_SVG_MIDDLE, "#555", text);
        } else {
            const double y = ems_plot_y(p, k * step);
            ems_svg_line(p->svg, p->left, y, p->left + p->width, y, "#e4e4e4",
                         1);
            ems_svg_text(p->svg, p->left - 5, y + 4, 11, EMS_SVG_END, "#555",
                         text);
        }
    }
}

void ems_plot_frame(const ems_plot *p, const char *title, const char *x_name,
                    const char *y_name)
{
    const double right = p->left + p->width, bottom = p->top + p->height;
    grid(p, 1);
    grid(p, 0);
    ems_svg_line(p->svg, p->left, p->top, p->left, bottom, "#555", 1);
    ems_svg_line(p->svg, p->left, bottom, right, bottom, "#555", 1);
    if (title)
        ems_svg_text(p->svg, p->left + p->width / 2, p->top - 8, 14,
                     EMS_SVG_MIDDLE, "#222", title);
    if (x_name)
        ems_svg_text(p->svg, right, bottom + 28, 11, EMS_SVG_END, "#222",
                     x_name);
    if (y_name)
        ems_svg_text(p->svg, p->left - 4, p->top - 8, 11, EMS_SVG_END, "#222",
                     y_name);
}

void ems_plot_curve(const ems_plot *p, const double *x, const double *y,
                    size_t count, const char *stroke)
{
    double px[CURVE_POINTS], py[CURVE_POINTS];
    const size_t points = count < CURVE_POINTS ? count : CURVE_POINTS;
    for (size_t i = 0; i < points; i++) {
        const size_t at = points < 2 ? 0 : i * (count - 1) / (points - 1);
        px[i] = ems_plot_x(p, x[at]);
        py[i] = ems_plot_y(p, y[at]);
    }
    ems_svg_polyline(p->svg, px, py, points, stroke, 1.5);
}

void ems_plot_bar(const ems_plot *p, double x, double width, double y,
                  const char *fill)
{
    const double left = ems_plot_x(p, x), top = ems_plot_y(p, y);
    ems_svg_rect(p->svg, left, top, ems_plot_x(p, x + width) - left,
                 p->top + p->height - top, fill, 1);
}
