/* Is everything there that the program needs? */
#include "audio/audio.h"
#include "base/error.h"
#include "base/mem.h"
#include "music/model_io.h"
#include "nn/cpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

typedef struct patient {
    void (*each)(void *user, int ok, const char *text);
    void *user;
    int wrong;
} patient;

__attribute__((format(printf, 3, 4)))
static void say(patient *p, int ok, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->wrong += !ok;
    if (p->each)
        p->each(p->user, ok, text);
}

static void check_processor(patient *p)
{
    const ems_cpu_level level = ems_cpu_best();
    if (level == EMS_CPU_BASE)
        say(p, 0, "processor: no AVX2 and FMA; composing works but is slow,"
            " and its notes may differ from other machines'");
    else
        say(p, 1, "processor: kernels for %s%s, %ld cores",
            ems_cpu_name(level),
            ems_cpu_has_bf16() ? " with bfloat16 products" : "",
            sysconf(_SC_NPROCESSORS_ONLN));
}

static void check_model(patient *p)
{
    ems_error err;
    ems_model_info info;
    char *path = ems_model_find(&err);
    if (!path || ems_model_inspect(path, &info, &err) < 0)
        say(p, 0, "music model: %s", err.text);
    else
        say(p, 1, "music model: %s, %llu parameters, %d layers, SHA-256"
            " %.16s", path, (unsigned long long)info.parameters,
            info.shape.n_layer, info.sha256);
    ems_free(path);
}

static void check_soundfont(patient *p)
{
    ems_error err;
    const char *path = ems_soundfont_find(NULL, &err);
    if (path)
        say(p, 1, "SoundFont: %s", path);
    else
        say(p, 0, "SoundFont: %s", err.text);
}

typedef struct expert_count { int usable, broken; } expert_count;

static void count_expert(void *user, const ems_expert_info *info)
{
    expert_count *n = user;
    *(info->why ? &n->broken : &n->usable) += 1;
}

/* None is needed: only broken ones are a fault. */
static void check_experts(patient *p)
{
    ems_error err;
    expert_count n = {0, 0};
    if (ems_experts_each(0, count_expert, &n, &err) < 0)
        say(p, 0, "experts: %s", err.text);
    else if (n.broken)
        say(p, 0, "experts: %d of %d cannot be used; \"emsync experts check\""
            " says why", n.broken, n.broken + n.usable);
    else if (n.usable)
        say(p, 1, "experts: %d installed", n.usable);
    else
        say(p, 1, "experts: none installed, \"make experts\" gets them;"
            " films are analysed without");
}

int ems_doctor(void (*each)(void *user, int ok, const char *text), void *user)
{
    patient p = {each, user, 0};
    say(&p, 1, "emsync %s", EMS_VERSION);
    check_processor(&p);
    check_model(&p);
    check_soundfont(&p);
    check_experts(&p);
    return p.wrong;
}
