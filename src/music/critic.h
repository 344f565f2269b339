/* critic.h - how music feels to those who listen: the notes of a window give
 * a valence and an arousal. Learned from listeners of piano music (VGMIDI);
 * docs/MUSIC.md says how well it does.
 *
 * It labels training music, ranks candidates and scores results. Its answers
 * have the same bits on every machine. How loud notes are played is left out
 * unless asked for: what is composed has no dynamics of its own. */
#ifndef EMS_CRITIC_H
#define EMS_CRITIC_H
#include "base/error.h"

typedef struct ems_critic ems_critic; /* immutable: shared between threads */

typedef struct ems_affect_point {
    double valence, arousal; /* [-1,1]; both NaN: nothing pitched sounds */
} ems_affect_point;

enum { EMS_CRITIC_SECONDS = 16 }; /* the window that suits it best; >= 8 */

/* `path` NULL: the critic that ships. EMS_EIO, EMS_EFORMAT. */
ems_critic *ems_critic_open(const char *path, ems_error *err);
/* As above from memory; `name` stands for the file in errors. */
ems_critic *ems_critic_parse(const void *data, size_t size, const char *name,
                             ems_error *err);
void ems_critic_free(ems_critic *c);
/* Before it is shared: let velocity count (dynamics of real players). */
void ems_critic_hear_velocity(ems_critic *c);

/* The window [from, to), in seconds; notes[0..count) ascend by start, and
 * those that sound in the window count, no others. Allocates nothing; a
 * window longer than 64 s is judged by its middle. */
ems_affect_point ems_critic_rate(const ems_critic *c, const ems_note *notes,
                                 size_t count, double from, double to);

/* A whole piece, heard with its context: out[i] is how it feels around
 * times[i] (seconds, ascending), i < n. Takes time proportional to
 * count + n. 0 or EMS_ENOMEM. */
int ems_critic_curve(const ems_critic *c, const ems_note *notes, size_t count,
                     const double *times, size_t n, ems_affect_point *out,
                     ems_error *err);
/* The mean of the curve at every fourth second; NaN when nothing sounds.
 * 0 or EMS_ENOMEM. */
int ems_critic_piece(const ems_critic *c, const ems_note *notes, size_t count,
                     ems_affect_point *out, ems_error *err);
#endif
