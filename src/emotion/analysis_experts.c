/* analysis_experts.c - what the experts said, for people and analysis.json. */
#include "base/json.h"
#include "base/mem.h"
#include "emotion/analysis.h"
#include "emotion/experts.h"

#include <stdio.h>
#include <string.h>

enum { MOST_EXPERTS = 256, NAMED = 3 };
static const double LEAST_SHOWN = 0.05;

/* ---- From the senses ----------------------------------------------------- */

static const char *const MODALITIES[EMS_MODALITIES] = {
    "frame", "face", "body", "sound", "speech", "text",
};

static double mean_of(const ems_sense *e, size_t column)
{
    double sum = 0;
    for (size_t r = 0; r < e->rows; r++)
        sum += (double)e->values[r * e->dim + column];
    return sum / (double)e->rows;
}

/* "joy 0.52, neutral 0.31": the strongest named columns over the film. */
static void summarise(const ems_sense *e, char *text, size_t size)
{
    size_t best[NAMED];
    double value[NAMED];
    size_t n = 0, used = 0;
    text[0] = '\0';
    if (!e->labels || !e->rows)
        return;
    for (size_t c = 0; c < e->dim; c++) {
        const double v = e->labels[c] ? mean_of(e, c) : 0;
        size_t at = n;
        while (at > 0 && v > value[at - 1])
            at--;
        if (at == NAMED || v < LEAST_SHOWN)
            continue;
        n = n < NAMED ? n + 1 : NAMED;
        for (size_t k = n - 1; k > at; k--) {
            best[k] = best[k - 1];
            value[k] = value[k - 1];
        }
        best[at] = c;
        value[at] = v;
    }
    for (size_t k = 0; k < n && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%.100s %.2f",
                                 k ? ", " : "", e->labels[best[k]], value[k]);
}

static int set_said(ems_expert_said *to, const char *name,
                    const char *modality, const char *says, const char *why,
                    ems_error *err)
{
    to->name = ems_strdup(name);
    to->modality = ems_strdup(modality);
    to->says = ems_strdup(says);
    to->why = ems_strdup(why);
    return to->name && to->modality && to->says && to->why
               ? EMS_OK : ems_out_of_memory(err);
}

static int take_one(ems_analysis *a, const ems_sense *e, ems_error *err)
{
    char says[400];
    ems_expert_said *to = &a->experts[a->expert_count++];
    summarise(e, says, sizeof says);
    to->rows = e->rows;
    to->dim = e->dim;
    to->seconds = e->seconds;
    to->cached = e->cached;
    /* one that could not be read has no modality */
    return set_said(to, e->name, e->dim ? MODALITIES[e->modality] : "", says,
                    e->why, err);
}

static int take_speech(ems_analysis *a, const ems_senses *s, ems_error *err)
{
    ems_stretch *spans;
    size_t count;
    int known;
    const int code = ems_senses_speech(s, a->duration, &spans, &count,
                                       &known, err);
    if (code == EMS_OK && known)
        ems_analysis_set_speech(a, spans, count);
    return code;
}

int ems_analysis_take_senses(ems_analysis *a, const ems_senses *s,
                             ems_error *err)
{
    const size_t n = ems_senses_count(s);
    a->experts = ems_alloc(n + 1, sizeof *a->experts); /* one for words */
    int code = a->experts ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < n && code == EMS_OK; i++)
        code = take_one(a, ems_senses_at(s, i), err);
    return code < 0 ? code : take_speech(a, s, err);
}

const ems_expert_said *ems_analysis_experts(const ems_analysis *a,
                                            size_t *count)
{
    *count = a->expert_count;
    return a->experts;
}

void ems_experts_clear(ems_analysis *a)
{
    for (size_t i = 0; i < a->expert_count; i++) {
        ems_expert_said *e = &a->experts[i];
        ems_free((char *)(uintptr_t)e->name);
        ems_free((char *)(uintptr_t)e->modality);
        ems_free((char *)(uintptr_t)e->says);
        ems_free((char *)(uintptr_t)e->why);
    }
    ems_free(a->experts);
    a->experts = NULL;
    a->expert_count = 0;
}

int ems_analysis_take_titles(ems_analysis *a, ems_titles *t, ems_error *err)
{
    char says[400] = "";
    int code = ems_titles_end(t, a->cuts, a->cut_count, a->duration,
                              &a->titles, &a->title_count, err);
    if (code < 0)
        return code;
    const ems_title *best = a->titles; /* what says most */
    for (size_t i = 1; i < a->title_count; i++)
        if (a->titles[i].neutral < best->neutral)
            best = &a->titles[i];
    if (a->title_count)
        snprintf(says, sizeof says, "\"%.200s\"", best->text);
    ems_expert_said *to = &a->experts[a->expert_count++];
    to->rows = ems_titles_looks(t);
    to->dim = EMS_EKMAN + 1;
    to->seconds = ems_titles_work(t);
    return set_said(to, "words", MODALITIES[EMS_READ_TEXT], says,
                    ems_titles_why(t), err);
}

/* ---- analysis.json ------------------------------------------------------- */

/* How long it took would make two runs differ; it is not written. */
json_t *ems_experts_json(const ems_analysis *a)
{
    json_t *array = json_array();
    for (size_t i = 0; i < a->expert_count; i++) {
        const ems_expert_said *e = &a->experts[i];
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(e->name));
        json_object_set_new(o, "modality", json_string(e->modality));
        json_object_set_new(o, "rows", json_integer((json_int_t)e->rows));
        json_object_set_new(o, "dim", json_integer((json_int_t)e->dim));
        json_object_set_new(o, "says", json_string(e->says));
        if (e->why[0])
            json_object_set_new(o, "why", json_string(e->why));
        json_array_append_new(array, o);
    }
    return array;
}

static int read_said(const json_t *o, const ems_json_at *at,
                     ems_expert_said *to)
{
    const char *name = "", *modality = "", *says = "", *why = "";
    json_int_t rows = 0, dim = 0;
    int code = ems_json_string(o, at, "name", &name);
    if (code == EMS_OK)
        code = ems_json_string(o, at, "modality", &modality);
    if (code == EMS_OK)
        code = ems_json_string(o, at, "says", &says);
    if (code == EMS_OK && json_object_get(o, "why"))
        code = ems_json_string(o, at, "why", &why);
    if (code == EMS_OK)
        code = ems_json_integer(o, at, "rows", 0, 1 << 28, &rows);
    if (code == EMS_OK)
        code = ems_json_integer(o, at, "dim", 0, 1 << 20, &dim);
    if (code < 0)
        return code;
    to->rows = (size_t)rows;
    to->dim = (size_t)dim;
    return set_said(to, name, modality, says, why, at->err);
}

int ems_experts_read(ems_analysis *a, const json_t *root,
                     const ems_json_at *at)
{
    json_t *array;
    if (!json_object_get(root, "experts"))
        return EMS_OK;
    int code = ems_json_array(root, at, "experts", MOST_EXPERTS, &array);
    if (code < 0)
        return code;
    const ems_json_at all = ems_json_key(at, "experts");
    const size_t n = json_array_size(array);
    a->experts = ems_alloc(n, sizeof *a->experts);
    if (!a->experts)
        return ems_out_of_memory(at->err);
    for (size_t i = 0; i < n && code == EMS_OK; i++) {
        const ems_json_at here = ems_json_index(&all, i);
        code = read_said(json_array_get(array, i), &here,
                         &a->experts[a->expert_count++]);
    }
    return code;
}
