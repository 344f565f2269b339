/* plan_save.c - plan.json, docs/FORMATS.md. */
#include "base/json.h"
#include "music/plan_names.h"

#include <string.h>

const char *const ems_cut_kind_names[EMS_CUT_KINDS] = {
    [EMS_CUT] = "cut", [EMS_DISSOLVE] = "dissolve",
    [EMS_FADE_IN] = "fade_in", [EMS_FADE_OUT] = "fade_out",
};
const char *const ems_sync_names[EMS_SYNCS] = {
    [EMS_SYNC_EXACT] = "exact", [EMS_SYNC_PAPER] = "paper",
    [EMS_SYNC_GUIDED] = "guided",
};
const char *const ems_family_words[EMS_FAMILIES] = {
    [EMS_BASS] = "bass", [EMS_DRUMS] = "drums", [EMS_GUITAR] = "guitar",
    [EMS_PIANO] = "piano", [EMS_STRINGS] = "strings",
};
static const char *const TONICS[2][12] = {
    {"C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"},
    {"C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"},
};

void ems_key_text(char out[EMS_KEY_TEXT], int tonic, int minor)
{
    snprintf(out, EMS_KEY_TEXT, "%s %s", TONICS[minor != 0][tonic],
             minor ? "minor" : "major");
}

int ems_key_parse(const char *text, int *tonic, int *minor)
{
    static const int white[] = {9, 11, 0, 2, 4, 5, 7}; /* A to G */
    if (text[0] < 'A' || text[0] > 'G')
        return -1;
    int pitch = white[text[0] - 'A'];
    const char *rest = text + 1;
    if (*rest == '#' || *rest == 'b')
        pitch += *rest++ == '#' ? 1 : 11;
    *minor = strcmp(rest, " minor") == 0;
    *tonic = pitch % 12;
    return *minor || strcmp(rest, " major") == 0 ? 0 : -1;
}

static json_t *times_json(const double *times, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(times[i], 6));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *cuts_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->cut_count; i++) {
        const ems_cut *c = &p->cuts[i];
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(c->time, 6));
        json_object_set_new(o, "kind", json_string(ems_cut_kind_names[c->kind]));
        json_object_set_new(o, "strength", ems_json_real(c->strength, 6));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *curve_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->knot_count; i++) {
        const ems_knot *k = &p->curve[i];
        json_t *o = json_object();
        json_object_set_new(o, "time", ems_json_real(k->time, 6));
        json_object_set_new(o, "valence", ems_json_real(k->valence, 6));
        json_object_set_new(o, "arousal", ems_json_real(k->arousal, 6));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *families_json(unsigned families)
{
    json_t *array = json_array();
    for (int f = 0; f < EMS_FAMILIES; f++)
        if (families >> f & 1)
            json_array_append_new(array, json_string(ems_family_words[f]));
    return array;
}

static json_t *sections_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->section_count; i++) {
        const ems_section *s = &p->sections[i];
        char key[EMS_KEY_TEXT];
        json_t *o = json_object();
        if (s->tonic >= 0)
            ems_key_text(key, s->tonic, s->minor);
        json_object_set_new(o, "from", ems_json_real(s->from, 6));
        json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
        json_object_set_new(o, "key", s->tonic < 0 ? json_null()
                                                   : json_string(key));
        if (s->families)
            json_object_set_new(o, "families", families_json(s->families));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *spans_json(const ems_stretch *spans, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            array, json_pack("{s:o, s:o}", "from",
                             ems_json_real(spans[i].from, 6), "to",
                             ems_json_real(spans[i].to, 6)));
    return array;
}

static json_t *locks_json(const ems_plan *p)
{
    json_t *array = json_array();
    for (size_t i = 0; i < p->lock_count; i++)
        json_array_append_new(
            array, json_pack("{s:i, s:o}", "section", p->locks[i].section,
                             "families",
                             families_json(p->locks[i].families)));
    return array;
}

static json_t *tempo_json(ems_tempo t)
{
    return json_pack("{s:o, s:o, s:o}", "wanted", ems_json_real(t.wanted, 6),
                     "least", ems_json_real(t.least, 6), "most",
                     ems_json_real(t.most, 6));
}

/* What a plan need not say. */
static void put_wishes(json_t *root, const ems_plan *p)
{
    if (p->tempo.wanted > 0)
        json_object_set_new(root, "tempo", tempo_json(p->tempo));
    if (p->section_count)
        json_object_set_new(root, "sections", sections_json(p));
    json_object_set_new(root, "phrases",
                        times_json(p->phrases, p->phrase_count));
    json_object_set_new(root, "speech",
                        spans_json(p->speech, p->speech_count));
    if (p->ending == EMS_ENDING_CHORD)
        json_object_set_new(
            root, "ending", json_pack("{s:s, s:o}", "kind", "chord", "time",
                                      ems_json_real(p->ending_time, 6)));
    if (p->ending == EMS_ENDING_NONE)
        json_object_set_new(root, "ending",
                            json_pack("{s:s}", "kind", "none"));
    if (p->lock_count)
        json_object_set_new(root, "locks", locks_json(p));
}

int ems_plan_save(const ems_plan *p, const char *path, ems_error *err)
{
    json_t *root = json_object();
    if (!root)
        return ems_out_of_memory(err);
    json_object_set_new(root, "format", json_string("emsync-plan"));
    json_object_set_new(root, "version", json_integer(2));
    json_object_set_new(root, "duration", ems_json_real(p->duration, 6));
    json_object_set_new(root, "fps", ems_json_real(p->fps, 6));
    json_object_set_new(root, "seed", json_integer((json_int_t)p->seed));
    json_object_set_new(root, "sync", json_string(ems_sync_names[p->sync]));
    put_wishes(root, p);
    json_object_set_new(root, "hits", times_json(p->hits, p->hit_count));
    json_object_set_new(root, "cuts", cuts_json(p));
    json_object_set_new(root, "curve", curve_json(p));
    const int code = ems_json_save(root, path, err);
    json_decref(root);
    return code;
}
