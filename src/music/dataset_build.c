/* Folders of MIDI to one token file. Files are read by all threads, a batch
 * at a time; what stays in memory is a few hundred bytes a piece and twelve a
 * bar, tokens go to the disk at once. */
#include "music/dataset_build.h"

#include "base/mem.h"
#include "base/pool.h"
#include "base/run.h"
#include "music/dataset_origin.h"
#include "music/names.h"

#include "affect/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 128 /* files in memory at a time */, TOLD_FILES = 20,
       MAX_EXCLUDE = 16 << 20 };

typedef struct builder {
    ems_build build;
    const ems_dataset_options *o;
    const ems_run *run;
    ems_midi_files files;
    ems_labels labels;
    const ems_label **label; /* of each file; NULL: none */
    ems_words exclude;       /* plain titles */
    ems_origins origins;
    ems_listeners listeners;
    ems_critic *critic;
    ems_features *features;
    ems_emotions *emotions;
    ems_text *text;
    ems_knowledge known;
    uint64_t *seen;          /* open hash table of notes' hashes, 0: free */
    size_t seen_mask;
    ems_output out, spool, words, words_full;
    ems_reading *readings;
} builder;

/* ---- One piece into the tables ---------------------------------------------- */

/* Returns 1 when the hash was there already. */
static int see(builder *b, uint64_t hash)
{
    size_t at = hash & b->seen_mask;
    for (; b->seen[at]; at = (at + 1) & b->seen_mask)
        if (b->seen[at] == hash)
            return 1;
    b->seen[at] = hash;
    return 0;
}

static int keep_name(ems_build *b, const char *name)
{
    const size_t n = strlen(name) + 1;
    if (ems_reserve((void *)&b->names, &b->names_capacity, b->names_size + n,
                    1) < 0)
        return -1;
    memcpy(b->names + b->names_size, name, n);
    b->names_size += n;
    return 0;
}

static int make_room(ems_build *b, const ems_reading *r)
{
    const size_t bars = b->bar_count + r->tokens.bar_count;
    return ems_reserve((void *)&b->pieces, &b->capacity, b->count + 1,
                       sizeof *b->pieces) < 0 ||
           ems_reserve((void *)&b->bars, &b->bar_capacity, bars,
                       sizeof *b->bars) < 0 ||
           ems_reserve((void *)&b->affect, &b->affect_capacity, 2 * bars,
                       sizeof *b->affect) < 0 ||
           keep_name(b, r->file->path + r->file->relative) < 0
               ? -1
               : 0;
}

static int keep(builder *b, const ems_reading *r, ems_error *err)
{
    ems_build *d = &b->build;
    const ems_tokens *t = &r->tokens;
    ems_built_piece p = r->piece;
    p.name = (uint32_t)d->names_size;
    if (make_room(d, r) < 0)
        return ems_out_of_memory(err);
    if (ems_origin_set(&p, d, &b->origins, r->file, r->label, err) < 0)
        return EMS_ENOMEM;
    p.first_token = d->token_count;
    p.first_bar = d->bar_count;
    p.tokens = (uint32_t)t->count;
    p.bars = (uint32_t)t->bar_count;
    p.chords = (uint32_t)t->chords;
    d->pieces[d->count++] = p;
    if (t->bar_count) {
        memcpy(d->bars + d->bar_count, t->bars,
               t->bar_count * sizeof *t->bars);
        memcpy(d->affect + 2 * d->bar_count, r->curve,
               2 * t->bar_count * sizeof *r->curve);
    }
    d->bar_count += t->bar_count;
    d->token_count += t->count;
    if (fwrite(t->tokens, sizeof *t->tokens, t->count, b->spool.file) !=
        t->count)
        return ems_fail_errno(err, EMS_EIO, "cannot write tokens beside"
                              " \"%s\"", b->out.path);
    return EMS_OK;
}

static void put_words(builder *b, const ems_reading *r)
{
    const char *name = r->file->path + r->file->relative;
    if (b->words.file)
        ems_emotions_put(b->words.file, name, r->ekman, NULL,
                         EMS_TEXT_EKMAN);
    if (b->words_full.file)
        ems_emotions_put(b->words_full.file, name, r->full, NULL,
                         EMS_TEXT_FULL);
}

