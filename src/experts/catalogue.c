/* catalogue.c - the calls of emsync.h about the experts of this machine. */
#include "base/file.h"
#include "base/mem.h"
#include "base/run.h"
#include "experts/convert.h"
#include "experts/expert.h"
#include "experts/registry.h"
#include "experts/tflite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const size_t MOST_COPY = (size_t)2 << 30;

/* ---- Looking --------------------------------------------------------------*/

static ems_expert_info info_of(const ems_expert *e, const char *name,
                               const char *folder)
{
    const ems_manifest *m = ems_expert_manifest(e);
    const int hears = m->kind == EMS_EXPERT_SOUND ||
                      m->kind == EMS_EXPERT_SPEECH;
    return (ems_expert_info){
        .name = name, .folder = folder, .modality = ems_expert_kinds[m->kind],
        .what = m->what, .licence = m->licence,
        .source = m->source ? m->source : "", .sha256 = ems_expert_id(e),
        .dim = m->dim,
        .every = hears ? (double)m->sound.hop / m->sound.rate : m->every,
    };
}

/* Tell about one folder; `ort` NULL: its networks are not opened. */
static int look(const char *name, const char *folder, ems_ort *ort,
                void (*each)(void *, const ems_expert_info *), void *user)
{
    ems_error err;
    ems_expert_info info = {.name = name, .folder = folder, .modality = "",
                            .what = "", .licence = "", .source = "",
                            .sha256 = ""};
    ems_expert *e = ems_expert_load(folder, &err);
    if (e)
        info = info_of(e, name, folder);
    if (!e || (ort && ems_expert_start(e, ort, &err) < 0))
        info.why = err.text;
    else if (strcmp(ems_expert_manifest(e)->name, name) != 0)
        info.why = "its folder has not the name of its manifest";
    each(user, &info);
    const int wrong = info.why != NULL;
    ems_expert_free(e);
    return wrong;
}

