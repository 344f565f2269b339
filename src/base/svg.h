/* svg.h - pictures for people: marks, text and plots as an SVG file.
 *
 *     ems_svg s;
 *     if (ems_svg_open(&s, "curve.svg", 800, 400, &err) < 0) return err.code;
 *     ems_plot p = {.svg = &s, .left = 60, .top = 30, .width = 720,
 *                   .height = 320, .x1 = 100, .y0 = 1, .y1 = 3};
 *     ems_plot_frame(&p, "Held-out loss", "step", "nats");
 *     ems_plot_curve(&p, x, y, count, "#c33");
 *     return ems_svg_close(&s, &err);   // or ems_svg_discard(&s)
 *
 * Lengths are pixels from the top left; colours are CSS colours, never from
 * outside; text is UTF-8 and escaped. Write errors come from ems_svg_close.
 * Numbers are written with a point whatever the locale. */
#ifndef EMS_SVG_H
#define EMS_SVG_H
#include "base/file.h"

typedef struct ems_svg {
    ems_output out;
    double width, height;
} ems_svg;

typedef enum ems_svg_anchor { EMS_SVG_START, EMS_SVG_MIDDLE, EMS_SVG_END }
    ems_svg_anchor;

/* A white picture; width and height in 1..100000. */
int ems_svg_open(ems_svg *s, const char *path, double width, double height,
                 ems_error *err);
int ems_svg_close(ems_svg *s, ems_error *err);
/* Harmless on a zeroed or finished picture. */
void ems_svg_discard(ems_svg *s);

/* `opacity` in 0..1. Marks with a coordinate that is not finite are left out,
 * and a polyline is interrupted there. */
void ems_svg_rect(ems_svg *s, double x, double y, double width, double height,
                  const char *fill, double opacity);
void ems_svg_line(ems_svg *s, double x1, double y1, double x2, double y2,
                  const char *stroke, double thickness);
void ems_svg_polyline(ems_svg *s, const double *x, const double *y,
                      size_t count, const char *stroke, double thickness);
void ems_svg_circle(ems_svg *s, double x, double y, double radius,
                    const char *fill, double opacity);
/* `y` is the baseline, `size` the height of the letters. */
void ems_svg_text(ems_svg *s, double x, double y, double size,
                  ems_svg_anchor anchor, const char *fill, const char *text);

/* A JPEG, cut to the shape of the box; it becomes part of the file. */
void ems_svg_jpeg(ems_svg *s, double x, double y, double width, double height,
                  const uint8_t *data, size_t size);

typedef struct ems_plot {       /* a picture of data inside a picture */
    ems_svg *svg;
    double left, top, width, height;
    double x0, x1, y0, y1;      /* what the edges stand for; y0 below */
} ems_plot;

double ems_plot_x(const ems_plot *p, double x);
double ems_plot_y(const ems_plot *p, double y);
/* Edges, grid lines at round numbers with their values, names. NULL: none. */
void ems_plot_frame(const ems_plot *p, const char *title, const char *x_name,
                    const char *y_name);
/* Up to 4000 points are drawn; more are thinned evenly. */
void ems_plot_curve(const ems_plot *p, const double *x, const double *y,
                    size_t count, const char *stroke);
/* A bar from the lower edge to `y`, between x and x + width. */
void ems_plot_bar(const ems_plot *p, double x, double width, double y,
                  const char *fill);
#endif