static int finish_file(builder *b, ems_reading *r, ems_error *err)
{
    if (r->code < 0)
        return ems_fail(err, (ems_code)r->code, "%s", r->error.text);
    b->build.warnings += r->warnings;
    if (r->skip == EMS_KEPT && see(b, r->piece.hash))
        r->skip = EMS_SKIP_DUPLICATE;
    size_t *skipped = &b->build.skipped[r->skip];
    if (r->skip == EMS_SKIP_UNREADABLE && *skipped < TOLD_FILES)
        ems_log(b->run, EMS_LOG_WARNING, "skipped: %s", r->error.text);
    ++*skipped;
    if (r->skip != EMS_KEPT)
        return EMS_OK;
    if (r->has_words)
        put_words(b, r);
    return keep(b, r, err);
}

/* ---- All files --------------------------------------------------------------- */

static int word_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By its title; without one by its file's name. */
static int is_excluded(const builder *b, size_t i)
{
    if (b->exclude.count == 0)
        return 0;
    const ems_label *label = b->label[i];
    const char *name = strrchr(b->files.items[i].path, '/') + 1;
    const char *dot = strrchr(name, '.');
    size_t n = (size_t)(dot - name);
    if (label && *label->song) {
        name = label->song;
        n = strlen(name);
    }
    char plain[EMS_NAME_ROOM];
    char *key = plain;
    ems_name_plain(plain, sizeof plain, name, n, 0);
    return bsearch(&key, b->exclude.items, b->exclude.count, sizeof key,
                   word_order) != NULL;
}

static int read_batch(builder *b, ems_pool *pool, size_t first, size_t count,
                      ems_error *err)
{
    for (size_t i = 0; i < count; i++)
        b->readings[i] = (ems_reading){
            .file = &b->files.items[first + i], .label = b->label[first + i],
            .known = &b->known, .excluded = is_excluded(b, first + i),
        };
    ems_pool_for(pool, count, ems_read_file, b->readings);
    int code = EMS_OK;
    for (size_t i = 0; i < count; i++) {
        if (code == EMS_OK)
            code = finish_file(b, &b->readings[i], err);
        ems_reading_clear(&b->readings[i]);
    }
    return code;
}

static int read_files(builder *b, ems_error *err)
{
    ems_pool *pool = ems_pool_new(ems_run_threads(b->run), err);
    if (!pool)
        return EMS_ENOMEM;
    int code = EMS_OK;
    const size_t n = b->files.count;
    for (size_t i = 0; code == EMS_OK && i < n; i += BATCH) {
        ems_progress(b->run, "dataset", (double)i / (double)n);
        code = ems_cancelled(b->run)
                   ? ems_fail_cancelled(err)
                   : read_batch(b, pool, i, n - i < BATCH ? n - i : BATCH,
                                err);
    }
    ems_pool_free(pool);
    return code;
}

/* "none of 7 MIDI files can be used (3 unreadable, 4 shorter than 8 s)" */
static int none_left(const builder *b, ems_error *err)
{
    char text[200];
    size_t n = 0;
    text[0] = '\0';
    for (int s = EMS_KEPT + 1; s < EMS_SKIPS; s++)
        if (b->build.skipped[s] && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%zu %s",
                                  n ? ", " : "", b->build.skipped[s],
                                  ems_skip_name[s]);
    return ems_fail(err, EMS_EFORMAT, "none of %zu MIDI files can be used"
                    " (%s)", b->build.files, text);
}

/* ---- What is known beforehand ------------------------------------------------- */

ems_dataset_options ems_dataset_defaults(void)
{
    return (ems_dataset_options){.held_out = 0.05};
}

/* The files' labels: by their path below the table's own folder (`own`: the
 * length of its path); if that finds none, below the folder named. So a table
 * that lies in one of several folders speaks of no other. Returns how many. */
static size_t find_labels(builder *b, size_t own, int below_own)
{
    size_t found = 0;
    for (size_t i = 0; i < b->files.count; i++) {
        const ems_midi_file *f = &b->files.items[i];
        const char *path = f->path + f->relative;
        if (below_own) {
            if (strncmp(f->path, b->o->labels, own) != 0)
                continue;
            path = f->path + own;
        }
        b->label[i] = ems_labels_find(&b->labels, path);
        found += b->label[i] != NULL;
    }
    return found;
}

