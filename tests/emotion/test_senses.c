/* Experts over films: small networks made here, films made by ffmpeg, and
 * experts that are broken in every way. */
#include "../experts/installed.h"
#include "../media/clips.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "emotion/analysis.h"
#include "emotion/experts.h"
#include "emotion/known.h"
#include "experts/cache.h"
#include "experts/onnx_write.h"

#include <math.h>

#define ROOT EMS_SCRATCH "/experts"
#define CACHE EMS_SCRATCH "/cache"

/* ---- Experts ------------------------------------------------------------- */

static void put(const char *name, const char *file, const void *data,
                size_t size)
{
    ems_error err;
    char path[700];
    snprintf(path, sizeof path, ROOT "/%s", name);
    assert_int_equal(ems_folder_make(path, &err), EMS_OK);
    snprintf(path, sizeof path, ROOT "/%s/%s", name, file);
    assert_int_equal(ems_file_write(path, data, size, &err), EMS_OK);
}

/* A manifest around `rest` with the checksum of the network. */
static void put_manifest(const char *name, const char *sum, const char *rest)
{
    char text[2000];
    snprintf(text, sizeof text, "{\"format\": \"emsync-expert\", \"version\":"
             " 1, \"name\": \"%s\", \"what\": \"w\", \"licence\": \"ours\","
             " \"network\": \"n.onnx\", \"sha256\": \"%s\", %s}", name, sum,
             rest);
    put(name, "manifest.json", text, strlen(text));
}

static void put_expert(const char *name, const uint8_t *onnx, size_t size,
                       const char *rest)
{
    char sum[65];
    put(name, "n.onnx", onnx, size);
    ems_sha256_hex(onnx, size, sum);
    put_manifest(name, sum, rest);
}

/* ReduceMean over `axes` (an operator of another name: not known). */
static uint8_t *network(const char *op, const int64_t *dims, int rank,
                        const int64_t *axes, int64_t count, size_t *size)
{
    ems_pb graph = {0};
    ems_onnx_graph_input(&graph, "x", EMS_ONNX_FLOAT, dims, rank);
    ems_onnx_wholes(&graph, "axes", axes, &count, 1, EMS_ONNX_INT64);
    ems_onnx_node n = ems_onnx_node_begin(op);
    ems_onnx_int(&n, "keepdims", 0);
    ems_onnx_input(&n, "x");
    ems_onnx_input(&n, "axes");
    ems_onnx_output(&n, "y");
    ems_onnx_node_end(&graph, &n);
    ems_onnx_graph_output(&graph, "y");
    uint8_t *file = ems_onnx_file(&graph, "n", size);
    assert_non_null(file);
    return file;
}

#define SEES "\"modality\": \"frame\", \"every\": 0.5, \"input\": {"         \
    "\"width\": 16, \"height\": 16, \"fit\": \"stretch\"},"                  \
    " \"outputs\": [{\"dim\": 3, \"labels\": [\"red\", \"green\", \"blue\"]}]"

static void make_experts(void)
{
    static const int64_t PICTURE[] = {-1, 16, 16, 3}, SOUND[] = {1, 8000};
    static const int64_t FIRST[] = {1, 16, 16, 3};
    static const int64_t SPACE[] = {1, 2}, TIME[] = {1};
    size_t size;
    uint8_t *colour = network("ReduceMean", PICTURE, 4, SPACE, 2, &size);
    put_expert("colour", colour, size, SEES);
    put_expert("wrong-shape", colour, size, "\"modality\": \"frame\","
               " \"input\": {\"width\": 20, \"height\": 16}, \"outputs\":"
               " [{\"dim\": 3}]");
    put_expert("wrong-dim", colour, size, "\"modality\": \"frame\","
               " \"input\": {\"width\": 16, \"height\": 16}, \"outputs\":"
               " [{\"dim\": 5}]");
    put("wrong-sum", "n.onnx", colour, size - 1);
    char sum[65];
    ems_sha256_hex(colour, size, sum);
    put_manifest("wrong-sum", sum, SEES);
    put_manifest("no-file", sum, SEES);
    put_expert("cut-off", colour, size / 2, SEES);
    put("no-manifest", "manifest.json", "{\"format\": 1}", 13);
    put_expert("other-name", colour, size, SEES);
    put_expert("faces", colour, size, "\"modality\": \"face\", \"input\":"
               " {\"width\": 16, \"height\": 16}, \"outputs\": [{\"dim\": 3}]");
    ems_free(colour);
    uint8_t *odd = network("Einschlafen", FIRST, 4, SPACE, 2, &size);
    put_expert("odd-operator", odd, size, SEES);
    ems_free(odd);
    uint8_t *level = network("ReduceMax", SOUND, 2, TIME, 1, &size);
    put_expert("level", level, size, "\"modality\": \"sound\", \"input\":"
               " {\"rate\": 16000, \"window\": 8000, \"hop\": 4000},"
               " \"outputs\": [{\"dim\": 1}], \"scaling\": [0, 2]");
    ems_free(level);
}

