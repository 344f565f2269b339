/* The tables of the command line are sane, and everything made from them says
 * the same. */
#include "ems_test.h"

#include "commands.h"

#include <math.h>

static void each_option(void (*visit)(const cli_command *, const cli_option *,
                                      const void *settings))
{
    for (size_t i = 0; cli_commands[i]; i++) {
        void *settings = cli_settings_new(cli_commands[i]);
        assert_non_null(settings);
        const cli_option *o;
        for (size_t k = 0; (o = cli_option_at(cli_commands[i], k)); k++)
            if (o->type != CLI_HEADING)
                visit(cli_commands[i], o, settings);
        free(settings);
    }
}

static void check_unique(const cli_command *c, const cli_option *o,
                         const void *settings)
{
    (void)settings;
    int names = 0, keys = 0;
    const cli_option *other;
    for (size_t k = 0; (other = cli_option_at(c, k)); k++) {
        names += strcmp(other->name, o->name) == 0;
        keys += o->key && other->key == o->key;
    }
    assert_int_equal(names, 1);
    assert_int_equal(keys, o->key ? 1 : 0);
    assert_true(o->field + sizeof(int) <= c->settings);
    assert_true((o->type == CLI_FLAG) == (o->arg == NULL));
    assert_true(o->help[strlen(o->help) - 1] != '.');
}

static void test_options_are_unique(void **state)
{
    (void)state;
    each_option(check_unique);
}

/* What the library takes for granted must be what the command line allows. */
static void check_default(const cli_command *c, const cli_option *o,
                          const void *settings)
{
    char text[80];
    (void)c;
    cli_default(o, settings, text, sizeof text);
    if (o->type == CLI_CHOICE) {
        int value;
        memcpy(&value, (const char *)settings + o->field, sizeof value);
        int words = 0;
        while (o->words[words])
            words++;
        assert_in_range(value, 0, words - 1);
    } else if ((o->type == CLI_REAL || o->type == CLI_INT) && !o->unset) {
        if (strtod(text, NULL) < o->min || strtod(text, NULL) > o->max)
            fail_msg("emsync %s: the default %s of --%s is out of range",
                     c->name, text, o->name);
    }
}

static void test_defaults_are_allowed(void **state)
{
    (void)state;
    each_option(check_default);
}

static void test_words_match_the_header(void **state)
{
    (void)state;
    assert_string_equal(cli_cut_words[EMS_CUTS_AUTO], "auto");
    assert_string_equal(cli_cut_words[EMS_CUTS_PAPER], "paper");
    assert_string_equal(cli_sync_words[EMS_SYNC_EXACT], "exact");
    assert_string_equal(cli_sync_words[EMS_SYNC_PAPER], "paper");
    assert_string_equal(cli_sync_words[EMS_SYNC_GUIDED], "guided");
    assert_string_equal(cli_audio_words[EMS_AUDIO_REPLACE], "replace");
    assert_string_equal(cli_audio_words[EMS_AUDIO_MIX], "mix");
    assert_string_equal(cli_audio_words[EMS_AUDIO_TRACK], "track");
    assert_string_equal(cli_precision_words[EMS_F32], "f32");
    assert_string_equal(cli_precision_words[EMS_BF16], "bf16");
    assert_string_equal(cli_precision_words[EMS_INT8], "int8");
}

/* The next word, as a shell would cut it; NULL: none is left. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    const int quoted = *word == '"';
    word += quoted;
    if (!*word)
        return NULL;
    char *end = word + strcspn(word, quoted ? "\"" : " ");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

/* Cut and parse as main() does; 0, 1, 2 or -1: no such command. */
static int parse(const char *line, void **settings, char *problem)
{
    static char copy[1024];
    static char *argv[64];
    int argc = 0, used = 0;
    snprintf(copy, sizeof copy, "%s", line);
    char *rest = copy;
    for (char *word; (word = next_word(&rest)) != NULL;)
        argv[argc++] = word;
    const cli_command *c = cli_find(argc - 1, argv + 1, &used);
    if (!c)
        return -1;
    *settings = cli_settings_new(c);
    return cli_parse(c, *settings, argc - 1 - used, argv + 1 + used, problem,
                     512);
}

static void test_examples_parse(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_example *e = cli_commands[i]->examples;
        assert_non_null(e->line);
        for (; e->line; e++) {
            char problem[512] = "";
            void *settings = NULL;
            if (parse(e->line, &settings, problem) != CLI_DONE)
                fail_msg("%s: %s", e->line, problem);
            free(settings);
        }
    }
}

