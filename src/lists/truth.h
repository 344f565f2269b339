/* truth.h - which changes of a film are true, and how well a detector's list
 * meets them.
 *
 * The file (docs/FORMATS.md) is CSV without a heading, a change a line, as
 * tools/cut-suite writes it: kind,first,end in frames. cut: the new shot's
 * first frame, twice. dissolve, fade_in, fade_out: the first frame that is
 * changed, the first after the change. flash, pan, shake: no changes of shot;
 * they tell what fooled a detector. */
#ifndef EMS_TRUTH_H
#define EMS_TRUTH_H
#include "base/error.h"

enum { EMS_TRUTH_MOST = 1000000, EMS_TRUTH_BYTES = 64 << 20 };

typedef struct ems_change {
    ems_truth_kind kind;
    int64_t first, end;     /* frames */
    int met;                /* scratch of ems_truth_score */
} ems_change;

typedef struct ems_truth { /* ascending by first frame */
    ems_change *items;
    size_t count, capacity;
} ems_truth;

/* Does the content look like such a file? */
int ems_truth_is(const char *data, size_t size);
/* EMS_EFORMAT with the line. Release with ems_truth_clear. */
int ems_truth_parse(ems_truth *t, const char *data, size_t size,
                    const char *name, ems_error *err);
int ems_truth_add(ems_truth *t, ems_truth_kind kind, int64_t first,
                  int64_t end, ems_error *err);
void ems_truth_clear(ems_truth *t);

/* Sorts both lists. A hard cut is met by a detection on its very frame. A
 * gradual change is met by a detection between its first frame and the first
 * one after it, `slack` more on either side; those of its own kind are
 * preferred, and each counts once. What is left over is wrong: with the
 * gradual ones if it says so itself or lies inside one. */
void ems_truth_score(ems_cut_report *out, ems_truth *truth,
                     ems_truth *detected, int slack);
#endif
