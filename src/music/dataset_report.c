/* The report on a data set: text for people, JSON for programs. */
#include "music/dataset_tally.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD_SOURCES = 40, TOLD_STYLES = 25 };

static double per_minute(uint64_t chords, double seconds)
{
    return seconds > 0 ? (double)chords * 60 / seconds : 0;
}

/* ---- Text ------------------------------------------------------------------- */

static void print_head(FILE *f, const ems_build *b, const ems_tally *t)
{
    fprintf(f, "files      %zu found, %zu used\n", b->files, b->count);
    for (int s = EMS_KEPT + 1; s < EMS_SKIPS; s++)
        if (b->skipped[s])
            fprintf(f, "           %zu left out: %s\n", b->skipped[s],
                    ems_skip_name[s]);
    if (b->unread_folders)
        fprintf(f, "           %zu folders could not be read\n",
                b->unread_folders);
    fprintf(f, "music      %.2f hours, %llu tokens, %zu bars\n",
            t->seconds / 3600, (unsigned long long)b->token_count,
            b->bar_count);
    fprintf(f, "songs      %zu; held out: %zu pieces, by whole songs\n",
            b->songs, t->held_out);
    fprintf(f, "repairs    %zu\n", b->warnings);
    fprintf(f, "chords     %.1f long ones a minute\n",
            per_minute(t->chords, t->seconds));
    fprintf(f, "families  ");
    for (int i = 0; i < EMS_FAMILIES; i++)
        fprintf(f, " %s %zu", ems_family_name[i], t->families[i]);
    fprintf(f, "\ntempo     ");
    for (int i = 0; i < EMS_TALLY_TEMPOS; i++)
        fprintf(f, " %d:%zu", i * EMS_TALLY_BPM, t->tempos[i]);
    fprintf(f, "\n");
}

static void print_r(FILE *f, double r)
{
    if (isnan(r))
        fprintf(f, "      -");
    else
        fprintf(f, " %6.2f", r);
}

static void print_emotion(FILE *f, const ems_build *b, const ems_tally *t)
{
    fprintf(f, "\nemotion    pieces that it says something about, and its"
               " correlation with the critic\n");
    fprintf(f, "%-10s %8s %8s   %s\n", "", "valence", "arousal",
            "r valence, r arousal");
    for (int who = 0; who < EMS_SAID; who++) {
        const ems_agreement *g = &t->said[who];
        fprintf(f, "%-10s %8zu %8zu  ", ems_said_name[who], g->known[0],
                g->known[1]);
        print_r(f, who == EMS_SAID_CRITIC ? (double)NAN : g->r[0]);
        print_r(f, who == EMS_SAID_CRITIC ? (double)NAN : g->r[1]);
        fprintf(f, "\n");
    }
    if (b->labels)
        fprintf(f, "labels     %zu of %zu rows used\n", b->labels_used,
                b->labels);
    for (int axis = 0; axis < 2; axis++)
        if (b->scale.high[axis] > b->scale.low[axis])
            fprintf(f, "scale      %s %+.3f became -1, %+.3f became +1\n",
                    axis ? "arousal" : "valence", b->scale.low[axis],
                    b->scale.high[axis]);
    fprintf(f, "unknown    %zu pieces\n\npieces by arousal (down) and valence"
               " (across)\n", t->emotion_unknown);
    for (int a = EMS_TALLY_GRID - 1; a >= 0; a--) {
        fprintf(f, "%+10.1f", (a - EMS_TALLY_GRID / 2) * 0.4);
        for (int v = 0; v < EMS_TALLY_GRID; v++)
            fprintf(f, " %7zu", t->grid[a][v]);
        fprintf(f, "\n");
    }
}

static double mean(const ems_part *p, int axis)
{
    return p->known[axis] > 0 ? p->sum[axis] / p->known[axis] : (double)NAN;
}

