/* clips.h - media for the tests, made by the ffmpeg program when they run. */
#ifndef EMS_CLIPS_H
#define EMS_CLIPS_H
#include "ems_test.h"

#include <emsync/emsync.h>

/* Is the ffmpeg program, with the encoders the tests use, at hand? `folder`
 * is made, emptied and from now on holds the clips. */
int have_ffmpeg(const char *folder);
/* Run a program; the words end with NULL. What it prints to stdout comes back
 * in new memory (free), with its size in *size unless NULL. NULL: it failed.
 * At most 60 words. */
char *run_program(size_t *size, const char *program, ...);
/* Make CLIPS/name with ffmpeg: `words` are separated by single spaces. Fails
 * the test if that does not work. Returns the path (static memory, good until
 * eight more calls). A clip that is there already is not made again. */
const char *clip(const char *name, const char *words);
/* Path of folder/name; of in/name. */
const char *clip_path(const char *name);
const char *kept_path(const char *in, const char *name);
void write_file(const char *path, const void *data, size_t size);
/* Number of files in a folder whose name begins with ".emsync-". */
int leftovers(const char *in);

/* An ems_run that remembers what it is told. */
typedef struct told {
    ems_run run;
    int warnings, calls, cancel_at; /* cancel_at: after so many questions */
    double done;
    char last[1024];
} told;
void listen_to(told *t);
#endif
