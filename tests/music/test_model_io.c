#include "ems_test.h"

#include "base/mem.h"
#include "music/model_io.h"

#include <math.h>

#define FILE_PATH EMS_SCRATCH "/model_io.safetensors"
enum { MOST = 80 };
static const ems_model_shape SHAPE = {8, 2, 2, 12, 20, 30};

static ems_params *make_params(void)
{
    ems_params *p = ems_alloc(1, sizeof *p);
    float *block = ems_alloc(ems_params_count(&SHAPE), sizeof *block);
    assert_true(p && block);
    ems_params_place(p, &SHAPE, block);
    ems_params_init(p, 11);
    return p;
}

static void free_params(ems_params *p)
{
    ems_free(p->block);
    ems_free(p);
}

static int load(ems_params *p, ems_error *err)
{
    ems_safetensors *st = ems_safetensors_open(FILE_PATH, err);
    assert_non_null(st);
    const int code = ems_params_load(st, "model", p, err);
    ems_safetensors_free(st);
    return code;
}

static void test_round_trip(void **state)
{
    (void)state;
    ems_params *p = make_params(), *q = ems_alloc(1, sizeof *q);
    const ems_st_pair extra = {"licence", "CC0"};
    ems_error err = {0};
    assert_int_equal(ems_params_save(p, FILE_PATH, &extra, 1, &err), EMS_OK);
    assert_int_equal(load(q, &err), EMS_OK);
    assert_memory_equal(&q->shape, &SHAPE, sizeof SHAPE);
    assert_memory_equal(p->block, q->block, p->count * sizeof *p->block);
    ems_model_info info;
    assert_int_equal(ems_model_inspect(FILE_PATH, &info, &err), EMS_OK);
    assert_int_equal(info.parameters, p->count);
    assert_int_equal(strlen(info.sha256), 64);
    free_params(p);
    free_params(q);
}

/* ---- One tensor changed -------------------------------------------------- */

typedef struct list {
    ems_st_tensor t[MOST];
    char name[MOST][48];
    size_t count;
    const float *block;
} list;

static void add_tensor(void *user, const ems_tensor *t)
{
    list *l = user;
    ems_st_tensor *o = &l->t[l->count];
    *o = (ems_st_tensor){.dtype = EMS_DT_F32, .ndim = t->ndim,
                         .data = l->block + t->offset,
                         .bytes = t->count * sizeof(float)};
    memcpy(o->dims, t->dims, sizeof t->dims);
    memcpy(l->name[l->count], t->name, sizeof t->name);
    o->name = l->name[l->count++];
}

static ems_st_tensor *tensor(list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->t[i].name, name) == 0)
            return &l->t[i];
    fail();
    return NULL;
}

static void expect(const list *l, const ems_st_pair *meta, const char *says)
{
    ems_error err = {0};
    ems_params *q = ems_alloc(1, sizeof *q);
    assert_int_equal(ems_safetensors_write(FILE_PATH, l->t, l->count, meta,
                                           meta ? 1 : 0, &err), EMS_OK);
    const int code = load(q, &err);
    if (says) {
        if (!strstr(err.text, says))
            print_error("%s\n", err.text);
        assert_int_equal(code, EMS_EFORMAT);
        assert_non_null(strstr(err.text, says));
    } else {
        assert_string_equal(err.text, "");
        assert_int_equal(code, EMS_OK);
    }
    ems_free(q->block);
    ems_free(q);
}

static void test_refusals(void **state)
{
    (void)state;
    ems_params *p = make_params();
    list good = {.block = p->block};
    ems_params_each(&SHAPE, add_tensor, &good);
    list *l = ems_alloc(1, sizeof *l);
#define FRESH()                                                               \
    do {                                                                      \
        *l = good;                                                            \
        for (size_t i = 0; i < l->count; i++)                                 \
            l->t[i].name = l->name[i];                                        \
    } while (0)
    FRESH();
    expect(l, NULL, NULL); /* the shape is deduced */
    expect(l, &(ems_st_pair){"n_head", "2"}, NULL);
    expect(l, &(ems_st_pair){"n_head", "4"}, "metadata");
    tensor(l, "fc.bias")->name = "fc.bios";
    expect(l, NULL, "\"fc.bias\" is missing");
    FRESH();
    l->t[l->count] = (ems_st_tensor){.name = "extra", .dtype = EMS_DT_F32,
                                     .ndim = 1, .dims = {1},
                                     .data = p->block, .bytes = 4};
    l->count++;
    expect(l, NULL, "\"extra\" is not part");
    FRESH();
    tensor(l, "enc_layers.1.rga.Wq.weight")->ndim = 1;
    tensor(l, "enc_layers.1.rga.Wq.weight")->dims[0] = 64;
    expect(l, NULL, "other dimensions");
    FRESH();
    tensor(l, "fc.bias")->dtype = EMS_DT_I32;
    expect(l, NULL, "is I32");
    FRESH();
    tensor(l, "enc_layers.0.rga.E")->name = "other";
    expect(l, NULL, "not an EMSYNC music model");
    FRESH();
    p->out_b[3] = NAN;
    expect(l, NULL, "element 3 is not a finite");
    ems_free(l);
    free_params(p);
}

/* Half-size weights are widened. */
static void test_bf16(void **state)
{
    (void)state;
    ems_params *p = make_params();
    list l = {.block = p->block};
    ems_params_each(&SHAPE, add_tensor, &l);
    static const uint16_t brain[30] = {0x3f80, 0xc040};
    ems_st_tensor *t = tensor(&l, "fc.bias");
    t->dtype = EMS_DT_BF16;
    t->data = brain;
    t->bytes = sizeof brain;
    ems_error err = {0};
    ems_params q;
    assert_int_equal(ems_safetensors_write(FILE_PATH, l.t, l.count, NULL, 0,
                                           &err), EMS_OK);
    assert_int_equal(load(&q, &err), EMS_OK);
    assert_true(q.out_b[0] == 1 && q.out_b[1] == -3 && q.out_b[2] == 0);
    ems_free(q.block);
    free_params(p);
}

static void test_import(void **state)
{
    (void)state;
    static const char pt[] = EMS_SHARED "/golden/reference-model/tiny.pt";
    static const char same[] = EMS_SHARED
        "/golden/reference-model/tiny.weights.safetensors";
    ems_error err = {0};
    assert_int_equal(ems_model_import(EMS_SCRATCH "/none.pt", FILE_PATH,
                                      &err), EMS_EIO);
    if (access(pt, R_OK) != 0)
        skip();
    assert_int_equal(ems_model_import(pt, FILE_PATH, &err), EMS_OK);
    ems_safetensors *a = ems_safetensors_open(FILE_PATH, &err);
    ems_safetensors *b = ems_safetensors_open(same, &err);
    size_t count;
    const ems_st_tensor *t = ems_safetensors_all(a, &count);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(t[i].data,
                            ems_safetensors_find(b, t[i].name)->data,
                            t[i].bytes);
    assert_string_equal(ems_safetensors_metadata(a, "context_len"), "96");
    ems_safetensors_free(a);
    ems_safetensors_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bf16),       cmocka_unit_test(test_import),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