static ems_senses *watch(const char *list, const char *film)
{
    ems_error err;
    ems_senses *s = ems_senses_new(list, NULL, &err);
    assert_non_null(s);
    if (ems_senses_watch(s, film, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

/* ---- What they see and hear ---------------------------------------------- */

/* Red for two seconds, then blue, with a tone of a given level. */
static const char *two_colours(void)
{
    return clip("colours.mkv", "-f lavfi -i color=red:s=320x180:r=25:d=2"
                " -f lavfi -i color=blue:s=320x180:r=25:d=2"
                " -f lavfi -i sine=440:r=22050:d=4"
                " -filter_complex [0][1]concat=n=2[v] -map [v] -map 2:a"
                " -c:v ffv1 -c:a pcm_s16le");
}

static void colours_and_levels_arrive(void **state)
{
    if (!*state)
        skip();
    ems_senses *s = watch("colour,level", two_colours());
    const ems_sense *c = ems_senses_find(s, "colour");
    assert_string_equal(c->why, "");
    assert_int_equal(c->rows, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_true(fabs(c->times[i] - 0.5 * (double)i) < 0.021);
        assert_true(fabs((double)c->values[3 * i] - (i < 4)) < 0.02);
        assert_true(fabs((double)c->values[3 * i + 2] - (i >= 4)) < 0.02);
    }
    assert_string_equal(c->labels[2], "blue");
    const ems_sense *l = ems_senses_find(s, "level");
    assert_string_equal(l->why, "");
    assert_in_range(l->rows, 15, 16);
    assert_true(fabs(l->times[1] - 0.5) < 1e-9);
    for (size_t i = 0; i < l->rows; i++) /* ffmpeg's sine peaks at 1/8 */
        assert_true(fabs((double)l->values[i] - 0.125 / 2) < 0.003);
    ems_senses_free(s);
}

static void every_fault_is_a_sentence(void **state)
{
    static const struct { const char *name, *says; } FAULTS[] = {
        {"wrong-sum", "SHA-256"}, {"no-file", "cannot open"},
        {"cut-off", "ONNX Runtime refuses"}, {"no-manifest", "format"},
        {"odd-operator", "Einschlafen"}, {"wrong-shape", "takes anyx16x16x3"},
        {"wrong-dim", "do not make the 5"}, {"absent", "not installed"},
        {"faces", "no face detector"},
    };
    if (!*state)
        skip();
    ems_senses *s = watch("wrong-sum,no-file,cut-off,no-manifest,"
                          "odd-operator,wrong-shape,wrong-dim,absent,faces,"
                          "colour", two_colours());
    assert_int_equal(ems_senses_count(s), 10);
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        const ems_sense *e = ems_senses_find(s, FAULTS[i].name);
        assert_non_null(e);
        assert_int_equal(e->rows, 0);
        if (!strstr(e->why, FAULTS[i].says))
            fail_msg("%s: \"%s\"", e->name, e->why);
    }
    assert_string_equal(ems_senses_find(s, "colour")->why, "");
    ems_senses_free(s);
}

static void without_the_library(void **state)
{
    (void)state;
    setenv("EMSYNC_ONNXRUNTIME", "/nowhere/libonnxruntime.so", 1);
    ems_senses *s = watch("colour", two_colours());
    assert_non_null(strstr(ems_senses_at(s, 0)->why, "not installed"));
    ems_senses_free(s);
    unsetenv("EMSYNC_ONNXRUNTIME");
}

static void the_second_time_is_remembered(void **state)
{
    if (!*state)
        skip();
    setenv("XDG_CACHE_HOME", CACHE, 1);
    setenv("EMSYNC_CACHE_MB", "10", 1);
    const char *film = two_colours();
    ems_senses_free(watch("colour,level", film));
    ems_senses *s = watch("colour,level", film);
    assert_true(ems_senses_at(s, 0)->cached && ems_senses_at(s, 1)->cached);
    assert_int_equal(ems_senses_find(s, "colour")->rows, 8);
    assert_true(ems_senses_still_seconds(s) == 0 &&
                !ems_senses_wants_sound(s));
    ems_senses_free(s);
    setenv("EMSYNC_CACHE_MB", "0", 1);
    s = watch("colour", film);
    assert_false(ems_senses_at(s, 0)->cached);
    ems_senses_free(s);
}

/* ---- Difficult films ----------------------------------------------------- */

static void difficult_films(void **state)
{
    static const struct { const char *name, *words; size_t rows; } FILMS[] = {
        {"mute.mkv", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v ffv1", 2},
        {"black.mkv", "-f lavfi -i color=black:s=160x90:r=25:d=1 -c:v ffv1",
         2},
        {"4k.mp4", "-f lavfi -i testsrc2=s=3840x2160:r=4:d=1 -c:v libx264"
         " -preset ultrafast", 2},
        {"ten.mkv", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -pix_fmt"
         " yuv420p10le -c:v ffv1", 2},
        {"fast.mkv", "-f lavfi -i testsrc2=s=160x90:r=240:d=1 -c:v ffv1", 2},
        {"ribbon.mkv", "-f lavfi -i testsrc2=s=1600x4:r=25:d=1 -c:v ffv1",
         2},
        {"deaf.wav", "-f lavfi -i sine=440:d=1", 0},
    };
    if (!*state)
        skip();
    for (size_t i = 0; i < sizeof FILMS / sizeof *FILMS; i++) {
        ems_senses *s = watch("colour,level",
                              clip(FILMS[i].name, FILMS[i].words));
        const ems_sense *c = ems_senses_find(s, "colour");
        const ems_sense *l = ems_senses_find(s, "level");
        if (c->why[0] || l->why[0] || c->rows != FILMS[i].rows)
            fail_msg("%s: %zu rows \"%s\" \"%s\"", FILMS[i].name, c->rows,
                     c->why, l->why);
        assert_true((l->rows > 0) == (FILMS[i].rows == 0));
        if (!strcmp(FILMS[i].name, "black.mkv"))
            assert_true(c->values[0] < 0.01f && c->values[5] < 0.01f);
        ems_senses_free(s);
    }
}

static void the_analysis_says_so(void **state)
{
    if (!*state)
        skip();
    ems_error err;
    size_t n;
    ems_analyze_options o = ems_analyze_defaults();
    o.experts = "colour,absent";
    ems_analysis *a = ems_analyze(two_colours(), &o, NULL, &err);
    assert_non_null(a);
    assert_int_equal(ems_analysis_save(a, EMS_SCRATCH "/e.json", &err),
                     EMS_OK);
    ems_analysis_free(a);
    a = ems_analysis_load(EMS_SCRATCH "/e.json", &err);
    assert_non_null(a);
    const ems_expert_said *e = ems_analysis_experts(a, &n);
    assert_int_equal(n, 2);
    assert_string_equal(e[0].name, "colour");
    assert_non_null(strstr(e[0].says, "red 0."));
    assert_non_null(strstr(e[0].says, "blue 0."));
    assert_null(strstr(e[0].says, "green"));
    assert_true(e[0].rows == 8 && e[0].dim == 3);
    assert_non_null(strstr(e[1].why, "not installed"));
    ems_analysis_free(a);
    o.experts = "none";
    a = ems_analyze(two_colours(), &o, NULL, &err);
    assert_non_null(a);
    ems_analysis_experts(a, &n);
    assert_int_equal(n, 0);
    ems_analysis_free(a);
}

/* A whole analysis as the file it becomes. */
static void analyse(const char *film, const char *fusion, const char *to,
                    int cached)
{
    ems_error err;
    size_t n;
    ems_analyze_options o = ems_analyze_defaults();
    o.experts = "colour";
    o.fusion = fusion;
    ems_analysis *a = ems_analyze(film, &o, NULL, &err);
    assert_non_null(a);
    assert_int_equal(ems_analysis_experts(a, &n)->cached, cached);
    assert_int_equal(ems_analysis_save(a, to, &err), EMS_OK);
    ems_analysis_free(a);
}

static void assert_same_file(const char *a, const char *b)
{
    ems_bytes x, y;
    assert_int_equal(ems_bytes_map(&x, a, 0, NULL), EMS_OK);
    assert_int_equal(ems_bytes_map(&y, b, 0, NULL), EMS_OK);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    ems_bytes_unmap(&x);
    ems_bytes_unmap(&y);
}

/* The key of an analysis that is kept. */
static void known_key(char key[65], const char *fusion, const char *words)
{
    ems_error err;
    ems_analyze_options o = ems_analyze_defaults();
    o.fusion = fusion;
    ems_senses *s = ems_senses_new("colour", NULL, &err);
    assert_non_null(s);
    ems_known_key(key, &o, s, words);
    ems_senses_free(s);
}

static void a_whole_analysis_is_remembered(void **state)
{
    const char *film = two_colours(), *one = EMS_SCRATCH "/one.json",
               *two = EMS_SCRATCH "/two.json";
    char film_key[65], key[65], other[65], *text;
    size_t size;
    if (!*state)
        skip();
    setenv("XDG_CACHE_HOME", CACHE "-whole", 1);
    setenv("EMSYNC_CACHE_MB", "10", 1);
    analyse(film, "none", one, 0);
    analyse(film, "none", two, 1);
    assert_same_file(one, two);
    /* it is kept under film and key; damaged, it is made anew */
    assert_int_equal(ems_file_key(film, film_key, NULL), EMS_OK);
    known_key(key, "none", NULL);
    known_key(other, "none", "");
    assert_string_not_equal(key, other);
    known_key(other, NULL, NULL);
    assert_string_not_equal(key, other);
    assert_int_equal(ems_cache_put_text(film_key, other, "{}", 2), EMS_OK);
    assert_null(ems_known_get(film_key, other, film)); /* no analysis */
    assert_int_equal(ems_cache_get_text(film_key, other, &text, &size),
                     EMS_OK);
    assert_string_equal(text, "{}");
    ems_free(text);
    setenv("EMSYNC_CACHE_MB", "0", 1);
    assert_true(ems_cache_get_text(film_key, other, &text, &size) < 0);
    assert_null(text);
}

int main(void)
{
    ems_error err;
    if (!have_ffmpeg(EMS_SCRATCH "/senses")) {
        printf("skipped: needs ffmpeg\n");
        return EMS_TEST_SKIP;
    }
    char library[600];
    snprintf(library, sizeof library, "%s/libonnxruntime.so",
             ems_test_experts());
    ems_ort *ort = ems_test_ort(&err);
    if (!ort)
        printf("without ONNX Runtime: %s\n", err.text);
    make_experts();
    unlink(ROOT "/libonnxruntime.so");
    if (access(library, R_OK) == 0 &&
        symlink(library, ROOT "/libonnxruntime.so") != 0)
        printf("cannot link %s\n", library);
    setenv("EMSYNC_EXPERTS", ROOT, 1);
    setenv("EMSYNC_CACHE_MB", "0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(colours_and_levels_arrive, ort),
        cmocka_unit_test_prestate(every_fault_is_a_sentence, ort),
        cmocka_unit_test(without_the_library),
        cmocka_unit_test_prestate(the_second_time_is_remembered, ort),
        cmocka_unit_test_prestate(difficult_films, ort),
        cmocka_unit_test_prestate(the_analysis_says_so, ort),
        cmocka_unit_test_prestate(a_whole_analysis_is_remembered, ort),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ems_ort_close(ort);
    return failed;
}
