/* How music meets a film, as JSON (docs/FORMATS.md). */
#include "base/json.h"
#include "music/sync.h"

#include <math.h>

/* JSON has no NaN: what is not known is null. */
static json_t *real(double x, int digits)
{
    return isfinite(x) ? ems_json_real(x, digits) : json_null();
}

static json_t *share_json(const ems_sync_share *s)
{
    if (s->moments == 0)
        return json_null();
    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "moments",
        (json_int_t)s->moments, "median_ms", real(s->median_ms, 3), "p95_ms",
        real(s->p95_ms, 3), "within_frame", real(s->frame, 4), "within_100ms",
        real(s->within_100ms, 4), "within_1s", real(s->within_1s, 4), "tbiou",
        "accents", real(s->tbiou_accents, 4), "bars", real(s->tbiou_bars, 4),
        "beats", real(s->tbiou_beats, 4));
}

static json_t *cuts_json(const ems_sync_report *r)
{
    json_t *cuts = json_array();
    for (size_t i = 0; i < r->cut_count; i++) {
        const ems_hit *h = &r->cuts[i];
        json_array_append_new(
            cuts, json_pack("{s:o, s:o, s:o, s:o}", "cut", real(h->cut, 6),
                            "note", real(h->note, 6), "error_ms",
                            real(h->error_ms, 3), "error_frames",
                            r->fps > 0 ? real(h->error_frames, 4)
                                       : json_null()));
    }
    return cuts;
}

int ems_sync_save(const ems_sync_report *r, const char *json, ems_error *err)
{
    json_t *root = json_pack(
        "{s:s, s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o,"
        " s:{s:o, s:o, s:o}, s:o, s:o}",
        "format", "emsync-sync", "version", 1, "emsync", EMS_VERSION,
        "duration", real(r->duration, 6), "fps", real(r->fps, 6), "notes",
        (json_int_t)r->notes, "accents", (json_int_t)r->accents, "bars",
        (json_int_t)r->bars, "beats", (json_int_t)r->beats, "cuts_met",
        share_json(&r->all), "hits_met", share_json(&r->hits), "chance",
        share_json(&r->chance), "accepted", real(r->accepted, 4), "tempo",
        "largest_change", real(r->largest_change, 5), "mean_change",
        real(r->mean_change, 5), "smooth_bars", real(r->smooth_bars, 4),
        "on_grid", real(r->on_grid, 4), "cuts", cuts_json(r));
    if (!root)
        return ems_out_of_memory(err);
    const int code = ems_json_save(root, json, err);
    json_decref(root);
    return code;
}
