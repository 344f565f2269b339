/* outfile.h - the file that a mux writes: streams copied from a source, one
 * new stream, chapters, metadata. Internal to src/media. */
#ifndef EMS_OUTFILE_H
#define EMS_OUTFILE_H
#include "base/file.h"
#include "media/source.h"

typedef struct ems_outfile {
    AVFormatContext *format;
    ems_output file;
    const char *name;  /* borrowed; for sentences */
    int64_t shift;     /* what is taken off the source's clock, in
                          1/AV_TIME_BASE: the output begins at 0 */
    int *map;          /* [source streams] stream here, or -1: left out */
    int64_t *next_dts; /* [source streams] in the output's unit */
} ems_outfile;

/* Choose the container by the name's suffix and reserve a temporary file. */
int ems_outfile_open(ems_outfile *o, const char *name, const ems_source *in,
                     ems_error *err);
/* Add stream `index` of the source as it is. What the container cannot hold
 * is left out with a warning, or, if `required`, refused. */
int ems_outfile_copy(ems_outfile *o, const ems_source *in, int index,
                     int required, const ems_run *run, ems_error *err);
/* Add a stream made by `codec`; named and flagged like `like` if not NULL.
 * NULL: out of memory. */
AVStream *ems_outfile_add(ems_outfile *o, const AVCodecContext *codec,
                          const AVStream *like, ems_error *err);
/* Copy chapters and metadata and write the header. */
int ems_outfile_begin(ems_outfile *o, const ems_source *in,
                      const char *comment, ems_error *err);
/* What must be added to the stamps of an output stream, in units of `base`:
 * Matroska counts Opus from before its pre-skip (CodecDelay), which FFmpeg
 * 5.1 announces without moving the stamps, so that sound is 6.5 ms early. */
int64_t ems_outfile_delay(const ems_outfile *o, const AVStream *to,
                          AVRational base);
/* Write a packet in the output's units and stream numbers; it is used up. */
int ems_outfile_write(ems_outfile *o, AVPacket *packet, ems_error *err);
/* Write a packet of the source, or leave it out; it is used up. */
int ems_outfile_copy_packet(ems_outfile *o, const ems_source *in,
                            AVPacket *packet, ems_error *err);
/* Complete the file and let it appear. */
int ems_outfile_commit(ems_outfile *o, ems_error *err);
/* Remove whatever was written; harmless when zeroed or committed. */
void ems_outfile_discard(ems_outfile *o);
#endif
