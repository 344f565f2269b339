/* manifest.json: what is written reads back, what is wrong is refused with
 * its place. */
#include "ems_test.h"

#include "experts/manifest.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                \
    "{\"format\": \"emsync-expert\", \"version\": 1, \"name\": \"clip\","    \
    " \"what\": \"w\", \"licence\": \"MIT\","
#define FILES "\"network\": \"n.onnx\", \"sha256\": \"" SUM "\","
#define INPUT                                                               \
    "\"input\": {\"width\": 224, \"height\": 200, \"fit\": \"crop\","        \
    " \"layout\": \"channels-first\", \"colour\": \"bgr\","                  \
    " \"mean\": [0.5, 0.4, 0.3], \"std\": [1, 2, 3]},"
#define OUTPUTS "\"outputs\": [{\"dim\": 3, \"pool\": \"mean\"}]}"
#define GOOD HEAD "\"modality\": \"frame\"," FILES INPUT OUTPUTS

static ems_manifest *parse(const char *text, ems_error *err)
{
    return ems_manifest_parse(text, strlen(text), "m.json", err);
}

static void a_picture_expert(void **state)
{
    (void)state;
    ems_error err;
    ems_manifest *m = parse(GOOD, &err);
    assert_non_null(m);
    assert_string_equal(m->name, "clip");
    assert_int_equal(m->kind, EMS_EXPERT_FRAME);
    assert_int_equal(m->picture.width, 224);
    assert_int_equal(m->picture.height, 200);
    assert_true(m->picture.first && m->picture.bgr);
    assert_true(m->picture.mean[1] == 0.4 && m->picture.std[2] == 3);
    assert_true(m->every == 1 && m->batch == 1 && m->dim == 3);
    assert_int_equal(m->outputs[0].pool, EMS_POOL_MEAN);
    assert_true(m->shift == 0 && m->scale == 1);
    ems_manifest_free(m);
}

static void a_speech_expert(void **state)
{
    (void)state;
    ems_error err;
    ems_manifest *m = parse(
        HEAD "\"modality\": \"speech\"," FILES
        "\"input\": {\"name\": \"x\", \"rate\": 16000, \"window\": 512,"
        " \"constant\": {\"name\": \"sr\", \"value\": 16000}, \"states\":"
        " [{\"in\": \"h\", \"out\": \"hn\", \"shape\": [2, 1, 64]}],"
        " \"front\": {\"network\": \"f.onnx\", \"sha256\": \"" SUM "\","
        " \"scale\": 0.1, \"offset\": 2, \"shape\": [1, 76, 32, 1]}},"
        " \"scaling\": [-1, 3],"
        " \"outputs\": [{\"dim\": 1, \"labels\": [\"speech\"]}]}", &err);
    assert_non_null(m);
    assert_true(m->sound.window == 512 && m->sound.hop == 512);
    assert_string_equal(m->constant, "sr");
    assert_int_equal(m->constant_value, 16000);
    assert_true(m->state_count == 1 && m->states[0].dims[2] == 64);
    assert_string_equal(m->sound.front.path, "f.onnx");
    assert_true(m->sound.front_rank == 4 && m->sound.front_offset == 2);
    assert_true(m->shift == -1 && m->scale == 0.25);
    assert_string_equal(m->outputs[0].labels[0], "speech");
    ems_manifest_free(m);
}

static const struct { const char *text, *says; } WRONG[] = {
    {"", "m.json"},
    {"{\"format\": \"emsync-plan\", \"version\": 1}", "format"},
    {"{\"format\": \"emsync-expert\", \"version\": 2}", "version"},
    {HEAD FILES INPUT OUTPUTS, "modality: missing"},
    {HEAD "\"modality\": \"smell\"," FILES INPUT OUTPUTS,
     "must be one of frame, face"},
    {HEAD "\"modality\": \"text\"," FILES INPUT OUTPUTS, "words are rated"},
    {HEAD "\"modality\": \"frame\", \"network\": \"../n\", \"sha256\": \"" SUM
     "\"," INPUT OUTPUTS, "own folder"},
    {HEAD "\"modality\": \"frame\", \"network\": \"n\", \"sha256\": \"12\","
     INPUT OUTPUTS, "64 hexadecimal"},
    {HEAD "\"modality\": \"frame\", \"every\": 0," FILES INPUT OUTPUTS,
     "every"},
    {HEAD "\"modality\": \"frame\", \"scaling\": [1, 1]," FILES INPUT OUTPUTS,
     "low < high"},
    {HEAD "\"modality\": \"frame\"," FILES "\"input\": {\"width\": 4,"
     " \"height\": 9}," OUTPUTS, "input.width"},
    {HEAD "\"modality\": \"frame\"," FILES "\"input\": {\"width\": 9,"
     " \"height\": 9, \"std\": [1, 0, 1]}," OUTPUTS, "input.std"},
    {HEAD "\"modality\": \"sound\"," FILES "\"input\": {\"rate\": 16000,"
     " \"window\": 512, \"hop\": 600}," OUTPUTS, "input.hop"},
    {HEAD "\"modality\": \"sound\"," FILES "\"input\": {\"rate\": 16000,"
     " \"window\": 512, \"states\": [{\"in\": \"h\", \"out\": \"o\","
     " \"shape\": [1048576, 1048576]}]}," OUTPUTS, "2^24"},
    {HEAD "\"modality\": \"frame\"," FILES INPUT "\"outputs\": []}",
     "outputs: is empty"},
    {HEAD "\"modality\": \"frame\"," FILES INPUT "\"outputs\": [{\"dim\": 2,"
     " \"labels\": [\"a\"]}]}", "1 names for 2"},
    {HEAD "\"modality\": \"speech\"," FILES "\"input\": {\"rate\": 16000,"
     " \"window\": 512}," OUTPUTS, "one value in all"},
};

static void wrong_ones_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        ems_error err = {0};
        assert_null(parse(WRONG[i].text, &err));
        assert_int_equal(err.code, EMS_EFORMAT);
        if (!strstr(err.text, WRONG[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, WRONG[i].says);
    }
}

/* The manifests in the tree are good. */
static void ours_are_read(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "body", "face-detector", "faces", "objects", "scene", "sound",
        "speech", "examples/beats", "examples/clip", "examples/vit-face",
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char path[512], text[16384];
        ems_error err;
        snprintf(path, sizeof path, "%s/%s/manifest.json", EMS_EXPERTS_TREE,
                 NAMES[i]);
        FILE *in = fopen(path, "rb");
        assert_non_null(in);
        const size_t n = fread(text, 1, sizeof text, in);
        fclose(in);
        ems_manifest *m = ems_manifest_parse(text, n, path, &err);
        if (!m)
            fail_msg("%s", err.text);
        const char *slash = strrchr(NAMES[i], '/');
        assert_string_equal(m->name, slash ? slash + 1 : NAMES[i]);
        ems_manifest_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_expert),
        cmocka_unit_test(a_speech_expert),
        cmocka_unit_test(wrong_ones_are_refused),
        cmocka_unit_test(ours_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
