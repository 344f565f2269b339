/* The man page and the shell completions, from the tables. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

/* ---- man ---------------------------------------------------------------- */

/* Text as roff reads it. */
static void roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void man_option(FILE *out, const cli_option *o, const void *settings)
{
    char arg[80], value[80];
    cli_argument(o, arg, sizeof arg);
    cli_default(o, settings, value, sizeof value);
    fputs(".TP\n", out);
    if (o->key)
        fprintf(out, "\\fB\\-%c\\fR, ", o->key);
    fputs("\\fB\\-\\-", out);
    roff(out, o->name);
    fputs("\\fR", out);
    if (*arg)
        fprintf(out, " \\fI%s\\fR", arg);
    fputc('\n', out);
    roff(out, o->help);
    if (o->required)
        fputs("; required", out);
    if (*value) {
        fputs(" (default: ", out);
        roff(out, value);
        fputc(')', out);
    }
    fputs(".\n", out);
}

static void man_command(FILE *out, const cli_command *c)
{
    void *settings = cli_settings_new(c);
    if (!settings)
        return;
    fprintf(out, ".SS emsync %s\n", c->name);
    char summary[160];
    cli_sentence(c->summary, summary, sizeof summary);
    roff(out, summary);
    fputc('\n', out);
    if (c->details) {
        roff(out, c->details);
        fputc('\n', out);
    }
    fputs(".PP\n.nf\n", out);
    for (const cli_example *e = c->examples; e->line; e++) {
        fputs(".B ", out);
        roff(out, e->line);
        fputs("\n    ", out);
        roff(out, e->meaning);
        fputc('\n', out);
    }
    fputs(".fi\n", out);
    for (const cli_operand *o = c->operands; o && o->name; o++) {
        fprintf(out, ".TP\n\\fI%s\\fR%s\n", o->name, o->repeats ? "..." : "");
        roff(out, o->help);
        fputs(".\n", out);
    }
    const cli_option *o;
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        if (o->type != CLI_HEADING && strcmp(o->name, "help") != 0)
            man_option(out, o, settings);
    free(settings);
}

static const char man_head[] =
    ".TH EMSYNC 1 \"\" \"emsync " EMS_VERSION "\" \"User Commands\"\n"
    ".SH NAME\nemsync \\- give a film its own soundtrack\n.SH SYNOPSIS\n";

static const char man_description[] =
    ".SH DESCRIPTION\n"
    "emsync composes music for a film, on the CPU and offline: music that\n"
    "follows its emotion and lands on its cuts. The music comes as a score\n"
    "(MIDI), as stems and mix, and inside the film.\n"
    ".B emsync score\ndoes all of it; the commands\n"
    ".BR analyze ,\n.BR plan ,\n.BR compose ,\n.BR render\nand\n.B mux\n"
    "do one stage each, and every file between them may be edited.\n"
    ".PP\nOptions and files may come in any order; after\n.B \\-\\-\n"
    "everything is a file. An output that exists is replaced after a\n"
    "question, or with\n.BR \\-y ;\nwhere nobody can be asked it stays.\n"
    "Unfinished files never appear under their names.\n"
    ".SH COMMANDS\n";

static const char man_tail[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B EMSYNC_THREADS\nThreads to use without \\fB\\-\\-threads\\fR.\n"
    ".TP\n.B EMSYNC_CPU\n\\fIbase\\fR, \\fIavx2\\fR or \\fIavx512\\fR: the"
    " kernels to use.\n"
    ".TP\n.B EMSYNC_MODELS\nFolder where the composer's weights are looked"
    " for first.\n"
    ".TP\n.B EMSYNC_SOUNDFONT\nBank to use without"
    " \\fB\\-\\-soundfont\\fR.\n"
    ".TP\n.B NO_COLOR\nIf set and not empty, no colours.\n"
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n.TP\n.B 1\nFailed; one line on standard error says"
    " why.\n.TP\n.B 2\nThe command line is wrong.\n"
    ".TP\n.B 130, 143\nStopped by SIGINT (Ctrl\\-C) or SIGTERM; unfinished"
    " files are removed. A second signal ends at once.\n";

static void generate_man(FILE *out)
{
    fputs(man_head, out);
    for (size_t i = 0; cli_commands[i]; i++) {
        fputs(i ? ".br\n" : "", out);
        cli_print_usage(out, cli_commands[i]);
    }
    fputs(man_description, out);
    for (size_t i = 0; cli_commands[i]; i++)
        man_command(out, cli_commands[i]);
    fputs(man_tail, out);
}

/* ---- words for the shells ----------------------------------------------- */

/* First words of all commands, each once; `describe` prints one. */
static void each_first(FILE *out, void (*print)(FILE *, const char *word,
                                                const char *summary))
{
    char last[32] = "", word[32];
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *c = cli_commands[i];
        const size_t length = strcspn(c->name, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, c->name);
        if (strcmp(word, last) != 0)
            print(out, word, c->name[length] ? "" : c->summary);
        memcpy(last, word, sizeof last);
    }
    print(out, "help", "show options and examples of a command");
    print(out, "version", "print the version");
}