static int count_used(builder *b, ems_error *err)
{
    uint8_t *used = ems_alloc(b->labels.count, 1);
    if (!used)
        return ems_out_of_memory(err);
    for (size_t i = 0; i < b->files.count; i++)
        if (b->label[i])
            used[b->label[i] - b->labels.items] = 1;
    for (size_t i = 0; i < b->labels.count; i++)
        b->build.labels_used += used[i];
    ems_free(used);
    return EMS_OK;
}

static int match_labels(builder *b, ems_error *err)
{
    const size_t n = b->files.count;
    b->label = ems_alloc(n, sizeof *b->label);
    if (!b->label)
        return ems_out_of_memory(err);
    if (!b->o->labels)
        return EMS_OK;
    const char *slash = strrchr(b->o->labels, '/');
    const size_t own = slash ? (size_t)(slash - b->o->labels) + 1 : 0;
    size_t files = find_labels(b, own, 1);
    if (files == 0)
        files = find_labels(b, own, 0);
    b->build.labels = b->labels.count;
    if (files == 0)
        return ems_fail(err, EMS_EINVAL, "none of the %zu files that \"%s\""
                        " names is among the %zu found; its paths must be"
                        " relative to its own folder or to one named",
                        b->labels.count, b->o->labels, n);
    const int code = count_used(b, err);
    ems_log(b->run, b->build.labels_used < b->labels.count
                        ? EMS_LOG_WARNING : EMS_LOG_INFO,
            "labels: %zu of %zu rows used, for %zu of %zu files",
            b->build.labels_used, b->labels.count, files, n);
    return code;
}

static int match_listeners(builder *b, ems_error *err)
{
    if (!b->o->listeners)
        return EMS_OK;
    size_t files = 0;
    for (size_t i = 0; i < b->files.count; i++)
        files += ems_listeners_find(&b->listeners,
                                    b->files.items[i].path) != NULL;
    if (files == 0)
        return ems_fail(err, EMS_EINVAL, "none of the %zu pieces that"
                        " listeners rated in \"%s\" is among the %zu files"
                        " found", b->listeners.count, b->o->listeners,
                        b->files.count);
    b->known.listeners = &b->listeners;
    ems_log(b->run, EMS_LOG_INFO, "listeners: %zu of %zu pieces found",
            files, b->listeners.count);
    return EMS_OK;
}

static int add_exclude(ems_words *w, const char *plain, ems_error *err)
{
    if (ems_reserve((void *)&w->items, &w->capacity, w->count + 1,
                    sizeof *w->items) < 0 ||
        !(w->items[w->count] = ems_strdup(plain)))
        return ems_out_of_memory(err);
    w->count++;
    return EMS_OK;
}

static int load_exclude(builder *b, ems_error *err)
{
    ems_bytes bytes;
    if (!b->o->exclude)
        return EMS_OK;
    int code = ems_bytes_map(&bytes, b->o->exclude, MAX_EXCLUDE, err);
    if (code < 0)
        return code;
    const char *at = (const char *)bytes.data;
    const char *const end = at + bytes.size;
    while (at < end && code == EMS_OK) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        line = line ? line : end;
        char plain[EMS_NAME_ROOM];
        if (ems_name_plain(plain, sizeof plain, at, (size_t)(line - at), 0))
            code = add_exclude(&b->exclude, plain, err);
        at = line < end ? line + 1 : end;
    }
    ems_bytes_unmap(&bytes);
    if (b->exclude.count)
        qsort(b->exclude.items, b->exclude.count, sizeof *b->exclude.items,
              word_order);
    return code;
}

/* Few files have words: without a classifier the others still are read. */
static int open_text(builder *b, ems_error *err)
{
    const ems_dataset_options *o = b->o;
    b->text = ems_text_open(o->text, err);
    if (b->text || o->text || o->lyrics_out || o->lyrics_full_out ||
        err->code != EMS_EIO)
        return b->text ? EMS_OK : (int)err->code;
    ems_log(b->run, EMS_LOG_WARNING, "lyrics are not read: %s", err->text);
    return EMS_OK;
}

