/* OpenTimelineIO: JSON in which every object names its schema. The first
 * video track's items follow each other; where they meet is a cut. A track
 * with one item has none, so there the markers count. */
#include "lists/kinds.h"

#include "base/json.h"

#include <string.h>

enum { DEEPEST = 16 };

typedef struct otio {
    ems_cues *c;
    ems_error *err;
    size_t items;          /* clips and gaps of the track */
} otio;

static int schema_is(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, "OTIO_SCHEMA"));
    const size_t length = strlen(name);
    return s && strncmp(s, name, length) == 0 && s[length] == '.';
}

/* RationalTime: value / rate seconds. */
static int rational(const json_t *parent, const ems_json_at *at,
                    const char *key, double *seconds)
{
    json_t *time;
    double value, rate;
    int code = ems_json_object(parent, at, key, &time);
    const ems_json_at here = ems_json_key(at, key);
    if (code == EMS_OK)
        code = ems_json_number(time, &here, "value", -1e12, 1e12, &value);
    if (code == EMS_OK)
        code = ems_json_number(time, &here, "rate", 1e-3, 1e6, &rate);
    if (code == EMS_OK)
        *seconds = value / rate;
    return code;
}

/* Seconds an item takes; its markers count from the start of what it shows. */
static int length_of(const json_t *item, const ems_json_at *at,
                     double *start, double *length)
{
    const char *key = "source_range";
    const json_t *owner = item;
    ems_json_at here = *at;
    if (!json_is_object(json_object_get(item, key))) {
        key = "available_range";
        owner = json_object_get(item, "media_reference");
        const json_t *many = json_object_get(item, "media_references");
        const char *active = json_string_value(
            json_object_get(item, "active_media_reference_key"));
        here = ems_json_key(at, owner ? "media_reference"
                                      : "media_references");
        if (!owner && active)
            owner = json_object_get(many, active);
    }
    const json_t *range = json_object_get(owner, key);
    if (!json_is_object(range))
        return ems_json_fail(at, "an item without source_range or"
                                 " available_range has no length");
    here = ems_json_key(&here, key);
    const int code = rational(range, &here, "start_time", start);
    return code < 0 ? code : rational(range, &here, "duration", length);
}

static int markers(otio *o, const json_t *owner, const ems_json_at *at,
                   double offset)
{
    const json_t *list = json_object_get(owner, "markers");
    const ems_json_at many = ems_json_key(at, "markers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);
        const ems_json_at here = ems_json_index(&many, i);
        json_t *range;
        double start;
        int code = ems_json_object(m, &here, "marked_range", &range);
        const ems_json_at in = ems_json_key(&here, "marked_range");
        if (code == EMS_OK)
            code = rational(range, &in, "start_time", &start);
        if (code < 0)
            return code;
        const json_t *name = json_object_get(m, "name");
        code = ems_cues_add(o->c, offset + start,
                            name ? json_string_value(name) : "",
                            json_string_length(name), o->err);
        if (code < 0)
            return code;
    }
    return EMS_OK;
}

static int track(otio *o, const json_t *t, const ems_json_at *at,
                 int with_markers)
{
    const json_t *list = json_object_get(t, "children");
    const ems_json_at many = ems_json_key(at, "children");
    double now = 0, start, length;
    int code = with_markers ? markers(o, t, at, 0) : EMS_OK;
    o->items = 0;
    for (size_t i = 0; i < json_array_size(list) && code == EMS_OK; i++) {
        const json_t *item = json_array_get(list, i);
        const ems_json_at here = ems_json_index(&many, i);
        if (schema_is(item, "Transition"))
            continue;
        code = length_of(item, &here, &start, &length);
        if (code == EMS_OK && with_markers)
            code = markers(o, item, &here, now - start);
        else if (code == EMS_OK && now > 0)
            code = ems_cues_add(o->c, now, "", 0, o->err);
        now += length;
        o->items++;
    }
    return code;
}

