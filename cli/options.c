/* Tables in, settings out. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(ems_cut_policy) == sizeof(int), "enums are ints");

static const char *const progress_words[] = {"auto", "tty", "json", "none",
                                             NULL};

enum { WORKS = 1, WRITES = 2, ALWAYS = 4 };

typedef struct common_row {
    int when;
    cli_option option;
} common_row;

static const common_row common_rows[] = {
    {ALWAYS, CLI_TITLE("Common options")},
    {WORKS, {CLI_ROW_OF(cli_common, CLI_INT, threads, "threads", "N",
                     "threads to work with; never changes a result"),
             .min = 1, .max = 1024, .key = 't',
             .unset = "EMSYNC_THREADS, else one per core"}},
    {WORKS, {CLI_ROW_OF(cli_common, CLI_CHOICE, progress, "progress", "HOW",
                        "on standard error: tty draws one line with the time"
                        " left, json writes one object a line, auto is tty on"
                        " a terminal and none elsewhere"),
             .words = progress_words}},
    {WRITES, {CLI_ROW_OF(cli_common, CLI_FLAG, replace, "yes", NULL,
                      "replace files that exist, without asking"),
              .value = CLI_REPLACE_YES, .key = 'y'}},
    {WRITES, {CLI_ROW_OF(cli_common, CLI_FLAG, replace, "no", NULL,
                      "fail where a file exists, without asking"),
              .value = CLI_REPLACE_NEVER, .key = 'n'}},
    {ALWAYS, {CLI_ROW_OF(cli_common, CLI_FLAG, json, "json", NULL,
                      "print the result as JSON"), .value = 1}},
    {ALWAYS, {CLI_ROW_OF(cli_common, CLI_FLAG, verbosity, "quiet", NULL,
                      "print nothing but errors"), .value = -1, .key = 'q'}},
    {ALWAYS, {CLI_ROW_OF(cli_common, CLI_FLAG, verbosity, "verbose", NULL,
                      "say more about what happens"), .value = 1, .key = 'v'}},
    {ALWAYS, {CLI_ROW_OF(cli_common, CLI_FLAG, help, "help", NULL,
                      "show this help"), .value = 1, .key = 'h'}},
};

const cli_option *cli_option_at(const cli_command *c, size_t i)
{
    size_t own = 0;
    while (c->options && c->options[own].name)
        own++;
    if (i < own)
        return &c->options[i];
    const int when = ALWAYS | (c->works ? WORKS : 0) |
                     (c->writes ? WRITES : 0);
    for (size_t k = 0; k < sizeof common_rows / sizeof *common_rows; k++)
        if (common_rows[k].when & when && own++ == i)
            return &common_rows[k].option;
    return NULL;
}

const cli_command *cli_find(int argc, char **argv, int *used)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        const char *name = cli_commands[i]->name;
        const char *space = strchr(name, ' ');
        const size_t first = space ? (size_t)(space - name) : strlen(name);
        if (argc < 1 || strlen(argv[0]) != first ||
            strncmp(argv[0], name, first) != 0)
            continue;
        if (space && (argc < 2 || strcmp(argv[1], space + 1) != 0))
            continue;
        *used = space ? 2 : 1;
        return cli_commands[i];
    }
    return NULL;
}

bool cli_is_group(const char *word)
{
    const size_t length = strlen(word);
    for (size_t i = 0; cli_commands[i]; i++)
        if (strncmp(cli_commands[i]->name, word, length) == 0 &&
            cli_commands[i]->name[length] == ' ')
            return true;
    return false;
}

void *cli_settings_new(const cli_command *c)
{
    void *settings = calloc(1, c->settings);
    if (settings && c->defaults)
        c->defaults(settings);
    return settings;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t cli_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t row[LONGEST + 1];
    const size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0]; /* the value above to the left */
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t swap = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            row[j] = least(swap, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[m];
}

typedef struct parser {
    const cli_command *command;
    char *settings;
    int argc, at; /* at: the word after the one being read */
    char **argv;
    char *problem;
    size_t size;
} parser;