static void word_only(FILE *out, const char *word, const char *summary)
{
    (void)summary;
    fprintf(out, "%s ", word);
}

/* Second words of a group, separated by spaces. */
static void each_second(FILE *out, const char *group)
{
    const size_t length = strlen(group);
    for (size_t i = 0; cli_commands[i]; i++)
        if (strncmp(cli_commands[i]->name, group, length) == 0 &&
            cli_commands[i]->name[length] == ' ')
            fprintf(out, "%s ", cli_commands[i]->name + length + 1);
}

/* `text` with a backslash before each of `special`, for single quotes: a
 * quote itself becomes `quote`. */
static void escape(FILE *out, const char *text, const char *special,
                   const char *quote)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs(quote, out);
        else
            fprintf(out, "%s%c", strchr(special, *text) ? "\\" : "", *text);
    }
}

/* ---- bash --------------------------------------------------------------- */

static void bash_group(FILE *out, const char *word, const char *summary)
{
    (void)summary;
    if (!cli_is_group(word))
        return;
    fprintf(out, "    %s)\n        if ((COMP_CWORD == 2)); then\n"
                 "            COMPREPLY=($(compgen -W '", word);
    each_second(out, word);
    fputs("' -- \"$cur\"))\n            return\n        fi\n"
          "        command=\"$command ${COMP_WORDS[2]}\" ;;\n", out);
}

static void bash_option(FILE *out, const cli_option *o)
{
    if (!o->arg)
        return;
    fputs("        ", out);
    if (o->key)
        fprintf(out, "-%c | ", o->key);
    fprintf(out, "--%s) ", o->name);
    if (o->type == CLI_CHOICE) {
        fputs("COMPREPLY=($(compgen -W '", out);
        for (int i = 0; o->words[i]; i++)
            fprintf(out, "%s ", o->words[i]);
        fputs("' -- \"$cur\"))", out);
    } else if (o->type == CLI_FOLDER) {
        fputs("compopt -o filenames; "
              "COMPREPLY=($(compgen -d -- \"$cur\"))", out);
    } else if (o->type > CLI_TEXT) {
        fputs("compopt -o filenames; "
              "COMPREPLY=($(compgen -f -- \"$cur\"))", out);
    } else {
        fputs(":", out);
    }
    fputs("; return ;;\n", out);
}

static void bash_command(FILE *out, const cli_command *c)
{
    const cli_option *o;
    fprintf(out, "    '%s')\n        options='", c->name);
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        if (o->type != CLI_HEADING)
            fprintf(out, "--%s ", o->name);
    fputs("'\n        case \"$prev\" in\n", out);
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        bash_option(out, o);
    fputs("        esac ;;\n", out);
}

static void generate_bash(FILE *out)
{
    fputs("# bash completion of emsync; made by: emsync generate bash\n"
          "_emsync()\n{\n"
          "    local IFS=$' \\t\\n' cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
          "    local prev=\"${COMP_WORDS[COMP_CWORD-1]}\" options=''\n"
          "    local command=\"${COMP_WORDS[1]}\"\n"
          "    COMPREPLY=()\n"
          "    if [[ $cur == = ]]; then\n"
          "        cur=''\n"
          "    elif [[ $prev == = ]]; then\n"
          "        prev=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"
          "    fi\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        COMPREPLY=($(compgen -W '", out);
    each_first(out, word_only);
    fputs("--help --version' -- \"$cur\"))\n        return\n    fi\n"
          "    case \"$command\" in\n", out);
    each_first(out, bash_group);
    fputs("    esac\n    case \"$command\" in\n", out);
    for (size_t i = 0; cli_commands[i]; i++)
        bash_command(out, cli_commands[i]);
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "    else\n"
          "        compopt -o filenames\n"
          "        local IFS=$'\\n'\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    fi\n}\ncomplete -F _emsync emsync\n", out);
}

/* ---- zsh ---------------------------------------------------------------- */

static void zsh_first(FILE *out, const char *word, const char *summary)
{
    fprintf(out, "        '%s:", word);
    escape(out, *summary ? summary : "more commands", ":", "'\\''");
    fputs("'\n", out);
}

