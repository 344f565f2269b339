/* Look at every output before the work begins: nothing is lost that nobody
 * agreed to lose, and nobody waits an hour for "no such folder". */
#include "ui.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* y or yes, from a person; no one there means no. */
static bool confirm(const char *path)
{
    char answer[8] = "";
    fprintf(stderr, "\"%s\" exists; replace it? [y/N] ", path);
    fflush(stderr);
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}

static int agree(cli_ui *ui, const char *path)
{
    const cli_replace replace = ui->common->replace;
    if (replace == CLI_REPLACE_YES)
        return CLI_DONE;
    const bool person = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    if (replace == CLI_REPLACE_ASK && person)
        return confirm(path) ? CLI_DONE
                             : cli_error(ui, "\"%s\" is left as it is", path);
    return cli_error(ui, "\"%s\" exists%s", path,
                     replace == CLI_REPLACE_ASK ? "; -y replaces it" : "");
}

static int check_folder(cli_ui *ui, const char *path)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(folder, sizeof folder, "%.*s",
                 slash == path ? 1 : (int)(slash - path), path);
    struct stat st;
    if (stat(folder, &st) < 0)
        return cli_error(ui, "cannot write \"%s\": folder \"%s\": %s", path,
                         folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cli_error(ui, "cannot write \"%s\": \"%s\" is not a folder",
                         path, folder);
    if (access(folder, W_OK | X_OK) < 0)
        return cli_error(ui, "cannot write \"%s\": %s", path, strerror(errno));
    return CLI_DONE;
}

static bool is_input(const cli_ui *ui, const struct stat *out)
{
    const cli_common *common = ui->common;
    const cli_operand *o = ui->command->operands;
    for (size_t i = 0; i < common->operand_count && o && o->name; i++) {
        struct stat in;
        if (o->type == CLI_INPUT && stat(common->operands[i], &in) == 0 &&
            in.st_dev == out->st_dev && in.st_ino == out->st_ino)
            return true;
        o += !o->repeats;
    }
    return false;
}

static int check_file(cli_ui *ui, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? check_folder(ui, path)
                               : cli_error(ui, "cannot write \"%s\": %s", path,
                                           strerror(errno));
    if (S_ISDIR(st.st_mode))
        return cli_error(ui, "cannot write \"%s\": it is a folder", path);
    if (!S_ISREG(st.st_mode))
        return cli_error(ui, "cannot write \"%s\": it is not a regular file",
                         path);
    if (is_input(ui, &st))
        return cli_error(ui, "\"%s\" is the input; give the output another"
                         " name", path);
    return agree(ui, path);
}

/* A folder may exist; the files that will be written into it may not. */
static int check_names(cli_ui *ui, const char *folder,
                       const char *const *names)
{
    char path[4096];
    struct stat st;
    for (size_t i = 0; names && names[i]; i++) {
        const int n = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (n >= (int)sizeof path)
            return cli_error(ui, "the name of folder \"%s\" is too long",
                             folder);
        if (stat(path, &st) < 0)
            continue;
        const int code = check_file(ui, path);
        if (code != CLI_DONE)
            return code;
    }
    return CLI_DONE;
}

int cli_check_outputs(cli_ui *ui, const void *settings)
{
    const cli_command *c = ui->command;
    const cli_option *o;
    if (c->continues && c->continues(settings))
        return CLI_DONE;
    for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
        const char *path = cli_text_at(o, settings);
        int code = CLI_DONE;
        if (path && o->type == CLI_OUTPUT)
            code = check_file(ui, path);
        if (path && o->type == CLI_FOLDER)
            code = check_names(ui, path, o->words);
        if (code != CLI_DONE)
            return code;
    }
    return CLI_DONE;
}