static char *text_of(void (*print)(FILE *, const void *), const void *what)
{
    static char *text; /* gcc 12 warns of the stream's pointer otherwise */
    static size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    print(f, what);
    fclose(f);
    return text;
}

static void print_help(FILE *f, const void *command)
{
    cli_print_help(f, command);
}

static void print_generated(FILE *f, const void *kind)
{
    assert_int_equal(cli_generate(f, kind), CLI_DONE);
}

/* Does `name` stand in `text` as a whole word? */
static int has_word(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += length)
        if (!strchr("-\\abcdefghijklmnopqrstuvwxyz", at[length]))
            return 1;
    return 0;
}

static void check_help(const cli_command *c, const cli_option *o,
                       const void *settings)
{
    char name[64];
    (void)settings;
    char *text = text_of(print_help, c);
    snprintf(name, sizeof name, "--%s", o->name);
    if (!has_word(text, name))
        fail_msg("emsync %s --help does not show %s", c->name, name);
    assert_non_null(strstr(text, o->arg && o->type != CLI_CHOICE ? o->arg
                                                                 : name));
    free(text);
}

static void test_help_shows_every_option(void **state)
{
    (void)state;
    each_option(check_help);
}

static void test_help_fits_the_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i]; i++) {
        char *text = text_of(print_help, cli_commands[i]);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            if (strlen(line) > 79 || line[strlen(line) - 1] == ' ')
                fail_msg("emsync %s --help: \"%s\"", cli_commands[i]->name,
                         line);
        free(text);
    }
}

static void check_generated(const cli_command *c, const cli_option *o,
                            const void *settings)
{
    const struct { const char *kind, *format; } kinds[] = {
        {"bash", "--%s"}, {"zsh", "--%s"}, {"fish", "-l %s"},
        {"man", "\\-\\-%s"},
    };
    (void)c;
    (void)settings;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[64], escaped[128], *e = escaped;
        for (const char *s = o->name; *s; *e++ = *s++)
            if (*s == '-' && i == 3)
                *e++ = '\\';
        *e = '\0';
        snprintf(name, sizeof name, kinds[i].format, escaped);
        char *text = text_of(print_generated, kinds[i].kind);
        const char *found = strstr(text, name);
        if (!found && strcmp(o->name, "help") != 0)
            fail_msg("%s does not know %s", kinds[i].kind, name);
        free(text);
    }
}

static void test_pages_know_every_option(void **state)
{
    (void)state;
    each_option(check_generated);
    assert_int_equal(cli_generate(stdout, "tcsh"), CLI_USAGE);
}

static void test_wrong_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "emsync score",
        "emsync score a.mp4",
        "emsync score a.mp4 b.mp4 -o c.mp4",
        "emsync score a.mp4 -o",
        "emsync score a.mp4 -o c.mp4 --seed",
        "emsync score a.mp4 -o c.mp4 --seed -1",
        "emsync score a.mp4 -o c.mp4 --seed 18446744073709551616",
        "emsync score a.mp4 -o c.mp4 --seed 1.5",
        "emsync score a.mp4 -o c.mp4 --lufs nan",
        "emsync score a.mp4 -o c.mp4 --lufs -inf",
        "emsync score a.mp4 -o c.mp4 --lufs 0x10",
        "emsync score a.mp4 -o c.mp4 --lufs -14,5",
        "emsync score a.mp4 -o c.mp4 --lufs -1e999",
        "emsync score a.mp4 -o c.mp4 --lufs=",
        "emsync score a.mp4 -o c.mp4 --valence 1.01",
        "emsync score a.mp4 -o c.mp4 --cuts sometimes",
        "emsync score a.mp4 -o c.mp4 --cuts AUTO",
        "emsync score a.mp4 -o c.mp4 --threads 0",
        "emsync score a.mp4 -o c.mp4 --threads 99999999999999999999",
        "emsync score a.mp4 -o c.mp4 --quiet=1",
        "emsync score a.mp4 -o c.mp4 --seeds 1",
        "emsync score a.mp4 -o c.mp4 -z",
        "emsync score - -o c.mp4",
        "emsync mux a.mp4 -o c.mp4",
        "emsync dataset build -o c.ems",
        "emsync doctor now",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char problem[512] = "";
        void *settings = NULL;
        if (parse(lines[i], &settings, problem) != CLI_USAGE || !*problem)
            fail_msg("accepted: %s", lines[i]);
        assert_null(strchr(problem, '\n'));
        free(settings);
    }
}

