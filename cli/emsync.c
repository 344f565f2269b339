/* emsync - give a film its own soundtrack. Finds the sub-command, reads its
 * options, runs it. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A descriptor below 3 that is closed would be given to an output file, and
 * messages would end up in it. */
static void keep_standard_streams(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* What could not be printed was not done. */
static int finish(int code)
{
    const bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (!failed || code != CLI_DONE)
        return code;
    char text[160];
    snprintf(text, sizeof text, "cannot write to standard output: %s",
             strerror(errno));
    cli_complain(text);
    return CLI_FAILED;
}

__attribute__((format(printf, 1, 2)))
static int misused(const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_complain(text);
    return CLI_USAGE;
}

static int unknown_command(const char *word)
{
    char best[32] = "";
    size_t distance = 3; /* farther is no typing mistake */
    for (size_t i = 0; cli_commands[i]; i++) {
        char first[32];
        const char *name = cli_commands[i]->name;
        const int length = (int)strcspn(name, " ");
        snprintf(first, sizeof first, "%.*s", length, name);
        const size_t d = cli_distance(word, first);
        if (d < distance) {
            distance = d;
            snprintf(best, sizeof best, "%s", first);
        }
    }
    if (*best)
        return misused("unknown command \"%s\" (did you mean %s?)", word, best);
    return misused("unknown command \"%s\"; emsync help lists them", word);
}

static int help(int argc, char **argv)
{
    int used;
    if (argc == 0) {
        cli_print_menu(stdout);
        return CLI_DONE;
    }
    const cli_command *c = cli_find(argc, argv, &used);
    if (c)
        cli_print_help(stdout, c);
    else if (cli_is_group(argv[0]))
        cli_print_group(stdout, argv[0]);
    else
        return unknown_command(argv[0]);
    return CLI_DONE;
}

static int run(const cli_command *c, int argc, char **argv)
{
    char problem[512];
    void *settings = cli_settings_new(c);
    if (!settings) {
        cli_complain("out of memory");
        return CLI_FAILED;
    }
    const cli_common *common = settings;
    int code = cli_parse(c, settings, argc, argv, problem, sizeof problem);
    if (code != CLI_DONE) {
        code = misused("%s; see emsync %s --help", problem, c->name);
    } else if (common->help) {
        cli_print_help(stdout, c);
    } else {
        cli_ui ui;
        cli_ui_begin(&ui, c, common);
        code = cli_check_outputs(&ui, settings);
        if (code == CLI_DONE)
            code = c->run(settings, &ui);
        cli_ui_clear(&ui);
    }
    free(settings);
    return code;
}

static bool is(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 ||
           strcmp(word, c) == 0;
}

static int dispatch(int argc, char **argv)
{
    int used = 0;
    if (argc == 0) {
        cli_print_menu(stderr);
        return CLI_USAGE;
    }
    if (is(argv[0], "help", "--help", "-h"))
        return help(argc - 1, argv + 1);
    if (is(argv[0], "version", "--version", "-V")) {
        puts("emsync " EMS_VERSION);
        return CLI_DONE;
    }
    if (argc == 2 && strcmp(argv[0], "generate") == 0 &&
        cli_generate(stdout, argv[1]) == CLI_DONE)
        return CLI_DONE;
    const cli_command *c = cli_find(argc, argv, &used);
    if (c)
        return run(c, argc - used, argv + used);
    if (!cli_is_group(argv[0]))
        return unknown_command(argv[0]);
    if (argc > 1 && is(argv[1], "help", "--help", "-h"))
        return help(1, argv);
    if (argc > 1)
        return misused("unknown command \"%s %s\"; see emsync help %s",
                       argv[0], argv[1], argv[0]);
    return misused("%s needs a command; see emsync help %s", argv[0], argv[0]);
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    cli_catch_signals();
    return finish(dispatch(argc - 1, argv + 1));
}
