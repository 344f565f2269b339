#include "report.h"

#include "base/json.h"
#include "base/mem.h"
#include "music/novelty.h"
#include "music/piece.h"

#include <math.h>
#include <sys/resource.h>

/* The onset nearest to `time`; notes ascend by start. -1 without notes. */
static double nearest_onset(const ems_note *notes, size_t count, double time)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (notes[middle].start < time)
            low = middle + 1;
        else
            high = middle;
    }
    if (count == 0)
        return -1;
    if (low == count)
        return notes[count - 1].start;
    if (low > 0 && time - notes[low - 1].start < notes[low].start - time)
        return notes[low - 1].start;
    return notes[low].start;
}

static size_t peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

/* A score is a score without an index too. */
static int find_novelty(ems_report *r, const ems_piece *piece, ems_error *err)
{
    ems_error why;
    const int code = ems_piece_novelty(piece, NULL, &r->novelty, &why);
    if (code == EMS_OK || why.code == EMS_ENOMEM)
        return code == EMS_OK ? code : ems_out_of_memory(err);
    r->novelty.bars = NAN;
    return EMS_OK;
}

int ems_report_fill(ems_report *r, const ems_plan *plan,
                    const ems_piece *piece, ems_error *err)
{
    size_t count, notes_count;
    const double *hits = ems_plan_hits(plan, &count);
    const ems_note *notes = ems_piece_notes(piece, &notes_count);
    r->hits = ems_alloc(count, sizeof *r->hits);
    if (!r->hits)
        return ems_out_of_memory(err);
    r->hit_count = notes_count ? count : 0;
    for (size_t i = 0; i < r->hit_count; i++) {
        ems_hit *h = &r->hits[i];
        h->cut = hits[i];
        h->note = nearest_onset(notes, notes_count, hits[i]);
        h->error_ms = 1000 * (h->note - h->cut);
        h->error_frames = r->fps > 0 ? (h->note - h->cut) * r->fps : 0;
    }
    r->duration = ems_piece_duration(piece);
    r->notes = notes_count;
    r->bars = piece->bar_count;
    r->peak_rss = peak_rss();
    return find_novelty(r, piece, err);
}

static json_t *hits_json(const ems_report *r)
{
    json_t *hits = json_array();
    for (size_t i = 0; i < r->hit_count; i++)
        json_array_append_new(
            hits, json_pack("{s:o, s:o, s:o, s:o}",
                            "cut", ems_json_real(r->hits[i].cut, 6),
                            "note", ems_json_real(r->hits[i].note, 6),
                            "error_ms", ems_json_real(r->hits[i].error_ms, 3),
                            "error_frames",
                            ems_json_real(r->hits[i].error_frames, 4)));
    return hits;
}

static json_t *novelty_json(const ems_passage *p)
{
    if (isnan(p->bars))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:s}", "bars",
                     ems_json_real(p->bars, 2), "limit",
                     ems_json_real(EMS_NOVELTY_BARS, 2), "start",
                     ems_json_real(p->start, 3), "end",
                     ems_json_real(p->end, 3), "source", p->source);
}

/* Null where nothing was mixed, or nobody speaks. */
static json_t *speech_json(const ems_speech_ratio *s)
{
    if (!(s->seconds > 0))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "seconds",
                     ems_json_real(s->seconds, 3), "lufs",
                     ems_json_real(s->speech, 2), "above_music",
                     ems_json_real(s->after, 2), "above_music_unducked",
                     ems_json_real(s->before, 2), "ducked",
                     ems_json_real(s->duck, 2));
}

int ems_report_save(const ems_report *r, const char *path, ems_error *err)
{
    json_t *seconds = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "analyze",
        ems_json_real(r->analyze, 4), "plan", ems_json_real(r->plan, 4),
        "compose", ems_json_real(r->compose, 4), "render",
        ems_json_real(r->render, 4), "mux", ems_json_real(r->mux, 4), "total",
        ems_json_real(r->total, 4));
    json_t *root = json_pack(
        "{s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o,"
        " s:o}",
        "format", "emsync-report", "version", 1, "emsync", EMS_VERSION, "duration",
        ems_json_real(r->duration, 6), "fps", ems_json_real(r->fps, 6), "hits",
        hits_json(r), "seconds", seconds, "peak_rss", (json_int_t)r->peak_rss,
        "notes", (json_int_t)r->notes, "bars", (json_int_t)r->bars, "lufs",
        ems_json_real(r->sound.lufs, 2), "true_peak",
        ems_json_real(r->sound.true_peak, 2), "speech",
        speech_json(&r->speech), "novelty", novelty_json(&r->novelty));
    if (!root)
        return ems_out_of_memory(err);
    const int code = ems_json_save(root, path, err);
    json_decref(root);
    return code;
}

void ems_report_clear(ems_report *r)
{
    ems_free(r->hits);
    *r = (ems_report){0};
}