static int load_sayers(builder *b, ems_error *err)
{
    const ems_dataset_options *o = b->o;
    if (!o->no_critic && !(b->critic = ems_critic_open(o->critic, err)))
        return (int)err->code;
    if (o->features && !(b->features = ems_features_load(o->features, err)))
        return (int)err->code;
    if (o->emotions && !(b->emotions = ems_emotions_load(o->emotions, err)))
        return (int)err->code;
    if (!o->no_lyrics && open_text(b, err) < 0)
        return (int)err->code;
    b->known.free_timing = o->free_timing;
    b->known.critic = b->critic;
    b->known.features = b->features;
    b->known.emotions = b->emotions;
    b->known.text = b->text;
    return EMS_OK;
}

static int load_tables(builder *b, ems_error *err)
{
    const ems_dataset_options *o = b->o;
    int code = EMS_OK;
    if (o->labels)
        code = ems_labels_load(&b->labels, o->labels, err);
    if (code == EMS_OK && o->listeners)
        code = ems_listeners_load(&b->listeners, o->listeners, err);
    if (code == EMS_OK)
        code = load_exclude(b, err);
    if (code == EMS_OK)
        code = ems_origins_load(&b->origins, o->sources, err);
    return code == EMS_OK ? load_sayers(b, err) : code;
}

/* ---- The outputs -------------------------------------------------------------- */

static int open_words(ems_output *out, const char *path, size_t count,
                      ems_error *err)
{
    if (!path)
        return EMS_OK;
    const int code = ems_output_open(out, path, err);
    if (code == EMS_OK)
        ems_emotions_put(out->file, NULL, NULL,
                         count == EMS_TEXT_EKMAN ? ems_text_ekman_names
                                                 : ems_text_full_names,
                         count);
    return code;
}

static int open_outputs(builder *b, const char *out, ems_error *err)
{
    int code = ems_output_open(&b->out, out, err);
    if (code == EMS_OK)
        code = ems_output_reserve(&b->spool, out, err);
    if (code == EMS_OK && !(b->spool.file = fopen(b->spool.temporary, "w+be")))
        code = ems_fail_errno(err, EMS_EIO, "cannot write beside \"%s\"",
                              out);
    if (code == EMS_OK)
        code = open_words(&b->words, b->o->lyrics_out, EMS_TEXT_EKMAN, err);
    if (code == EMS_OK)
        code = open_words(&b->words_full, b->o->lyrics_full_out,
                          EMS_TEXT_FULL, err);
    return code;
}

static int commit(ems_output *out, ems_error *err)
{
    return out->file ? ems_output_commit(out, err) : EMS_OK;
}

/* Tables that turn out to know none of the files. */
static void tell_matches(const builder *b)
{
    size_t known[EMS_SAID] = {0};
    for (size_t i = 0; i < b->build.count; i++)
        for (int who = 0; who < EMS_SAID; who++)
            known[who] += isnan(b->build.pieces[i].said[who][0]) ? 0 : 1;
    if (b->features)
        ems_log(b->run, known[EMS_SAID_FEATURES] ? EMS_LOG_INFO
                                                 : EMS_LOG_WARNING,
                "features: %zu of %zu pieces found among %zu songs",
                known[EMS_SAID_FEATURES], b->build.count,
                ems_features_count(b->features));
    if (b->emotions)
        ems_log(b->run, known[EMS_SAID_LYRICS] ? EMS_LOG_INFO
                                               : EMS_LOG_WARNING,
                "emotions: lyrics of %zu of %zu pieces known, %zu rows",
                known[EMS_SAID_LYRICS], b->build.count,
                ems_emotions_count(b->emotions));
}

static int finish(builder *b, ems_error *err)
{
    tell_matches(b);
    int code = ems_build_mix(&b->build, b->o->spread, err);
    if (code == EMS_OK)
        code = ems_build_songs(&b->build, b->o->held_out, err);
    if (code == EMS_OK)
        code = ems_build_write(&b->build, &b->out, b->spool.file, err);
    if (code == EMS_OK)
        code = commit(&b->words, err);
    if (code == EMS_OK)
        code = commit(&b->words_full, err);
    if (code == EMS_OK)
        code = ems_build_report(&b->build, b->o, b->run, err);
    return code;
}