static double real_at(const char *line, const char *name)
{
    char problem[512] = "";
    void *settings = NULL;
    double value = NAN;
    int used;
    char *argv[] = {"score"};
    const cli_command *c = cli_find(1, argv, &used);
    if (parse(line, &settings, problem) != CLI_DONE)
        fail_msg("%s: %s", line, problem);
    const cli_option *o;
    for (size_t k = 0; (o = cli_option_at(c, k)); k++)
        if (strcmp(o->name, name) == 0)
            memcpy(&value, (char *)settings + o->field, sizeof value);
    free(settings);
    return value;
}

static void test_values_arrive(void **state)
{
    (void)state;
    assert_float_equal(real_at("emsync score a -o b --lufs -23.5", "lufs"),
                       -23.5, 0);
    assert_float_equal(real_at("emsync score a -o b --lufs=-16", "lufs"), -16,
                       0);
    assert_float_equal(real_at("emsync score --lufs -16 --lufs -9 a -ob",
                               "lufs"), -9, 0);
    assert_float_equal(real_at("emsync score -yqo b --top-p 5e-1 -- -a.mp4",
                               "top-p"), 0.5, 0);
    assert_true(isnan(real_at("emsync score a -o b", "valence")));
}

static void test_dashes_end_the_options(void **state)
{
    char problem[512] = "";
    void *settings = NULL;
    (void)state;
    assert_int_equal(parse("emsync mux -o out -- -a.mp4 --help", &settings,
                           problem), CLI_DONE);
    const cli_common *common = settings;
    assert_int_equal(common->operand_count, 2);
    assert_string_equal(common->operands[0], "-a.mp4");
    assert_string_equal(common->operands[1], "--help");
    assert_int_equal(common->help, 0);
    free(settings);
}

static void test_mistakes_find_a_neighbour(void **state)
{
    char problem[512] = "";
    void *settings = NULL;
    (void)state;
    assert_int_equal(parse("emsync score a --ouput b", &settings, problem),
                     CLI_USAGE);
    assert_non_null(strstr(problem, "--output"));
    free(settings);
    assert_int_equal(cli_distance("seed", "seed"), 0);
    assert_int_equal(cli_distance("seed", "sede"), 2);
    assert_int_equal(cli_distance("", "abc"), 3);
}

static void print_json(FILE *f, const void *text)
{
    cli_json j = {.out = f};
    cli_json_open(&j, NULL, '{');
    cli_json_text(&j, "t", text);
    cli_json_real(&j, "n", NAN);
    cli_json_open(&j, "a", '[');
    cli_json_real(&j, NULL, 0.25);
    cli_json_bool(&j, NULL, true);
    cli_json_close(&j, ']');
    cli_json_whole(&j, "w", UINT64_MAX);
    cli_json_close(&j, '}');
}

static void test_json_is_json(void **state)
{
    (void)state;
    char *text = text_of(print_json, "a\"\\\n\x01 \xc3\xa9 \xff \xed\xa0\x80");
    assert_string_equal(text, "{\"t\": \"a\\\"\\\\\\u000a\\u0001 \xc3\xa9 "
                              "\\ufffd \\ufffd\\ufffd\\ufffd\", \"n\": null, "
                              "\"a\": [0.25, true], "
                              "\"w\": 18446744073709551615}");
    free(text);
}

static void test_times(void **state)
{
    char text[32];
    (void)state;
    assert_string_equal(cli_time(0, text, sizeof text), "0:00.000");
    assert_string_equal(cli_time(187.25, text, sizeof text), "3:07.250");
    assert_string_equal(cli_time(59.9996, text, sizeof text), "1:00.000");
    assert_string_equal(cli_time(3787.25, text, sizeof text), "1:03:07.250");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_unique),
        cmocka_unit_test(test_defaults_are_allowed),
        cmocka_unit_test(test_words_match_the_header),
        cmocka_unit_test(test_examples_parse),
        cmocka_unit_test(test_help_shows_every_option),
        cmocka_unit_test(test_help_fits_the_terminal),
        cmocka_unit_test(test_pages_know_every_option),
        cmocka_unit_test(test_wrong_lines_are_refused),
        cmocka_unit_test(test_values_arrive),
        cmocka_unit_test(test_dashes_end_the_options),
        cmocka_unit_test(test_mistakes_find_a_neighbour),
        cmocka_unit_test(test_json_is_json),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests_name("cli tables", tests, NULL, NULL);
}