static void print_parts(FILE *f, const ems_build *b, const ems_parts *parts,
                        const char *title, size_t told)
{
    fprintf(f, "\n%-28s %7s %8s %11s %8s %6s %6s %7s\n", title, "pieces",
            "hours", "tokens", "chords/m", "v", "a", "held");
    for (size_t i = 0; i < parts->count && i < told; i++) {
        const ems_part *p = &parts->items[i];
        char name[29];
        ems_tally_text(name, sizeof name, b->words.items[p->word]);
        fprintf(f, "%-28s %7zu %8.2f %11llu %8.1f %+6.2f %+6.2f %7zu\n",
                *name ? name : "(none)", p->pieces, p->seconds / 3600,
                (unsigned long long)p->tokens,
                per_minute(p->chords, p->seconds), mean(p, 0), mean(p, 1),
                p->held_out);
    }
    if (parts->count > told)
        fprintf(f, "... and %zu more\n", parts->count - told);
}

static void print_licences(FILE *f, const ems_build *b, const ems_tally *t)
{
    fprintf(f, "\nlicences\n");
    for (size_t i = 0; i < t->sources.count && i < TOLD_SOURCES; i++) {
        char text[400];
        const uint32_t source = t->sources.items[i].word;
        ems_tally_licences(text, sizeof text, b, source);
        char name[29];
        ems_tally_text(name, sizeof name, b->words.items[source]);
        fprintf(f, "%-28s %s\n", *name ? name : "(none)", text);
    }
}

static void print_all(FILE *f, const ems_build *b, const ems_tally *t)
{
    print_head(f, b, t);
    print_emotion(f, b, t);
    print_parts(f, b, &t->sources, "source", TOLD_SOURCES);
    if (t->styles.count > 1)
        print_parts(f, b, &t->styles, "style", TOLD_STYLES);
    print_licences(f, b, t);
}

static void log_lines(char *text, const ems_run *run)
{
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        ems_log(run, EMS_LOG_INFO, "%s", line);
        line = end + 1;
    }
}

static int write_text(const ems_build *b, const ems_tally *t,
                      const char *path, const ems_run *run, ems_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return ems_out_of_memory(err);
    print_all(f, b, t);
    int code = fclose(f) == 0 ? EMS_OK : ems_out_of_memory(err);
    if (code == EMS_OK && path)
        code = ems_file_write(path, text, size, err);
    if (code == EMS_OK)
        log_lines(text, run);
    free(text);
    return code;
}

/* ---- JSON -------------------------------------------------------------------- */

static json_t *integers(const size_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    return array;
}

static json_t *real_or_null(double x)
{
    return isnan(x) ? json_null() : ems_json_real(x, 4);
}

static json_t *part_json(const ems_build *b, const ems_part *p, int licence)
{
    char name[256];
    json_t *o = json_pack(
        "{s:s s:I s:o s:I s:I s:o s:I s:o s:o s:I s:o}",
        "name", ems_tally_text(name, sizeof name, b->words.items[p->word]),
        "pieces", (json_int_t)p->pieces,
        "hours", ems_json_real(p->seconds / 3600, 4),
        "tokens", (json_int_t)p->tokens,
        "chords", (json_int_t)p->chords,
        "chords_per_minute",
        ems_json_real(per_minute(p->chords, p->seconds), 3),
        "pieces_without_chords", (json_int_t)p->without_chords,
        "valence", real_or_null(mean(p, 0)),
        "arousal", real_or_null(mean(p, 1)),
        "held_out", (json_int_t)p->held_out,
        "weighted_tokens", ems_json_real(p->weighted, 0));
    if (o && licence) {
        char text[400];
        ems_tally_licences(text, sizeof text, b, p->word);
        json_object_set_new(o, "licence", json_string(text));
    }
    return o;
}

static json_t *parts_json(const ems_build *b, const ems_parts *parts,
                          int licence)
{
    json_t *array = json_array();
    for (size_t i = 0; i < parts->count; i++)
        json_array_append_new(array, part_json(b, &parts->items[i], licence));
    return array;
}

