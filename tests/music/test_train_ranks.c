/* Two ranks learn what one learns from a batch twice as large. Started by
 * mpirun with an argument, this program is one of the ranks. */
#include "train_rig.h"

#include "base/mem.h"
#include "music/train.h"
#include "music/vocab.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <sys/wait.h>

#define DATA EMS_SCRATCH "/ranks.tok"
#define OUT EMS_SCRATCH "/ranks.out"
#define SAYS EMS_SCRATCH "/ranks.says"

extern char **environ;

static ems_train_options ranks_run(const char *out, int batch)
{
    ems_train_options o = short_run(DATA, out);
    o.shape = (ems_model_shape){32, 3, 2, 48, 42, EMS_VOCAB};
    o.batch = batch;
    o.contrast = 4;
    o.pairs = batch; /* of every rank */
    o.breaks = 0.5;
    o.steps = 40;
    o.validate_steps = 20;
    return o;
}

/* ---- One of the ranks --------------------------------------------------- */

static int stop_second(void *user)
{
    (void)user;
    return ems_rank(NULL) == 1;
}

static int be_a_rank(const char *what)
{
    ems_error err;
    ems_train_options o = ranks_run(OUT ".two", 2);
    ems_run run = {.threads = 1};
    if (strcmp(what, "parts") == 0) {
        o.out = OUT ".parts";
        o.batch = 1;
        o.accumulate = 2;
    }
    if (strcmp(what, "missing") == 0 && ems_rank(NULL) == 1)
        o.dataset = EMS_SCRATCH "/none.tok";
    if (strcmp(what, "stopped") == 0) {
        o.out = OUT ".stopped";
        run.cancelled = stop_second;
    }
    o.resume = strcmp(what, "resumed") == 0;
    o.steps = o.resume ? 50 : 40;
    const int code = ems_train_music(&o, &run, &err);
    if (code == 0 || ems_rank(NULL) > 0) /* else mpirun kills the first */
        return 0;
    fprintf(stderr, "emsync: %s\n", err.text);
    return -code;
}

/* ---- All of them -------------------------------------------------------- */

static char *self; /* this program */

/* The exit code; what was said is in SAYS. */
static int start_ranks(const char *what)
{
    char *const argv[] = {"mpirun", "-n", "2", self, (char *)(uintptr_t)what,
                          NULL};
    posix_spawn_file_actions_t files;
    pid_t child;
    /* Open MPI leaves memory behind at its end: none of our business. */
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
    int status;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, SAYS,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    assert_int_equal(posix_spawnp(&child, "mpirun", &files, NULL, argv,
                                  environ), 0);
    posix_spawn_file_actions_destroy(&files);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Lines of SAYS that hold the text. */
static int said(const char *text)
{
    char line[512];
    int n = 0;
    FILE *f = fopen(SAYS, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

/* Losses and scores of two logs, number by number. */
static void same_log(const char *a, const char *b)
{
    char x[512], y[512];
    int lines = 0;
    FILE *f = fopen(a, "r"), *g = fopen(b, "r");
    assert_true(f && g);
    while (fgets(x, sizeof x, f) && fgets(y, sizeof y, g)) {
        static const char *const keys[] = {" loss ", " nll ", " top5 "};
        for (int i = 0; i < 3; i++) {
            const char *p = strstr(x, keys[i]), *q = strstr(y, keys[i]);
            assert_true(!p == !q);
            const double d = p ? atof(p + strlen(keys[i])) -
                                 atof(q + strlen(keys[i])) : 0;
            lines += p != NULL;
            if (fabs(d) > 2e-5)
                fail_msg("%s%s", x, y);
        }
    }
    assert_true(lines > 6);
    fclose(f);
    fclose(g);
}

static void two_are_as_one(void **state)
{
    (void)state;
    ems_error err;
    ems_train_options o = ranks_run(OUT ".one", 4);
    must(train(&o, 2, 0, &err), &err);
    if (start_ranks("plain") != 0)
        fail_msg("see %s", SAYS);
    same_log(OUT ".one.log", OUT ".two.log");
    assert_int_equal(steps_in(OUT ".two.ckpt"), 40);
    assert_int_equal(start_ranks("parts"), 0);
    same_log(OUT ".one.log", OUT ".parts.log");
    o.resume = 1;
    o.steps = 50;
    must(train(&o, 2, 0, &err), &err);
    assert_int_equal(start_ranks("resumed"), 0);
    same_log(OUT ".one.log", OUT ".two.log");
}

static void one_failure_ends_all(void **state)
{
    (void)state;
    unlink(OUT ".two.log");
    assert_true(start_ranks("missing") > 0);
    assert_int_equal(said("emsync: rank 1: cannot open"), 1);
    assert_int_equal(said("emsync: "), 1);
    assert_int_not_equal(access(OUT ".two.log", R_OK), 0);
}

static void one_signal_stops_all(void **state)
{
    (void)state;
    assert_true(start_ranks("stopped") > 0);
    assert_int_equal(said("emsync: cancelled"), 1);
    assert_int_equal(steps_in(OUT ".stopped.ckpt"), 0);
}

static int has_mpirun(void)
{
    char *argv[] = {"mpirun", "--version", NULL};
    posix_spawn_file_actions_t files;
    pid_t child;
    int status = 1;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    const int failed = posix_spawnp(&child, "mpirun", &files, NULL, argv,
                                    environ);
    posix_spawn_file_actions_destroy(&files);
    return !failed && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_are_as_one),
        cmocka_unit_test(one_failure_ends_all),
        cmocka_unit_test(one_signal_stops_all),
    };
    if (argc > 1)
        return be_a_rank(argv[1]);
    if (strlen(MPI_PLUGIN) == 0 || !has_mpirun()) {
        printf("skipped: needs Open MPI (openmpi-bin, libopenmpi-dev)\n");
        return EMS_TEST_SKIP;
    }
    self = argv[0];
    setenv("EMSYNC_MPI", MPI_PLUGIN, 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
    setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 1);
    write_data(DATA, 4);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
