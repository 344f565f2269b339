/* What only a terminal shows: the question, colours, Ctrl-C. */
#include "ems_test.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE = 20000 }; /* milliseconds to wait for anything */

#define OUT EMS_SCRATCH "/terminal-out.json"
#define MISSING EMS_SCRATCH "/no-such-analysis.json"

typedef struct session {
    pid_t pid;
    int fd;
    char text[16384]; /* all it has printed */
    size_t used;
} session;

static void start(session *s, char *const *argv, const char *term)
{
    *s = (session){0};
    s->pid = forkpty(&s->fd, NULL, NULL, NULL);
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        setenv("TERM", term, 1);
        unsetenv("NO_COLOR");
        execv(EMSYNC, argv);
        _exit(99);
    }
}

/* Read until `text` has come (NULL: until the end). */
static int expect(session *s, const char *text)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    while (!text || !strstr(s->text, text)) {
        if (s->used + 1 == sizeof s->text || poll(&p, 1, PATIENCE) <= 0)
            return 0;
        const ssize_t n = read(s->fd, s->text + s->used,
                               sizeof s->text - 1 - s->used);
        if (n <= 0) /* the terminal is gone with the process */
            return !text;
        s->used += (size_t)n;
    }
    return 1;
}

static void type(const session *s, const char *keys)
{
    assert_int_equal(write(s->fd, keys, strlen(keys)), strlen(keys));
}

/* The program needs a moment to load; until it catches the signal, that
 * would end it as it ends any program. */
static int wait_for_handler(pid_t pid, int number)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    for (int i = 0; i < PATIENCE / 10; i++) {
        unsigned long long caught = 0;
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            sscanf(line, "SigCgt: %llx", &caught);
        if (f)
            fclose(f);
        if (caught >> (number - 1) & 1)
            return 1;
        nanosleep(&moment, NULL);
    }
    return 0;
}

static int finish(session *s)
{
    int status = 0;
    if (!expect(s, NULL))
        kill(s->pid, SIGKILL);
    waitpid(s->pid, &status, 0);
    close(s->fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *f = fopen(path, "r");
    const size_t n = f ? fread(found, 1, sizeof found - 1, f) : 0;
    if (f)
        fclose(f);
    found[n] = '\0';
    return strcmp(found, text) == 0;
}

static char *const plan[] = {"emsync", "plan", MISSING, "-o", OUT, NULL};

static void test_no_leaves_the_file(void **state)
{
    session s;
    (void)state;
    put(OUT, "old");
    start(&s, plan, "xterm");
    assert_true(expect(&s, "[y/N] "));
    type(&s, "n\n");
    assert_int_equal(finish(&s), 1);
    assert_non_null(strstr(s.text, "left as it is"));
    assert_true(holds(OUT, "old"));
}

static void test_yes_goes_on(void **state)
{
    session s;
    (void)state;
    put(OUT, "old");
    start(&s, plan, "xterm");
    assert_true(expect(&s, "[y/N] "));
    type(&s, "y\n");
    assert_int_equal(finish(&s), 1); /* the input does not exist */
    assert_non_null(strstr(s.text, "no-such-analysis.json"));
    assert_true(holds(OUT, "old"));
}

static void test_errors_are_red_where_colours_are(void **state)
{
    char *const argv[] = {"emsync", "nonsense", NULL};
    session s;
    (void)state;
    start(&s, argv, "xterm");
    assert_int_equal(finish(&s), 2);
    assert_non_null(strstr(s.text, "\033[1;31memsync:"));
    start(&s, argv, "dumb");
    assert_int_equal(finish(&s), 2);
    assert_null(strchr(s.text, '\033'));
}

static void test_ctrl_c_stops(void **state)
{
    char *const argv[] = {"emsync", "bench", "compose", "--layers", "1",
                          "--width", "64", "--heads", "2", "--inner", "64",
                          "--context", "128", "--window", "16", "--tokens",
                          "100000000", NULL};
    session s;
    (void)state;
    start(&s, argv, "xterm");
    assert_true(wait_for_handler(s.pid, SIGINT));
    type(&s, "\003");
    assert_int_equal(finish(&s), 130);
    assert_non_null(strstr(s.text, "interrupted"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_leaves_the_file),
        cmocka_unit_test(test_yes_goes_on),
        cmocka_unit_test(test_errors_are_red_where_colours_are),
        cmocka_unit_test(test_ctrl_c_stops),
    };
    return cmocka_run_group_tests_name("cli terminal", tests, NULL, NULL);
}