__attribute__((format(printf, 2, 3)))
static int refuse(parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->problem, p->size, format, args);
    va_end(args);
    return CLI_USAGE;
}

static bool only(const char *text, const char *characters)
{
    return *text && text[strspn(text, characters)] == '\0';
}

/* Decimals as in C, whatever the locale; no hexadecimal, no infinity. */
static int read_real(parser *p, const cli_option *o, const char *text)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (!only(text, "+-.0123456789eE") || *end || !isfinite(value) ||
        value < o->min || value > o->max)
        return refuse(p, "--%s: \"%s\" is not a number from %g to %g", o->name,
                      text, o->min, o->max);
    memcpy(p->settings + o->field, &value, sizeof value);
    return CLI_DONE;
}

static int read_int(parser *p, const cli_option *o, const char *text)
{
    char *end = NULL;
    const long value = strtol(text, &end, 10); /* too large: LONG_MAX */
    if (!only(text, "+-0123456789") || *end || (double)value < o->min ||
        (double)value > o->max)
        return refuse(p, "--%s: \"%s\" is not a whole number from %.0f to"
                      " %.0f", o->name, text, o->min, o->max);
    const int narrow = (int)value;
    memcpy(p->settings + o->field, &narrow, sizeof narrow);
    return CLI_DONE;
}

static int read_seed(parser *p, const cli_option *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    const uint64_t value = strtoull(text, &end, 10);
    if (!only(text, "0123456789") || errno || *end)
        return refuse(p, "--%s: \"%s\" is not a whole number from 0 to"
                      " 18446744073709551615", o->name, text);
    memcpy(p->settings + o->field, &value, sizeof value);
    return CLI_DONE;
}

static int read_word(parser *p, const cli_option *o, const char *text)
{
    char list[200] = "";
    for (int i = 0; o->words[i]; i++) {
        if (strcmp(o->words[i], text) == 0) {
            memcpy(p->settings + o->field, &i, sizeof i);
            return CLI_DONE;
        }
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0 ? "" : o->words[i + 1] ? ", " : " or ", o->words[i]);
    }
    return refuse(p, "--%s: \"%s\" is not %s", o->name, text, list);
}

static int read_text(parser *p, const cli_option *o, const char *text)
{
    if (!*text && o->type != CLI_TEXT)
        return refuse(p, "--%s: the file name is empty", o->name);
    memcpy(p->settings + o->field, &text, sizeof text);
    return CLI_DONE;
}

static int store(parser *p, const cli_option *o, const char *text)
{
    switch (o->type) {
    case CLI_REAL:
        return read_real(p, o, text);
    case CLI_INT:
        return read_int(p, o, text);
    case CLI_SEED:
        return read_seed(p, o, text);
    case CLI_CHOICE:
        return read_word(p, o, text);
    case CLI_FLAG:
        memcpy(p->settings + o->field, &o->value, sizeof o->value);
        return CLI_DONE;
    default:
        return read_text(p, o, text);
    }
}

static int unknown(parser *p, const char *word, size_t length)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)least(length, 63), word);
    const char *best = NULL;
    size_t distance = 3; /* farther is no typing mistake */
    const cli_option *o;
    for (size_t i = 0; (o = cli_option_at(p->command, i)); i++) {
        const size_t d = cli_distance(name, o->name);
        if (o->type != CLI_HEADING && d < distance) {
            distance = d;
            best = o->name;
        }
    }
    if (best)
        return refuse(p, "unknown option --%s (did you mean --%s?)", name,
                      best);
    return refuse(p, "unknown option --%s", name);
}

/* "--name", "--name=value", "--name value". */
static int long_option(parser *p, char *word)
{
    const size_t length = strcspn(word, "=");
    const char *value = word[length] ? word + length + 1 : NULL;
    const cli_option *o;
    for (size_t i = 0; (o = cli_option_at(p->command, i)); i++)
        if (o->type != CLI_HEADING && strlen(o->name) == length &&
            strncmp(o->name, word, length) == 0)
            break;
    if (!o)
        return unknown(p, word, length);
    if (!o->arg && value)
        return refuse(p, "--%s takes no value", o->name);
    if (o->arg && !value) {
        if (p->at == p->argc)
            return refuse(p, "--%s needs %s", o->name, o->arg);
        value = p->argv[p->at++];
    }
    return store(p, o, value);
}

