#include "music/dataset_build.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/run.h"
#include "base/sha256.h"
#include "music/dataset.h"
#include "music/midi_files.h"

#include <math.h>
#include <string.h>

enum {
    BATCH = 64, /* files in memory at a time */
    MAX_PIECE_TOKENS = 1 << 22, TOLD_FILES = 20,
};
#define SHORTEST_PIECE 8.0 /* seconds */

typedef struct job { /* one file on its way */
    const ems_midi_file *file;
    const ems_label *label;
    ems_skip skip;
    int code;           /* an error that ends the build */
    ems_error error;    /* also: why the file was skipped */
    ems_tokens tokens;
    ems_built_piece piece;
    size_t warnings;
} job;

typedef struct builder {
    ems_build build;
    ems_midi_files files;
    ems_labels labels;
    char *labels_folder; /* of the CSV file, with the slash */
    uint64_t *seen;      /* open hash table of the tokens' hashes, 0: free */
    size_t seen_mask;
    ems_output out, spool;
    double held_out;
    const ems_run *run;
    job *jobs;
} builder;

static int has_usable_note(const ems_midi *m)
{
    for (size_t i = 0; i < m->note_count; i++)
        if (ems_midi_family(m->notes[i].channel, m->notes[i].program) >= 0 &&
            m->notes[i].pitch >= EMS_LOW_PITCH &&
            m->notes[i].pitch <= EMS_HIGH_PITCH)
            return 1;
    return 0;
}

static ems_skip skip_of(int code, ems_skip skip, job *j)
{
    j->code = code == EMS_ENOMEM ? code : EMS_OK;
    return skip;
}

static void describe(ems_built_piece *p, const ems_song *s)
{
    const ems_song_features f = ems_song_measure(s);
    p->density = (float)f.density;
    p->seconds = (float)f.seconds;
    p->bpm = (float)f.bpm;
    p->valence = (float)ems_guess_valence(&f);
    p->arousal = NAN; /* from the density, once the others' are known */
    for (size_t i = 0; i < s->note_count; i++)
        p->families |= (uint8_t)(1 << s->notes[i].family);
}

static void give_label(ems_built_piece *p, const ems_label *label)
{
    if (!label)
        return;
    if (!isnan(label->valence))
        p->valence = (float)label->valence;
    if (!isnan(label->arousal))
        p->arousal = (float)label->arousal;
    p->labelled = !isnan(label->valence) || !isnan(label->arousal);
}

static uint64_t hash_of(const ems_tokens *t)
{
    uint8_t digest[32];
    ems_sha256 sha;
    ems_sha256_begin(&sha);
    ems_sha256_add(&sha, t->tokens, t->count * sizeof *t->tokens);
    ems_sha256_end(&sha, digest);
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest[i];
    return hash ? hash : 1;
}

static ems_skip song_to_tokens(job *j, const ems_midi *m)
{
    ems_song song;
    int code = ems_song_from_midi(&song, m, j->file->path, &j->error);
    if (code == EMS_OK)
        code = ems_song_tidy(&song, &j->error);
    if (code < 0) {
        ems_song_clear(&song);
        return skip_of(code, has_usable_note(m) ? EMS_SKIP_ODD_BARS
                                                : EMS_SKIP_NO_NOTES, j);
    }
    ems_skip skip = EMS_KEPT;
    if (song.end * EMS_TICK < SHORTEST_PIECE) {
        skip = EMS_SKIP_SHORT;
    } else if ((code = ems_tokens_from_song(&j->tokens, &song,
                                            &j->error)) < 0) {
        skip = skip_of(code, EMS_SKIP_UNREADABLE, j);
    } else {
        describe(&j->piece, &song);
        give_label(&j->piece, j->label);
        j->piece.hash = hash_of(&j->tokens);
        if (j->tokens.count > MAX_PIECE_TOKENS)
            skip = EMS_SKIP_LONG;
    }
    ems_song_clear(&song);
    return skip;
}