/* ---- The call ------------------------------------------------------------------ */

static int check_options(const ems_dataset_options *o, ems_error *err)
{
    if (o->folder_count == 0)
        return ems_fail(err, EMS_EINVAL, "no folder to build a data set"
                        " from");
    if (!(o->held_out >= 0 && o->held_out < 1))
        return ems_fail(err, EMS_EINVAL, "a held-out share of %g; it must"
                        " lie in [0,1)", o->held_out);
    if (!(o->spread >= 0 && o->spread <= 1))
        return ems_fail(err, EMS_EINVAL, "a spread of %g; it must lie in"
                        " [0,1]", o->spread);
    if (o->no_lyrics && (o->lyrics_out || o->lyrics_full_out))
        return ems_fail(err, EMS_EINVAL, "lyrics' emotions are to be written"
                        " but not to be read");
    return EMS_OK;
}

static int find_files(builder *b, ems_error *err)
{
    const int code = ems_midi_files_find(&b->files, b->o->folders,
                                         b->o->folder_count, err);
    if (code < 0)
        return code;
    b->build.files = b->files.count;
    b->build.unread_folders = b->files.unread;
    if (b->files.unread)
        ems_log(b->run, EMS_LOG_WARNING, "%zu folders cannot be read, first"
                " \"%s\"", b->files.unread, b->files.first_unread);
    if (b->files.count == 0)
        return ems_fail(err, EMS_EFORMAT, "no MIDI file (.mid, .midi, .kar)"
                        " below \"%s\"", b->o->folders[0]);
    return EMS_OK;
}

static int prepare(builder *b, const char *out, ems_error *err)
{
    int code = check_options(b->o, err);
    if (code == EMS_OK)
        code = load_tables(b, err);
    if (code == EMS_OK)
        code = find_files(b, err);
    if (code == EMS_OK)
        code = ems_origins_look(&b->origins, &b->files, b->o->folder_count,
                                err);
    if (code == EMS_OK)
        code = match_labels(b, err);
    if (code == EMS_OK)
        code = match_listeners(b, err);
    if (code < 0)
        return code;
    size_t slots = 64;
    while (slots < 2 * b->files.count)
        slots *= 2;
    b->seen_mask = slots - 1;
    b->seen = ems_alloc(slots, sizeof *b->seen);
    b->readings = ems_alloc(BATCH, sizeof *b->readings);
    if (!b->seen || !b->readings || ems_words_add(&b->build.words, "") != 0)
        return ems_out_of_memory(err);
    return open_outputs(b, out, err);
}

static void release(builder *b)
{
    ems_output_discard(&b->out);
    ems_output_discard(&b->spool);
    ems_output_discard(&b->words);
    ems_output_discard(&b->words_full);
    ems_midi_files_clear(&b->files);
    ems_labels_clear(&b->labels);
    ems_listeners_clear(&b->listeners);
    ems_origins_clear(&b->origins);
    ems_words_clear(&b->exclude);
    ems_words_clear(&b->build.words);
    ems_critic_free(b->critic);
    ems_features_free(b->features);
    ems_emotions_free(b->emotions);
    ems_text_free(b->text);
    ems_free(b->label);
    ems_free(b->seen);
    ems_free(b->readings);
    ems_free(b->build.pieces);
    ems_free(b->build.bars);
    ems_free(b->build.affect);
    ems_free(b->build.names);
}

int ems_dataset_build(const char *out, const ems_dataset_options *options,
                      const ems_run *run, ems_error *err)
{
    ems_error own;
    err = err ? err : &own;
    builder b = {.o = options, .run = run};
    int code = prepare(&b, out, err);
    if (code == EMS_OK)
        code = read_files(&b, err);
    if (code == EMS_OK && b.build.count == 0)
        code = none_left(&b, err);
    if (code == EMS_OK)
        code = finish(&b, err);
    if (code == EMS_OK)
        ems_progress(run, "dataset", 1);
    release(&b);
    return code;
}