static json_t *said_json(const ems_tally *t)
{
    json_t *o = json_object();
    for (int who = 0; who < EMS_SAID; who++) {
        const ems_agreement *g = &t->said[who];
        json_object_set_new(o, ems_said_name[who], json_pack(
            "{s:[I,I] s:[o,o] s:[o,o]}",
            "pieces", (json_int_t)g->known[0], (json_int_t)g->known[1],
            "weight", ems_json_real(ems_said_weight[who][0], 3),
            ems_json_real(ems_said_weight[who][1], 3),
            "r_with_critic", real_or_null(g->r[0]), real_or_null(g->r[1])));
    }
    return o;
}

static json_t *scale_json(const ems_build *b, int axis)
{
    return b->scale.high[axis] > b->scale.low[axis]
               ? json_pack("[o,o]", ems_json_real(b->scale.low[axis], 5),
                           ems_json_real(b->scale.high[axis], 5))
               : json_null();
}

static json_t *named_counts(const char *const *names, const size_t *counts,
                            int from, int to)
{
    json_t *o = json_object();
    for (int i = from; i < to; i++)
        json_object_set_new(o, names[i], json_integer((json_int_t)counts[i]));
    return o;
}

static json_t *to_json(const ems_build *b, const ems_tally *t)
{
    json_t *grid = json_array();
    for (int a = 0; a < EMS_TALLY_GRID; a++)
        json_array_append_new(grid, integers(t->grid[a], EMS_TALLY_GRID));
    return json_pack(
        "{s:s s:i s:I s:I s:I s:o s:I s:I s:I s:o s:I s:[I,I] s:I s:I s:o s:o"
        " s:o s:I s:o s:{s:o s:o} s:o s:o s:o}",
        "format", "emsync-dataset-report", "version", 2,
        "files", (json_int_t)b->files, "pieces", (json_int_t)b->count,
        "songs", (json_int_t)b->songs,
        "hours", ems_json_real(t->seconds / 3600, 3),
        "tokens", (json_int_t)b->token_count,
        "bars", (json_int_t)b->bar_count,
        "chords", (json_int_t)t->chords,
        "chords_per_minute",
        ems_json_real(per_minute(t->chords, t->seconds), 3),
        "held_out", (json_int_t)t->held_out,
        "label_rows_used_of", (json_int_t)b->labels_used,
        (json_int_t)b->labels,
        "repairs", (json_int_t)b->warnings,
        "unreadable_folders", (json_int_t)b->unread_folders,
        "families", named_counts(ems_family_name, t->families, 0,
                                 EMS_FAMILIES),
        "tempo_per_20_bpm", integers(t->tempos, EMS_TALLY_TEMPOS),
        "arousal_by_valence", grid,
        "emotion_unknown", (json_int_t)t->emotion_unknown,
        "emotion_sources", said_json(t),
        "scale", "valence", scale_json(b, 0), "arousal", scale_json(b, 1),
        "skipped", named_counts(ems_skip_name, b->skipped, EMS_KEPT + 1,
                                EMS_SKIPS),
        "sources", parts_json(b, &t->sources, 1),
        "styles", parts_json(b, &t->styles, 0));
}

int ems_build_report(const ems_build *b, const ems_dataset_options *o,
                     const ems_run *run, ems_error *err)
{
    ems_tally t;
    int code = ems_tally_take(&t, b, err);
    if (code < 0)
        return code;
    code = write_text(b, &t, o->report_text, run, err);
    if (code == EMS_OK && o->report) {
        json_t *root = to_json(b, &t);
        code = root ? ems_json_save(root, o->report, err)
                    : ems_out_of_memory(err);
        json_decref(root);
    }
    if (code == EMS_OK && o->picture)
        code = ems_build_picture(b, &t, o->picture, err);
    ems_tally_clear(&t);
    return code;
}
