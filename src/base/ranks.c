#include "base/ranks.h"

#include "base/mem.h"
#include "base/ranks_mpi.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN "libemsync-mpi.so"
enum { PIECE = 1 << 28 }; /* floats that are summed in one call */

struct ems_ranks {
    const ems_ranks_calls *calls;
    void *state;
    int rank, size, local, failed;
};

/* ---- What the launcher says --------------------------------------------- */

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text && *text >= '0' && *text <= '9' ? atoi(text) : otherwise;
}

int ems_ranks_announced(int *size)
{
    /* Open MPI, MPICH and Intel; srun, with or without any MPI. */
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                        "SLURM_STEP_NUM_TASKS"};
    static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int n = number(sizes[i], 0);
        if (n < 1)
            continue;
        *size = n;
        return n > 1 ? number(ranks[i], 0) : 0;
    }
    *size = 1;
    return 0;
}

int ems_rank(int *size)
{
    int n;
    const int rank = ems_ranks_announced(&n);
    if (size)
        *size = n;
    return rank;
}

/* ---- The plug-in -------------------------------------------------------- */

/* The folder of the program, where a build tree has the plug-in. */
static char *beside_program(void)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    slash[1] = '\0';
    strncat(path, PLUGIN, sizeof path - strlen(path) - 1);
    return ems_strdup(path);
}

static const ems_ranks_calls *load_from(char *path, ems_error *err)
{
    if (!path || access(path, R_OK) != 0)
        return NULL;
    /* MPI loads parts of its own that look for its symbols: RTLD_GLOBAL. */
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    if (!library) {
        ems_fail(err, EMS_EUNSUPPORTED, "cannot load \"%s\": %s", path,
                 dlerror());
        return NULL;
    }
    const ems_ranks_calls *calls = dlsym(library, EMS_RANKS_SYMBOL);
    if (!calls || calls->version != EMS_RANKS_VERSION) {
        ems_fail(err, EMS_EUNSUPPORTED, "\"%s\" belongs to another version"
                 " of emsync", path);
        return NULL;
    }
    return calls;
}

static const ems_ranks_calls *load(int size, ems_error *err)
{
    const char *const given = getenv("EMSYNC_MPI");
    ems_fail(err, EMS_EUNSUPPORTED, "started as one of %d processes, but this"
             " emsync was built without MPI (build it with Open MPI at hand,"
             " or start it alone)", size);
    if (given) {
        char *path = ems_strdup(given);
        const ems_ranks_calls *calls = load_from(path, err);
        ems_free(path);
        return calls;
    }
    char *const place[] = {beside_program(),
                           ems_strdup(EMS_PLUGINS_INSTALLED "/" PLUGIN)};
    const ems_ranks_calls *calls = NULL;
    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        if (!calls)
            calls = load_from(place[i], err);
        ems_free(place[i]);
    }
    return calls;
}

/* srun without MPI starts copies that cannot know each other. */
static int are_strangers(void)
{
    return getenv("SLURM_STEP_NUM_TASKS") && !getenv("PMIX_RANK") &&
           !getenv("PMI_RANK");
}

static int join(ems_ranks *r, int announced, ems_error *err)
{
    char why[160] = "";
    if (are_strangers())
        return ems_fail(err, EMS_EUNSUPPORTED, "srun started %d processes"
                        " without MPI: use srun --mpi=pmix, or mpirun",
                        announced);
    r->calls = load(announced, err);
    if (!r->calls)
        return EMS_EUNSUPPORTED;
    r->state = r->calls->open(&r->rank, &r->size, &r->local, why, sizeof why);
    if (!r->state)
        return ems_fail(err, EMS_EUNSUPPORTED, "%s", why);
    if (r->size == announced)
        return EMS_OK;
    return ems_fail(err, EMS_EUNSUPPORTED, "%d processes were started, but"
                    " MPI knows of %d: start them with mpirun of the MPI"
                    " that emsync was built with", announced, r->size);
}

int ems_ranks_open(ems_ranks **out, ems_error *err)
{
    ems_error local;
    int announced;
    *out = NULL;
    ems_ranks_announced(&announced);
    if (announced < 2)
        return EMS_OK;
    ems_ranks *r = ems_alloc(1, sizeof *r);
    if (!r)
        return ems_out_of_memory(err);
    const int code = join(r, announced, err ? err : &local);
    if (code < 0)
        ems_ranks_close(r);
    else
        *out = r;
    return code;
}

void ems_ranks_close(ems_ranks *r)
{
    if (!r)
        return;
    if (r->state)
        r->calls->close(r->state, r->failed);
    ems_free(r);
}

int ems_ranks_rank(const ems_ranks *r)
{
    return r ? r->rank : 0;
}

int ems_ranks_size(const ems_ranks *r)
{
    return r ? r->size : 1;
}

int ems_ranks_threads(const ems_ranks *r, int threads)
{
    if (!r || threads > 0 || getenv("EMSYNC_THREADS"))
        return threads;
    /* Launchers pin ranks to cores: more threads than those are in the way. */
    cpu_set_t set;
    const int cores = (int)sysconf(_SC_NPROCESSORS_ONLN) / r->local;
    const int mine = sched_getaffinity(0, sizeof set, &set) == 0
                         ? CPU_COUNT(&set) : cores;
    const int n = mine < cores ? mine : cores;
    return n < 1 ? 1 : n;
}

/* ---- Talking ------------------------------------------------------------ */

static int check(ems_ranks *r, int failed, ems_error *err)
{
    if (!failed)
        return EMS_OK;
    r->failed = 1;
    return ems_fail(err, EMS_EIO, "rank %d of %d lost touch with the others;"
                    " resume from the last checkpoint", r->rank, r->size);
}

int ems_ranks_sum(ems_ranks *r, double *x, size_t n, ems_error *err)
{
    return r ? check(r, r->calls->sum(r->state, x, n), err) : EMS_OK;
}

int ems_ranks_share(ems_ranks *r, void *data, size_t bytes, ems_error *err)
{
    return r ? check(r, r->calls->share(r->state, 0, data, bytes), err)
             : EMS_OK;
}

int ems_ranks_agree(ems_ranks *r, int code, ems_error *err)
{
    if (!r || r->failed)
        return code;
    int first = code < 0 ? r->rank : r->size;
    if (check(r, r->calls->least(r->state, &first), err) < 0)
        return EMS_EIO;
    if (first == r->size)
        return EMS_OK;
    ems_error theirs = {.code = EMS_EINTERNAL};
    if (first == r->rank)
        theirs = *err;
    if (check(r, r->calls->share(r->state, first, &theirs, sizeof theirs),
              err) < 0)
        return EMS_EIO;
    theirs.text[sizeof theirs.text - 1] = '\0';
    if (r->rank != first)
        return ems_fail(err, theirs.code, "rank %d: %.200s", first,
                        theirs.text);
    return code;
}

void ems_ranks_begin(ems_ranks *r, float *x, size_t n)
{
    for (size_t at = 0; r && at < n; at += PIECE) {
        const size_t left = n - at;
        if (r->calls->begin(r->state, x + at, left < PIECE ? left : PIECE))
            r->failed = 1;
    }
}

int ems_ranks_wait(ems_ranks *r, ems_error *err)
{
    return r ? check(r, r->calls->wait(r->state) || r->failed, err) : EMS_OK;
}