static void read_file(void *context, size_t i)
{
    job *j = &((job *)context)[i];
    ems_bytes bytes;
    int code = ems_bytes_map(&bytes, j->file->path, EMS_MIDI_MAX_BYTES,
                             &j->error);
    if (code < 0) {
        j->skip = skip_of(code, EMS_SKIP_UNREADABLE, j);
        return;
    }
    ems_midi m;
    code = ems_midi_parse(&m, bytes.data, bytes.size, j->file->path,
                          &j->error);
    ems_bytes_unmap(&bytes);
    if (code < 0) {
        j->skip = skip_of(code, EMS_SKIP_UNREADABLE, j);
        return;
    }
    j->warnings = m.warnings;
    j->skip = song_to_tokens(j, &m);
    ems_midi_clear(&m);
}

/* A file's label: by its path below the folder named, or below the folder of
 * the CSV file. */
static const ems_label *label_of(const builder *b, const ems_midi_file *f)
{
    const ems_label *label = ems_labels_find(&b->labels,
                                             f->path + f->relative);
    const size_t n = b->labels_folder ? strlen(b->labels_folder) : 0;
    if (!label && n && strncmp(f->path, b->labels_folder, n) == 0)
        label = ems_labels_find(&b->labels, f->path + n);
    return label;
}

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

static int keep(builder *b, const job *j, ems_error *err)
{
    ems_build *build = &b->build;
    const ems_tokens *t = &j->tokens;
    const uint32_t name = (uint32_t)build->names_size;
    if (ems_reserve((void *)&build->pieces, &build->capacity,
                    build->count + 1, sizeof *build->pieces) < 0 ||
        ems_reserve((void *)&build->bars, &build->bar_capacity,
                    build->bar_count + t->bar_count,
                    sizeof *build->bars) < 0 ||
        ems_reserve((void *)&build->affect, &build->affect_capacity,
                    2 * (build->bar_count + t->bar_count),
                    sizeof *build->affect) < 0 ||
        keep_name(build, j->file->path + j->file->relative) < 0)
        return ems_out_of_memory(err);
    ems_built_piece *p = &build->pieces[build->count++];
    *p = j->piece;
    p->name = name;
    p->song = (uint32_t)(build->count - 1);
    p->first_token = build->token_count;
    p->first_bar = build->bar_count;
    p->tokens = (uint32_t)t->count;
    p->bars = (uint32_t)t->bar_count;
    p->chords = (uint32_t)t->chords;
    /* the hash's upper bits as a number in [0,1) */
    p->held_out = (double)(p->hash >> 11) * 0x1p-53 < b->held_out;
    memcpy(build->bars + build->bar_count, t->bars,
           t->bar_count * sizeof *t->bars);
    for (size_t i = 0; i < 2 * t->bar_count; i++)
        build->affect[2 * build->bar_count + i] = NAN;
    build->bar_count += t->bar_count;
    build->token_count += t->count;
    if (fwrite(t->tokens, sizeof *t->tokens, t->count, b->spool.file) !=
        t->count)
        return ems_fail_errno(err, EMS_EIO, "cannot write tokens beside"
                              " \"%s\"", b->out.path);
    return EMS_OK;
}

static int finish_job(builder *b, job *j, ems_error *err)
{
    if (j->code < 0)
        return ems_fail(err, (ems_code)j->code, "%s", j->error.text);
    b->build.warnings += j->warnings;
    if (j->skip == EMS_KEPT && see(b, j->piece.hash))
        j->skip = EMS_SKIP_DUPLICATE;
    size_t *skipped = &b->build.skipped[j->skip];
    if (j->skip == EMS_SKIP_UNREADABLE && *skipped < TOLD_FILES)
        ems_log(b->run, EMS_LOG_WARNING, "skipped: %s", j->error.text);
    (*skipped)++;
    return j->skip == EMS_KEPT ? keep(b, j, err) : EMS_OK;
}

