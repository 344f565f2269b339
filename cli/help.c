/* Help for people, from the tables. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMN = 26, WIDTH = 79 };

/* Print `text` filled to WIDTH; `at` is the column where it begins, `indent`
 * the column of the lines that follow. Ends the line. */
static void fill(FILE *out, const char *text, int at, int indent)
{
    while (*text) {
        const int length = (int)strcspn(text, " ");
        if (at > indent && at + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", length, text);
        at += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void row(FILE *out, const char *left, const char *text)
{
    if (strlen(left) > COLUMN - 2)
        fprintf(out, "%s\n%*s", left, COLUMN, "");
    else
        fprintf(out, "%-*s", COLUMN, left);
    fill(out, text, COLUMN, COLUMN);
}

void cli_argument(const cli_option *o, char *text, size_t size)
{
    snprintf(text, size, "%s", o->arg ? o->arg : "");
    if (o->type != CLI_CHOICE)
        return;
    text[0] = '\0';
    for (int i = 0; o->words[i]; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? "|" : "", o->words[i]);
    }
}

static void option_row(FILE *out, const cli_option *o, const void *settings)
{
    char left[160], text[512], value[80], arg[80];
    cli_argument(o, arg, sizeof arg);
    snprintf(left, sizeof left, "  %c%c%c --%s%s%s", o->key ? '-' : ' ',
             o->key ? o->key : ' ', o->key ? ',' : ' ', o->name,
             *arg ? " " : "", arg);
    cli_default(o, settings, value, sizeof value);
    if (o->required)
        snprintf(value, sizeof value, "required");
    if (*value)
        snprintf(text, sizeof text, "%s [%s]", o->help, value);
    row(out, left, *value ? text : o->help);
}

void cli_print_usage(FILE *out, const cli_command *c)
{
    fprintf(out, "emsync %s", c->name);
    for (const cli_operand *o = c->operands; o && o->name; o++)
        fprintf(out, o->optional ? " [%s]%s" : " %s%s", o->name,
                o->repeats ? "..." : "");
    const cli_option *o;
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        if (o->required && o->key)
            fprintf(out, " -%c %s", o->key, o->arg);
        else if (o->required)
            fprintf(out, " --%s %s", o->name, o->arg);
    fputs(" [options]\n", out);
}

void cli_sentence(const char *summary, char *text, size_t size)
{
    const bool question = summary[strlen(summary) - 1] == '?';
    snprintf(text, size, "%s%s", summary, question ? "" : ".");
    text[0] = (char)(text[0] - 'a' + 'A');
}

void cli_print_help(FILE *out, const cli_command *c)
{
    char summary[160];
    void *settings = cli_settings_new(c);
    if (!settings)
        return;
    fputs("Usage: ", out);
    cli_print_usage(out, c);
    fputc('\n', out);
    cli_sentence(c->summary, summary, sizeof summary);
    fill(out, summary, 0, 0);
    if (c->details)
        fill(out, c->details, 0, 0);
    fputs("\nExamples:\n", out);
    for (const cli_example *e = c->examples; e->line; e++)
        fprintf(out, "  %s\n      %s\n", e->line, e->meaning);
    if (c->operands || (c->options && c->options[0].type != CLI_HEADING))
        fputc('\n', out);
    for (const cli_operand *o = c->operands; o && o->name; o++) {
        char left[80];
        snprintf(left, sizeof left, "  %s", o->name);
        row(out, left, o->help);
    }
    const cli_option *o;
    for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
        if (o->type == CLI_HEADING)
            fprintf(out, "\n%s:\n", o->name);
        else
            option_row(out, o, settings);
    }
    free(settings);
}

static void list(FILE *out, const char *group)
{
    const size_t length = group ? strlen(group) : 0;
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *c = cli_commands[i];
        if (group && (strncmp(c->name, group, length) != 0 ||
                      c->name[length] != ' '))
            continue;
        fprintf(out, "  %-14s  %s\n", c->name, c->summary);
    }
}

void cli_print_menu(FILE *out)
{
    fputs("emsync gives a film its own soundtrack: music that follows its"
          " emotion and lands\non its cuts.\n\n"
          "  emsync score film.mp4 -o scored.mp4\n\nCommands:\n", out);
    list(out, NULL);
    fputs("  version         print the version\n"
          "  help [COMMAND]  show options and examples of a command\n\n"
          "Exit codes: 0 done, 1 failed, 2 usage, 128+N stopped by signal N.\n",
          out);
}

void cli_print_group(FILE *out, const char *group)
{
    fprintf(out, "Usage: emsync %s COMMAND ...\n\nCommands:\n", group);
    list(out, group);
    fprintf(out, "\nSee emsync help %s COMMAND.\n", group);
}