int ems_experts_each(int open_networks,
                     void (*each)(void *user, const ems_expert_info *info),
                     void *user, ems_error *err)
{
    ems_registry r;
    ems_ort *ort = NULL;
    int wrong = 0, code = ems_registry_open(&r, err);
    if (code < 0)
        return code;
    if (open_networks && r.count) {
        ort = ems_ort_open((const char *const *)r.roots, 1, err);
        code = ort ? EMS_OK : EMS_EUNSUPPORTED;
    }
    for (size_t i = 0; i < r.count && code == EMS_OK; i++)
        wrong += look(r.places[i].name, r.places[i].folder, ort, each, user);
    ems_ort_close(ort);
    ems_registry_clear(&r);
    return code < 0 ? code : wrong;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

int ems_expert_check(const char *folder,
                     void (*each)(void *user, const ems_expert_info *info),
                     void *user, ems_error *err)
{
    ems_registry r;
    int code = ems_registry_open(&r, err);
    if (code < 0)
        return code;
    ems_ort *ort = ems_ort_open((const char *const *)r.roots, 1, err);
    code = ort ? look(base_name(folder), folder, ort, each, user)
               : EMS_EUNSUPPORTED;
    ems_ort_close(ort);
    ems_registry_clear(&r);
    return code;
}

/* ---- Adding ---------------------------------------------------------------*/

static int copy_file(const char *from, const char *to, const char *name,
                     ems_error *err)
{
    char *source = ems_path_join(from, name), *target = ems_path_join(to, name);
    ems_bytes b = {0};
    int code = source && target ? ems_bytes_map(&b, source, MOST_COPY, err)
                                : ems_out_of_memory(err);
    if (code == EMS_OK)
        code = ems_file_write(target, b.data, b.size, err);
    ems_bytes_unmap(&b);
    ems_free(source);
    ems_free(target);
    return code;
}

static int copy_expert(const char *from, const char *to,
                       const ems_manifest *m, ems_error *err)
{
    int code = ems_folder_make(to, err);
    if (code == EMS_OK)
        code = copy_file(from, to, m->network.path, err);
    if (code == EMS_OK && m->sound.front.path)
        code = copy_file(from, to, m->sound.front.path, err);
    return code < 0 ? code : copy_file(from, to, "manifest.json", err);
}

int ems_expert_add(const char *folder, ems_error *err)
{
    ems_registry r;
    int code = ems_registry_open(&r, err);
    if (code < 0)
        return code;
    ems_expert *e = ems_expert_load(folder, err);
    ems_ort *ort = e ? ems_ort_open((const char *const *)r.roots, 1, err)
                     : NULL;
    char *home = NULL, *to = NULL;
    code = ort ? ems_expert_start(e, ort, err) : EMS_EFORMAT;
    if (code == EMS_OK) {
        home = ems_registry_home(err);
        code = home ? EMS_OK : EMS_EIO;
    }
    if (code == EMS_OK) {
        to = ems_path_join(home, ems_expert_manifest(e)->name);
        code = to ? copy_expert(folder, to, ems_expert_manifest(e), err)
                  : ems_out_of_memory(err);
    }
    ems_free(to);
    ems_free(home);
    ems_expert_free(e);
    ems_ort_close(ort);
    ems_registry_clear(&r);
    return code;
}

/* ---- Converting ---------------------------------------------------------- */

static uint8_t *convert_tf(const char *model, const char *const *outputs,
                           const char *name, size_t *size, ems_error *err)
{
    ems_tf_model *m = ems_tf_open(model, err);
    uint8_t *file = m ? ems_convert(m, outputs, name, size, err) : NULL;
    ems_tf_free(m);
    return file;
}

static uint8_t *convert_lite(const char *model, const char *const *outputs,
                             const char *name, size_t *size, ems_error *err)
{
    ems_bytes b = {0};
    ems_lite *m = NULL;
    if (ems_bytes_map(&b, model, MOST_COPY, err) == EMS_OK)
        m = ems_lite_parse(b.data, b.size, model, err);
    uint8_t *file = m ? ems_lite_convert(m, outputs, name, size, err) : NULL;
    ems_lite_free(m);
    ems_bytes_unmap(&b);
    return file;
}

int ems_expert_convert(const char *model, const char *onnx,
                       const char *const *outputs, ems_error *err)
{
    ems_error own;
    if (!err)
        err = &own;
    const char *dot = strrchr(base_name(model), '.');
    const int lite = dot && strcmp(dot, ".tflite") == 0;
    size_t size = 0;
    uint8_t *file = (lite ? convert_lite : convert_tf)(
        model, outputs && outputs[0] ? outputs : NULL, base_name(onnx), &size,
        err);
    const int code = file ? ems_file_write(onnx, file, size, err)
                          : (int)err->code;
    ems_free(file);
    return code;
}

/* ---- Measuring ----------------------------------------------------------- */

enum { SIDE = 360, WIDE = 640, LAPS = 5 };

/* One look or one second of sound, the best of some laps. */
static int time_expert(ems_expert *e, const uint8_t *rgb, double *seconds,
                       ems_error *err)
{
    const ems_manifest *m = ems_expert_manifest(e);
    const int hears = m->kind == EMS_EXPERT_SOUND ||
                      m->kind == EMS_EXPERT_SPEECH;
    const ems_rgb picture = {WIDE, SIDE, rgb};
    float *row = ems_alloc(m->dim, sizeof *row);
    float *sound = ems_alloc(m->sound.window + 1, sizeof *sound);
    int code = row && sound ? EMS_OK : ems_out_of_memory(err);
    *seconds = 1e9;
    for (int lap = 0; lap < LAPS && code == EMS_OK; lap++) {
        const double start = ems_now();
        code = hears ? ems_expert_hear(e, sound, 1, row, err)
                     : ems_expert_see(e, &picture, NULL, 1, row, err);
        *seconds = fmin(*seconds, ems_now() - start);
    }
    ems_free(row);
    ems_free(sound);
    return code;
}

static int bench_place(const ems_expert_place *p, ems_ort *ort,
                       const uint8_t *rgb,
                       void (*each)(void *, const ems_expert_info *, double,
                                    double),
                       void *user, ems_error *err)
{
    ems_expert *e = ems_expert_load(p->folder, err);
    double seconds = 0;
    int code = e ? ems_expert_start(e, ort, err) : EMS_EFORMAT;
    if (code == EMS_OK)
        code = time_expert(e, rgb, &seconds, err);
    if (code == EMS_OK) {
        const ems_expert_info info = info_of(e, p->name, p->folder);
        each(user, &info, seconds, seconds / info.every);
    }
    ems_expert_free(e);
    return code;
}

int ems_bench_experts(void (*each)(void *user, const ems_expert_info *info,
                                   double once, double per_second),
                      void *user, const ems_run *run, ems_error *err)
{
    ems_registry r;
    int code = ems_registry_open(&r, err);
    if (code < 0)
        return code;
    const int threads = ems_run_threads(run);
    ems_ort *ort = ems_ort_open((const char *const *)r.roots,
                                threads > 0 ? threads
                                            : (int)sysconf(
                                                  _SC_NPROCESSORS_ONLN),
                                err);
    uint8_t *rgb = ems_alloc(3 * SIDE * WIDE, 1);
    code = !ort ? EMS_EUNSUPPORTED : rgb ? EMS_OK : ems_out_of_memory(err);
    for (size_t i = 0; i < 3 * SIDE * WIDE && rgb; i++)
        rgb[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < r.count && code == EMS_OK; i++)
        code = bench_place(&r.places[i], ort, rgb, each, user, err);
    ems_free(rgb);
    ems_ort_close(ort);
    ems_registry_clear(&r);
    return code;
}