static int read_batch(builder *b, ems_pool *pool, size_t first, size_t count,
                      ems_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const ems_midi_file *file = &b->files.items[first + i];
        b->jobs[i] = (job){.file = file, .label = label_of(b, file)};
    }
    ems_pool_for(pool, count, read_file, b->jobs);
    int code = EMS_OK;
    for (size_t i = 0; i < count; i++) {
        if (code == EMS_OK)
            code = finish_job(b, &b->jobs[i], err);
        ems_tokens_clear(&b->jobs[i].tokens);
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

/* ---- The call ---- */

ems_dataset_options ems_dataset_defaults(void)
{
    return (ems_dataset_options){.held_out = 0.05};
}

static int load_labels(builder *b, const char *path, ems_error *err)
{
    if (!path)
        return EMS_OK;
    b->labels_folder = ems_strdup(path);
    if (!b->labels_folder)
        return ems_out_of_memory(err);
    char *slash = strrchr(b->labels_folder, '/');
    b->labels_folder[slash ? slash - b->labels_folder + 1 : 0] = '\0';
    return ems_labels_load(&b->labels, path, err);
}

static int open_spool(builder *b, const char *out, ems_error *err)
{
    int code = ems_output_open(&b->out, out, err);
    if (code == EMS_OK)
        code = ems_output_reserve(&b->spool, out, err);
    if (code == EMS_OK && !(b->spool.file = fopen(b->spool.temporary, "w+be")))
        code = ems_fail_errno(err, EMS_EIO, "cannot write beside \"%s\"",
                              out);
    return code;
}

static int prepare(builder *b, const char *out,
                   const ems_dataset_options *o, ems_error *err)
{
    if (o->folder_count == 0)
        return ems_fail(err, EMS_EINVAL, "no folder to build a data set"
                        " from");
    if (!(o->held_out >= 0 && o->held_out < 1))
        return ems_fail(err, EMS_EINVAL, "a held-out share of %g; it must"
                        " lie in [0,1)", o->held_out);
    b->held_out = o->held_out;
    int code = load_labels(b, o->labels, err);
    if (code == EMS_OK)
        code = ems_midi_files_find(&b->files, o->folders, o->folder_count,
                                   err);
    if (code < 0)
        return code;
    b->build.files = b->files.count;
    size_t slots = 64;
    while (slots < 2 * b->files.count)
        slots *= 2;
    b->seen_mask = slots - 1;
    b->seen = ems_alloc(slots, sizeof *b->seen);
    b->jobs = ems_alloc(BATCH, sizeof *b->jobs);
    if (!b->seen || !b->jobs)
        return ems_out_of_memory(err);
    return open_spool(b, out, err);
}

static void release(builder *b)
{
    ems_output_discard(&b->out);
    ems_output_discard(&b->spool);
    ems_midi_files_clear(&b->files);
    ems_labels_clear(&b->labels);
    ems_free(b->labels_folder);
    ems_free(b->seen);
    ems_free(b->jobs);
    ems_free(b->build.pieces);
    ems_free(b->build.bars);
    ems_free(b->build.affect);
    ems_free(b->build.names);
}

int ems_dataset_build(const char *out, const ems_dataset_options *options,
                      const ems_run *run, ems_error *err)
{
    builder b = {.run = run};
    int code = prepare(&b, out, options, err);
    if (code == EMS_OK)
        code = read_files(&b, err);
    if (code == EMS_OK && b.build.count == 0)
        code = ems_fail(err, EMS_EFORMAT, "none of %zu MIDI files can be"
                        " used", b.build.files);
    if (code == EMS_OK)
        code = ems_build_arousal(&b.build, err);
    if (code == EMS_OK)
        code = ems_build_write(&b.build, &b.out, b.spool.file, err);
    if (code == EMS_OK)
        code = ems_build_report(&b.build, options->report, run, err);
    if (code == EMS_OK)
        ems_progress(run, "dataset", 1);
    release(&b);
    return code;
}
