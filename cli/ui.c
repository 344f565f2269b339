/* Progress, messages, signals. */
#include "ui.h"
#include "json.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught; /* a signal handler needs a global */

static void on_signal(int number)
{
    if (caught)
        _exit(128 + number);
    caught = number;
}

void cli_catch_signals(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;
        sigaction(numbers[i], NULL, &old);
        if (old.sa_handler != SIG_IGN) /* nohup, or a shell's background job */
            sigaction(numbers[i], &action, NULL);
    }
    /* A closed pipe and a file-size limit are write errors, not deaths. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int cli_interrupted(void)
{
    return caught ? 128 + caught : 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool smart_terminal(FILE *stream)
{
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
}

bool cli_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    return smart_terminal(stream) && !(no && *no);
}

/* Seconds the stage still needs; NaN while nobody can tell. */
static double time_left(double elapsed, double done)
{
    return elapsed > 0.5 && done > 0.005 ? elapsed * (1 - done) / done
                                         : (double)NAN;
}

static void progress_json(const cli_ui *ui, double elapsed, double done)
{
    cli_json j = {.out = stderr};
    cli_json_open(&j, NULL, '{');
    cli_json_text(&j, "stage", ui->stage);
    cli_json_real(&j, "done", done);
    cli_json_real(&j, "elapsed", round(1e3 * elapsed) / 1e3);
    cli_json_real(&j, "left", round(10 * time_left(elapsed, done)) / 10);
    cli_json_close(&j, '}');
    fputc('\n', stderr);
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* compose  [##########..........]  50 %  0:07 left */
static void progress_line(cli_ui *ui, double elapsed, double done)
{
    enum { WIDEST = 40 };
    const double left = time_left(elapsed, done);
    char wait[32] = "";
    if (isfinite(left) && left < 360000)
        snprintf(wait, sizeof wait, "  %d:%02d left", (int)ceil(left) / 60,
                 (int)ceil(left) % 60);
    int width = terminal_width() - 34;
    width = width > WIDEST ? WIDEST : width;
    char bar[WIDEST + 1] = "";
    for (int i = 0; i < width; i++) {
        bar[i] = (i + 0.5) / width < done ? '#' : '.';
        bar[i + 1] = '\0';
    }
    fprintf(stderr, "\r%-8.8s [%s] %3d %%%s\033[K", ui->stage, bar,
            (int)(100 * done), wait);
    fflush(stderr);
    ui->drawn = true;
}

static void on_progress(void *user, const char *stage, double done)
{
    cli_ui *ui = user;
    const double time = now();
    const bool fresh = strncmp(ui->stage, stage, sizeof ui->stage - 1) != 0;
    if (fresh) {
        snprintf(ui->stage, sizeof ui->stage, "%s", stage);
        ui->stage_begin = time;
    }
    if (!fresh && done < 1 && time - ui->last_draw < 0.1)
        return; /* ten times a second is enough for any eye */
    ui->last_draw = time;
    done = done >= 0 ? fmin(done, 1) : 0;
    if (ui->progress == CLI_PROGRESS_JSON)
        progress_json(ui, time - ui->stage_begin, done);
    else
        progress_line(ui, time - ui->stage_begin, done);
}

/* One line whatever a file name holds. */
static void print_line(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    for (; *s; s++) {
        const bool c1 = s[0] == 0xc2 && s[1] < 0xa0; /* in UTF-8 */
        if (*s == '\n')
            fputs("\\n", stderr);
        else if (*s < 0x20 || *s == 0x7f || c1)
            fprintf(stderr, "\\x%02x", *s);
        else
            fputc(*s, stderr);
    }
    fputc('\n', stderr);
}

static void on_log(void *user, ems_log_level level, const char *text)
{
    static const char *const names[] = {"warning", "info", "debug"};
    cli_ui *ui = user;
    if (level == EMS_LOG_INFO && !ui->command->chatty &&
        ui->common->verbosity < 1)
        return;
    if (level == EMS_LOG_DEBUG && ui->common->verbosity < 1)
        return;
    cli_ui_clear(ui);
    if (ui->json) {
        cli_json j = {.out = stderr};
        cli_json_open(&j, NULL, '{');
        cli_json_text(&j, names[level], text);
        cli_json_close(&j, '}');
        fputc('\n', stderr);
        return;
    }
    if (level == EMS_LOG_WARNING)
        fputs("emsync: warning: ", stderr);
    print_line(text);
}

static int on_cancelled(void *user)
{
    (void)user;
    return caught != 0;
}

void cli_ui_begin(cli_ui *ui, const cli_command *command,
                  const cli_common *common)
{
    *ui = (cli_ui){.command = command, .common = common};
    const bool quiet = common->verbosity < 0;
    ui->progress = common->progress;
    if (ui->progress == CLI_PROGRESS_AUTO)
        ui->progress = smart_terminal(stderr) && !quiet ? CLI_PROGRESS_TTY
                                                        : CLI_PROGRESS_NONE;
    ui->json = ui->progress == CLI_PROGRESS_JSON;
    ui->run = (ems_run){
        .threads = common->threads,
        .user = ui,
        .progress = ui->progress == CLI_PROGRESS_NONE ? NULL : on_progress,
        .log = quiet ? NULL : on_log,
        .cancelled = on_cancelled,
    };
}

void cli_ui_clear(cli_ui *ui)
{
    if (ui->drawn)
        fputs("\r\033[K", stderr);
    ui->drawn = false;
}

void cli_complain(const char *text)
{
    const bool colour = cli_colour(stderr);
    fputs(colour ? "\033[1;31memsync:\033[0m " : "emsync: ", stderr);
    print_line(text);
}

static int report(cli_ui *ui, const char *text)
{
    cli_ui_clear(ui);
    if (ui->json) {
        cli_json j = {.out = stderr};
        cli_json_open(&j, NULL, '{');
        cli_json_text(&j, "error", text);
        cli_json_close(&j, '}');
        fputc('\n', stderr);
    } else {
        cli_complain(text);
    }
    return cli_interrupted() ? cli_interrupted() : CLI_FAILED;
}

int cli_fail(cli_ui *ui, const ems_error *err)
{
    if (err->code == EMS_ECANCELLED)
        return report(ui, "interrupted; unfinished files are removed");
    return report(ui, err->text);
}

int cli_error(cli_ui *ui, const char *format, ...)
{
    char text[sizeof((ems_error *)0)->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return report(ui, text);
}

bool cli_talks(const cli_ui *ui)
{
    return ui->common->verbosity >= 0 && !ui->common->json;
}

const char *cli_time(double seconds, char *text, size_t size)
{
    const long long ms = llround(seconds * 1000);
    const long long rest = ms % 60000, minutes = ms / 60000;
    if (minutes < 60)
        snprintf(text, size, "%lld:%02lld.%03lld", minutes, rest / 1000,
                 rest % 1000);
    else
        snprintf(text, size, "%lld:%02lld:%02lld.%03lld", minutes / 60,
                 minutes % 60, rest / 1000, rest % 1000);
    return text;
}