/* "-y", "-yv", "-o FILE", "-oFILE". */
static int short_options(parser *p, char *word)
{
    for (; *word; word++) {
        const cli_option *o;
        for (size_t i = 0; (o = cli_option_at(p->command, i)); i++)
            if (o->key == *word)
                break;
        if (!o)
            return refuse(p, "unknown option -%c (put a file name that begins"
                          " with a dash after --)", *word);
        if (!o->arg) {
            store(p, o, NULL);
            continue;
        }
        const char *value = word[1] ? word + 1 : NULL;
        if (!value && p->at == p->argc)
            return refuse(p, "-%c needs %s", o->key, o->arg);
        return store(p, o, value ? value : p->argv[p->at++]);
    }
    return CLI_DONE;
}

/* Are there as many operands as the command takes, and the options it must
 * have? */
static int complete(parser *p)
{
    const cli_command *c = p->command;
    const cli_common *common = (const cli_common *)(const void *)p->settings;
    size_t count = 0;
    for (const cli_operand *o = c->operands; o && o->name; o++, count++) {
        if (count >= common->operand_count && !o->optional)
            return refuse(p, "%s needs %s", c->name, o->name);
        if (o->repeats)
            count = common->operand_count;
    }
    const cli_option *o;
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        if (o->required && !cli_text_at(o, p->settings))
            return refuse(p, "%s needs -%c %s", c->name, o->key, o->arg);
    if (common->operand_count > count)
        return refuse(p, "%s does not take \"%s\"", c->name,
                      common->operands[count]);
    return CLI_DONE;
}

int cli_parse(const cli_command *c, void *settings, int argc, char **argv,
              char *problem, size_t size)
{
    parser p = {c, settings, argc, 0, argv, problem, size};
    cli_common *common = settings;
    common->operands = argv; /* filled from behind the reader */
    bool options = true;
    while (p.at < argc) {
        char *word = argv[p.at++];
        int code = CLI_DONE;
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && strncmp(word, "--", 2) == 0)
            code = long_option(&p, word + 2);
        else if (options && word[0] == '-' && word[1])
            code = short_options(&p, word + 1);
        else if (!*word)
            code = refuse(&p, "a file name is empty");
        else if (options && strcmp(word, "-") == 0 && !c->pipes)
            code = refuse(&p, "\"-\" is no file; emsync does not work in a"
                          " pipe");
        else
            argv[common->operand_count++] = word;
        if (code != CLI_DONE || common->help)
            return code;
    }
    return complete(&p);
}

void cli_default(const cli_option *o, const void *settings, char *text,
                 size_t size)
{
    const char *at = (const char *)settings + o->field;
    double real;
    uint64_t seed;
    int whole;
    text[0] = '\0';
    if (o->unset) {
        snprintf(text, size, "%s", o->unset);
    } else if (o->type == CLI_REAL) {
        memcpy(&real, at, sizeof real);
        if (isfinite(real))
            snprintf(text, size, "%g", real);
    } else if (o->type == CLI_SEED) {
        memcpy(&seed, at, sizeof seed);
        snprintf(text, size, "%llu", (unsigned long long)seed);
    } else if (o->type == CLI_INT || o->type == CLI_CHOICE) {
        memcpy(&whole, at, sizeof whole);
        if (o->type == CLI_INT)
            snprintf(text, size, "%d", whole);
        else
            snprintf(text, size, "%s", o->words[whole]);
    }
}

const char *cli_text_at(const cli_option *o, const void *settings)
{
    const char *text = NULL;
    if (o->type >= CLI_TEXT)
        memcpy(&text, (const char *)settings + o->field, sizeof text);
    return text;
}