static void zsh_option(FILE *out, const cli_option *o)
{
    fputs(" \\\n            ", out);
    if (o->key)
        fprintf(out, "'(-%c --%s)'{-%c,--%s%s}'[", o->key, o->name, o->key,
                o->name, o->arg ? "=" : "");
    else
        fprintf(out, "'--%s%s[", o->name, o->arg ? "=" : "");
    escape(out, o->help, "[]:", "'\\''");
    fputc(']', out);
    if (o->arg)
        fprintf(out, ":%s:", o->arg);
    if (o->type == CLI_CHOICE) {
        fputc('(', out);
        for (int i = 0; o->words[i]; i++)
            fprintf(out, "%s%s", i ? " " : "", o->words[i]);
        fputc(')', out);
    } else if (o->type == CLI_FOLDER) {
        fputs("_files -/", out);
    } else if (o->type > CLI_TEXT) {
        fputs("_files", out);
    }
    fputc('\'', out);
}

static void zsh_command(FILE *out, const cli_command *c)
{
    const cli_option *o;
    fprintf(out, "    '%s')\n        _arguments -s", c->name);
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        if (o->type != CLI_HEADING)
            zsh_option(out, o);
    fputs(" \\\n            '*:file:_files' ;;\n", out);
}

static void zsh_group(FILE *out, const char *word, const char *summary)
{
    (void)summary;
    if (!cli_is_group(word))
        return;
    fprintf(out, "    %s)\n        if ((CURRENT == 3)); then\n"
                 "            compadd ", word);
    each_second(out, word);
    fputs("\n            return\n        fi\n"
          "        command=\"$command $words[3]\"; skip=2 ;;\n", out);
}

static void generate_zsh(FILE *out)
{
    fputs("#compdef emsync\n# zsh completion of emsync; made by: emsync"
          " generate zsh\n_emsync() {\n"
          "    local -a commands=(\n", out);
    each_first(out, zsh_first);
    fputs("    )\n    local command=$words[2] skip=1\n"
          "    if ((CURRENT == 2)); then\n"
          "        _describe command commands\n        return\n    fi\n"
          "    case $command in\n", out);
    each_first(out, zsh_group);
    fputs("    esac\n    shift $skip words\n    ((CURRENT -= skip))\n"
          "    case $command in\n", out);
    for (size_t i = 0; cli_commands[i]; i++)
        zsh_command(out, cli_commands[i]);
    fputs("    esac\n}\n_emsync \"$@\"\n", out);
}

/* ---- fish --------------------------------------------------------------- */

static const char fish_head[] =
    "# fish completion of emsync; made by: emsync generate fish\n"
    "function __emsync_at # the words before the cursor begin with these\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -gt (count $argv); or return 1\n"
    "    set -l last (math (count $argv) + 1)\n"
    "    test \"$words[2..$last]\" = \"$argv\"\n"
    "end\n"
    "function __emsync_next # the words before the cursor are these\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -eq (math (count $argv) + 1); or return 1\n"
    "    test (count $argv) -eq 0; or __emsync_at $argv\n"
    "end\n";

static void fish_first(FILE *out, const char *word, const char *summary)
{
    fprintf(out, "complete -c emsync -n __emsync_next -f -a %s -d '", word);
    escape(out, summary, "\\", "\\'");
    fputs("'\n", out);
    if (!cli_is_group(word))
        return;
    fprintf(out, "complete -c emsync -n '__emsync_next %s' -f -a '", word);
    each_second(out, word);
    fputs("'\n", out);
}

static void fish_option(FILE *out, const cli_command *c, const cli_option *o)
{
    fprintf(out, "complete -c emsync -n '__emsync_at %s' -l %s", c->name,
            o->name);
    if (o->key)
        fprintf(out, " -s %c", o->key);
    if (o->type == CLI_CHOICE) {
        fputs(" -x -a '", out);
        for (int i = 0; o->words[i]; i++)
            fprintf(out, "%s%s", i ? " " : "", o->words[i]);
        fputc('\'', out);
    } else if (o->arg) {
        fputs(o->type > CLI_TEXT ? " -r -F" : " -x", out);
    }
    fputs(" -d '", out);
    escape(out, o->help, "\\", "\\'");
    fputs("'\n", out);
}

static void generate_fish(FILE *out)
{
    fputs(fish_head, out);
    each_first(out, fish_first);
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_option *o;
        for (size_t k = 0; (o = cli_option_at(cli_commands[i], k)); k++)
            if (o->type != CLI_HEADING)
                fish_option(out, cli_commands[i], o);
    }
}

int cli_generate(FILE *out, const char *what)
{
    static const struct {
        const char *name;
        void (*generate)(FILE *out);
    } kinds[] = {
        {"man", generate_man}, {"bash", generate_bash},
        {"zsh", generate_zsh}, {"fish", generate_fish},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, what) == 0) {
            kinds[i].generate(out);
            return CLI_DONE;
        }
    }
    return CLI_USAGE;
}