/* The first video track below a timeline, depth first. */
static const json_t *video_track(const json_t *node, ems_json_at *at,
                                 int depth)
{
    if (schema_is(node, "Track")) {
        const char *kind =
            json_string_value(json_object_get(node, "kind"));
        return !kind || strcmp(kind, "Video") == 0 ? node : NULL;
    }
    if (depth > DEEPEST)
        return NULL;
    const json_t *stack = json_object_get(node, "tracks");
    if (stack) {
        *at = ems_json_key(at, "tracks");
        return video_track(stack, at, depth + 1);
    }
    const json_t *children = json_object_get(node, "children");
    const ems_json_at many = ems_json_key(at, "children");
    for (size_t i = 0; i < json_array_size(children); i++) {
        ems_json_at here = ems_json_index(&many, i);
        const json_t *found =
            video_track(json_array_get(children, i), &here, depth + 1);
        if (found) {
            *at = here;
            return found;
        }
    }
    return NULL;
}

EMS_CUES_READER(otio)
{
    json_t *root = ems_json_parse(data, size, film->name, err);
    if (!root)
        return EMS_EFORMAT;
    otio o = {.c = c, .err = err};
    ems_json_at at = ems_json_root(film->name, err), here = at;
    const json_t *t = video_track(root, &here, 0);
    int code;
    if (!t) {
        code = ems_json_fail(&at, "no video track; an OpenTimelineIO timeline"
                                  " is expected");
    } else {
        code = track(&o, t, &here, 0);
        const json_t *stack = json_object_get(root, "tracks");
        if (code == EMS_OK && o.items <= 1) {
            code = track(&o, t, &here, 1);
            if (code == EMS_OK && stack && stack != t)
                code = markers(&o, stack, &at, 0);
        }
    }
    json_decref(root);
    return code;
}

/* ---- Writing ------------------------------------------------------------ */

static json_t *time_json(ems_rate rate, int64_t frame)
{
    return json_pack("{s:s, s:f, s:I}", "OTIO_SCHEMA", "RationalTime.1",
                     "rate", (double)rate.num / (double)rate.den, "value",
                     (json_int_t)frame);
}

static json_t *range_json(ems_rate rate, int64_t from, int64_t to)
{
    return json_pack("{s:s, s:o, s:o}", "OTIO_SCHEMA", "TimeRange.1",
                     "start_time", time_json(rate, from), "duration",
                     time_json(rate, to - from));
}

static json_t *clip_json(const ems_cues *c, size_t i,
                         const ems_cues_film *film)
{
    const int64_t from = ems_seconds_frame(film->rate, ems_shot_start(c, i));
    const int64_t to =
        ems_seconds_frame(film->rate, ems_shot_end(c, i, film));
    char name[32];
    snprintf(name, sizeof name, "Shot %zu", i + 1);
    const char *title = i && *c->items[i - 1].name ? c->items[i - 1].name
                                                   : name;
    json_t *media =
        film->video
            ? json_pack("{s:s, s:s}", "OTIO_SCHEMA", "ExternalReference.1",
                        "target_url", film->video)
            : json_pack("{s:s}", "OTIO_SCHEMA", "MissingReference.1");
    return json_pack("{s:s, s:s, s:o, s:o}", "OTIO_SCHEMA", "Clip.1", "name",
                     title, "source_range", range_json(film->rate, from, to),
                     "media_reference", media);
}

static json_t *track_json(const char *kind, json_t *children)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "OTIO_SCHEMA", "Track.1", "name",
                     kind, "kind", kind, "children", children);
}

EMS_CUES_WRITER(otio)
{
    json_t *clips = json_array(), *tracks = json_array();
    for (size_t i = 0; i <= c->count; i++)
        json_array_append_new(clips, clip_json(c, i, film));
    json_array_append_new(tracks, track_json("Video", clips));
    if (film->music) {
        const int64_t end = ems_seconds_frame(film->rate, film->duration);
        json_t *music = json_array();
        json_array_append_new(
            music, json_pack("{s:s, s:s, s:o, s:{s:s, s:s}}", "OTIO_SCHEMA",
                             "Clip.1", "name", "Music", "source_range",
                             range_json(film->rate, 0, end),
                             "media_reference", "OTIO_SCHEMA",
                             "ExternalReference.1", "target_url",
                             film->music));
        json_array_append_new(tracks, track_json("Audio", music));
    }
    json_t *root =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:o}}", "OTIO_SCHEMA", "Timeline.1",
                  "name", "EMSYNC", "tracks", "OTIO_SCHEMA", "Stack.1", "name",
                  "tracks", "children", tracks);
    const int code = root && json_dumpf(root, f, JSON_INDENT(2)) == 0
                         ? EMS_OK
                         : ems_fail(err, EMS_EIO, "cannot write the timeline;"
                                    " is the disk full?");
    json_decref(root);
    return code;
}
