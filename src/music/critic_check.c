/* A critic's ratings beside labels that a table gives the same files. */
#include "music/critic.h"
#include "music/critic_features.h"
#include "music/critic_fit.h"
#include "music/evaluate.h"

#include "base/mem.h"
#include "base/pool.h"
#include "base/run.h"
#include "music/labels.h"
#include "music/midi_files.h"
#include "music/piece.h"

#include <math.h>

typedef struct rated_file {
    const char *path;
    double label[2], heard[2]; /* NaN: unknown, or not to be read */
} rated_file;

typedef struct checking {
    const ems_critic *critic;
    double window;             /* seconds in the middle; 0: the whole piece */
    rated_file *file;
} checking;

static void rate_file(void *ctx, size_t i)
{
    const checking *c = ctx;
    rated_file *f = &c->file[i];
    f->heard[0] = f->heard[1] = NAN;
    ems_piece *p = ems_piece_load(f->path, NULL);
    if (!p)
        return;
    ems_affect_point point = {NAN, NAN};
    const double middle = ems_heard_end(p->notes, p->note_count) / 2;
    if (c->window > 0)
        point = ems_critic_rate(c->critic, p->notes, p->note_count,
                                middle - c->window / 2,
                                middle + c->window / 2);
    else
        ems_critic_piece(c->critic, p->notes, p->note_count, &point, NULL);
    f->heard[0] = point.valence;
    f->heard[1] = point.arousal;
    ems_piece_free(p);
}

/* Share of pairs of a label above and one below 0 that are heard in order. */
static double in_order(const double *label, const double *heard, size_t n)
{
    double right = 0, pairs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; label[i] > 0 && k < n; k++)
            if (label[k] < 0) {
                right += heard[i] > heard[k] ? 1
                         : heard[i] < heard[k] ? 0 : 0.5;
                pairs++;
            }
    return pairs > 0 ? right / pairs : NAN;
}

static int compare(ems_critic_axis *out, const rated_file *file, size_t files,
                   size_t axis, ems_error *err)
{
    double *label = ems_alloc(2 * files + 1, sizeof *label);
    if (!label)
        return ems_out_of_memory(err);
    double *heard = label + files;
    size_t n = 0;
    *out = (ems_critic_axis){0};
    for (size_t i = 0; i < files; i++) {
        label[n] = file[i].label[axis];
        heard[n] = file[i].heard[axis];
        if (!isfinite(label[n]) || !isfinite(heard[n]))
            continue;
        out->signs += label[n] != 0;
        out->right += label[n] * heard[n] > 0;
        n++;
    }
    out->pieces = n;
    out->r = ems_correlation(label, heard, n);
    out->rho = n > 1 ? ems_spearman(label, heard, n) : 0;
    out->in_order = in_order(label, heard, n);
    ems_free(label);
    return EMS_OK;
}

static int check_files(checking *c, const ems_midi_files *files,
                       const ems_labels *labels, ems_critic_axis axis[2],
                       const ems_run *run, ems_error *err)
{
    ems_pool *pool = ems_pool_new(ems_run_threads(run), err);
    c->file = ems_alloc(files->count, sizeof *c->file);
    size_t n = 0;
    int code = pool && c->file ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; code == EMS_OK && i < files->count; i++) {
        const ems_midi_file *f = &files->items[i];
        const ems_label *l = ems_labels_find(labels, f->path + f->relative);
        if (l)
            c->file[n++] = (rated_file){
                .path = f->path, .label = {l->valence, l->arousal}};
    }
    if (code == EMS_OK && n == 0)
        code = ems_fail(err, EMS_EFORMAT, "the table names none of the %zu"
                        " MIDI files; its column `file` must hold their paths"
                        " below the folder", files->count);
    if (code == EMS_OK) {
        ems_pool_for(pool, n, rate_file, c);
        code = compare(&axis[0], c->file, n, 0, err);
    }
    if (code == EMS_OK)
        code = compare(&axis[1], c->file, n, 1, err);
    ems_free(c->file);
    ems_pool_free(pool);
    return code;
}

int ems_critic_check(const char *folder, const char *labels, double window,
                     const ems_rate_options *options, ems_critic_axis axis[2],
                     const ems_run *run, ems_error *err)
{
    ems_error own;
    ems_error *e = err ? err : &own;
    ems_critic *critic = ems_critic_open(options->critic, e);
    if (!critic)
        return e->code;
    if (options->velocity)
        ems_critic_hear_velocity(critic);
    ems_midi_files files = {0};
    ems_labels table = {0};
    checking c = {.critic = critic, .window = window};
    int code = ems_midi_files_find(&files, &folder, 1, e);
    if (code == EMS_OK)
        code = ems_labels_load(&table, labels, e);
    if (code == EMS_OK)
        code = check_files(&c, &files, &table, axis, run, e);
    ems_labels_clear(&table);
    ems_midi_files_clear(&files);
    ems_critic_free(critic);
    return code;
}
