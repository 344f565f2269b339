#include "nn/torch_pickle.h"

#include "base/mem.h"
#include "base/reader.h"

#include <stdio.h>
#include <string.h>

enum { MAX_STACK = 1 << 16, MAX_NAME = 255 };

typedef enum kind {
    NONE, BOOL, INT, TEXT, MARK, TUPLE, DICT, GLOBAL, STORAGE, TENSOR,
} kind;
static const char *const KIND_NAME[] = {
    "None", "a boolean", "a number", "a string", "a mark", "a tuple",
    "a dict", "a class or function", "a storage", "a tensor",
};

typedef enum global {
    REBUILD_TENSOR, ORDERED_DICT, FLOAT_STORAGE, HALF_STORAGE,
    BFLOAT16_STORAGE, GLOBALS,
} global;
static const struct {
    const char *module, *name;
} GLOBAL_NAME[GLOBALS] = {
    {"torch._utils", "_rebuild_tensor_v2"},
    {"collections", "OrderedDict"},
    {"torch", "FloatStorage"},
    {"torch", "HalfStorage"},
    {"torch", "BFloat16Storage"},
};

/* INT, BOOL: number. TEXT: `number` bytes at text. TUPLE: `number` cells from
 * cell[index]. GLOBAL: number. DICT, STORAGE, TENSOR: index. */
typedef struct value {
    kind kind;
    uint32_t index;
    int64_t number;
    const char *text;
} value;

typedef struct storage {
    const uint8_t *data;
    size_t size;      /* bytes */
    ems_dtype dtype;
} storage;

typedef struct item { /* one member of some dict */
    uint32_t dict;
    value key, content;
} item;

typedef struct machine {
    ems_reader in;
    const char *file, *root; /* of the file; folder inside the zip */
    ems_zip *zip;
    ems_error *err;
    size_t opcode;    /* byte of the one being run */
    value *stack, *cell, *memo;
    size_t depth, stack_room, cells, cell_room, memo_room;
    item *item;
    storage *storage;
    ems_st_tensor *tensor; /* nameless until the end */
    size_t items, item_room, storages, storage_room, tensors, tensor_room;
    uint32_t dicts;
    int code, done;
} machine;

static void refuse(machine *m, const char *what)
{
    if (m->code == EMS_OK)
        m->code = ems_fail(m->err, EMS_EFORMAT, "%s: byte %zu of its pickle:"
                           " %s", m->file, m->opcode, what);
}

/* Grow *array so that element `count` exists; returns whether it does. */
static int room(machine *m, void **array, size_t *capacity, size_t count,
                size_t size)
{
    if (ems_reserve(array, capacity, count + 1, size) == 0)
        return 1;
    m->code = ems_out_of_memory(m->err);
    return 0;
}
#define ROOM(m, array, capacity, count)                                       \
    room(m, (void **)&(m)->array, &(m)->capacity, count, sizeof *(m)->array)

static void push(machine *m, value v)
{
    if (m->depth >= MAX_STACK)
        refuse(m, "nested too deeply");
    else if (ROOM(m, stack, stack_room, m->depth))
        m->stack[m->depth++] = v;
}

static void push_int(machine *m, kind k, int64_t number)
{
    push(m, (value){.kind = k, .number = number});
}

static value pop(machine *m)
{
    if (m->depth == 0) {
        refuse(m, "takes a value where there is none");
        return (value){0};
    }
    return m->stack[--m->depth];
}

static value pop_kind(machine *m, kind want)
{
    const value v = pop(m);
    if (m->code == EMS_OK && v.kind != want) {
        char text[96];
        snprintf(text, sizeof text, "finds %s where %s must be",
                 KIND_NAME[v.kind], KIND_NAME[want]);
        refuse(m, text);
    }
    return v;
}

/* Index after the topmost mark. */
static size_t after_mark(machine *m)
{
    size_t at = m->depth;
    while (at > 0 && m->stack[at - 1].kind != MARK)
        at--;
    if (at == 0)
        refuse(m, "needs a mark");
    return at;
}

/* ---- Tuples and dicts -------------------------------------------------- */

/* The top n values become a tuple. */
static void make_tuple(machine *m, size_t n)
{
    if (n > m->depth) {
        refuse(m, "takes a value where there is none");
        return;
    }
    const value v = {.kind = TUPLE, .index = (uint32_t)m->cells,
                     .number = (int64_t)n};
    for (size_t i = m->depth - n; i < m->depth; i++) {
        if (!ROOM(m, cell, cell_room, m->cells))
            return;
        m->cell[m->cells++] = m->stack[i];
    }
    m->depth -= n;
    push(m, v);
}

static void tuple_to_mark(machine *m)
{
    const size_t start = after_mark(m);
    if (m->code < 0)
        return;
    make_tuple(m, m->depth - start);
    if (m->code < 0)
        return;
    m->stack[m->depth - 2] = m->stack[m->depth - 1]; /* over the mark */
    m->depth--;
}

static void make_dict(machine *m)
{
    push(m, (value){.kind = DICT, .index = m->dicts++});
}

static void set_item(machine *m, const value *dict, const value *key,
                     const value *content)
{
    if (dict->kind != DICT || key->kind != TEXT || content->kind == MARK)
        refuse(m, "only dicts with string keys can be read");
    else if (ROOM(m, item, item_room, m->items))
        m->item[m->items++] = (item){dict->index, *key, *content};
}

static void set_items(machine *m)
{
    const size_t start = after_mark(m);
    if (m->code == EMS_OK && (start < 2 || (m->depth - start) % 2 != 0))
        refuse(m, "a dict's members are not in pairs");
    for (size_t i = start; m->code == EMS_OK && i < m->depth; i += 2)
        set_item(m, &m->stack[start - 2], &m->stack[i], &m->stack[i + 1]);
    if (m->code == EMS_OK)
        m->depth = start - 1;
}

static void set_one(machine *m)
{
    const value content = pop(m), key = pop(m);
    const value dict = pop_kind(m, DICT);
    if (m->code == EMS_OK)
        set_item(m, &dict, &key, &content);
    push(m, dict);
}

/* What OrderedDict subclasses keep beside their members (torch's version
 * numbers): read and dropped. */
static void drop_state(machine *m)
{
    pop_kind(m, DICT);
    push(m, pop_kind(m, DICT));
}

/* ---- Storages and tensors ---------------------------------------------- */

static const value *tuple_cell(const machine *m, const value *tuple, size_t i,
                               kind want)
{
    if ((int64_t)i >= tuple->number)
        return NULL;
    const value *v = &m->cell[tuple->index + i];
    return v->kind == want ? v : NULL;
}

static int is_text(const value *v, const char *text)
{
    return v && (size_t)v->number == strlen(text) &&
           memcmp(v->text, text, strlen(text)) == 0;
}

static void add_storage(machine *m, const value *key, ems_dtype dtype,
                        int64_t count)
{
    char name[2 * MAX_NAME];
    snprintf(name, sizeof name, "%.200s/data/%.*s", m->root,
             key->number < 200 ? (int)key->number : 200, key->text);
    const ems_zip_record *rec = ems_zip_find(m->zip, name, m->err);
    if (!rec) {
        m->code = EMS_EFORMAT;
        return;
    }
    if (count < 0 || (uint64_t)count > rec->size / ems_dtype_size(dtype)) {
        refuse(m, "a storage is larger than its record");
        return;
    }
    if (!ROOM(m, storage, storage_room, m->storages))
        return;
    m->storage[m->storages] = (storage){
        rec->data, (size_t)count * ems_dtype_size(dtype), dtype};
    push(m, (value){.kind = STORAGE, .index = (uint32_t)m->storages++});
}

/* ("storage", class, key, device, count) */
static void persistent(machine *m)
{
    const value id = pop_kind(m, TUPLE);
    if (m->code < 0)
        return;
    const value *word = tuple_cell(m, &id, 0, TEXT);
    const value *type = tuple_cell(m, &id, 1, GLOBAL);
    const value *key = tuple_cell(m, &id, 2, TEXT);
    const value *count = tuple_cell(m, &id, 4, INT);
    if (id.number != 5 || !is_text(word, "storage") || !type || !key ||
        !count || type->number < FLOAT_STORAGE) {
        refuse(m, "a persistent object that is not a storage");
        return;
    }
    static const ems_dtype dtype[] = {
        [FLOAT_STORAGE] = EMS_DT_F32, [HALF_STORAGE] = EMS_DT_F16,
        [BFLOAT16_STORAGE] = EMS_DT_BF16};
    add_storage(m, key, dtype[type->number], count->number);
}

/* Dims and row-major strides. */
static int read_layout(machine *m, const value *size, const value *stride,
                       ems_st_tensor *t)
{
    if (size->number > EMS_ST_DIMS || stride->number != size->number)
        return 0;
    t->ndim = (int)size->number;
    t->bytes = ems_dtype_size(t->dtype);
    size_t elements = 1;
    for (size_t i = (size_t)t->ndim; i-- > 0;) {
        const value *d = tuple_cell(m, size, i, INT);
        const value *s = tuple_cell(m, stride, i, INT);
        if (!d || !s || d->number < 0 ||
            (d->number > 1 && (uint64_t)s->number != elements))
            return 0;
        t->dims[i] = (size_t)d->number;
        if (__builtin_mul_overflow(t->bytes, t->dims[i], &t->bytes))
            return 0;
        elements *= t->dims[i];
    }
    return 1;
}

/* (storage, offset, size, stride, requires_grad, hooks) */
static void rebuild_tensor(machine *m, const value *args)
{
    const value *from = tuple_cell(m, args, 0, STORAGE);
    const value *offset = tuple_cell(m, args, 1, INT);
    const value *size = tuple_cell(m, args, 2, TUPLE);
    const value *stride = tuple_cell(m, args, 3, TUPLE);
    ems_st_tensor t = {0};
    if (args->number != 6 || !from || !offset || !size || !stride ||
        !tuple_cell(m, args, 4, BOOL) || !tuple_cell(m, args, 5, DICT)) {
        refuse(m, "a tensor with odd arguments");
        return;
    }
    const storage *s = &m->storage[from->index];
    t.dtype = s->dtype;
    size_t skip = 0;
    if (!read_layout(m, size, stride, &t))
        refuse(m, "a tensor that is not contiguous");
    else if (offset->number < 0 ||
             __builtin_mul_overflow((size_t)offset->number,
                                    ems_dtype_size(t.dtype), &skip) ||
             skip > s->size || t.bytes > s->size - skip)
        refuse(m, "a tensor reaches beyond its storage");
    if (m->code < 0 || !ROOM(m, tensor, tensor_room, m->tensors))
        return;
    t.data = s->data + skip;
    m->tensor[m->tensors] = t;
    push(m, (value){.kind = TENSOR, .index = (uint32_t)m->tensors++});
}

static void reduce(machine *m)
{
    const value args = pop_kind(m, TUPLE), callable = pop_kind(m, GLOBAL);
    if (m->code < 0)
        return;
    if (callable.number == ORDERED_DICT && args.number == 0)
        make_dict(m);
    else if (callable.number == REBUILD_TENSOR)
        rebuild_tensor(m, &args);
    else
        refuse(m, "a call that no dict of tensors needs");
}

/* ---- Opcodes ----------------------------------------------------------- */

/* Text up to a newline, which is skipped. */
static void read_line(machine *m, char out[MAX_NAME + 1])
{
    size_t n = 0;
    for (;;) {
        const uint8_t c = ems_read_u8(&m->in);
        if (m->in.failed || c == '\n')
            break;
        if (n < MAX_NAME && c >= ' ' && c < 127)
            out[n++] = (char)c;
    }
    out[n] = '\0';
}

static void read_global(machine *m)
{
    char module[MAX_NAME + 1], name[MAX_NAME + 1], text[192];
    read_line(m, module);
    read_line(m, name);
    for (int i = 0; i < GLOBALS; i++)
        if (strcmp(module, GLOBAL_NAME[i].module) == 0 &&
            strcmp(name, GLOBAL_NAME[i].name) == 0) {
            push_int(m, GLOBAL, i);
            return;
        }
    snprintf(text, sizeof text, "asks for \"%.60s.%.60s\", which no dict of"
             " tensors needs", module, name);
    refuse(m, text);
}

static void read_text(machine *m)
{
    const uint32_t length = ems_read_u32le(&m->in);
    const uint8_t *bytes = ems_read_bytes(&m->in, length);
    if (bytes)
        push(m, (value){.kind = TEXT, .number = length,
                        .text = (const char *)bytes});
}

/* A signed little-endian number of up to 8 bytes. */
static void read_long(machine *m)
{
    const uint8_t n = ems_read_u8(&m->in);
    const uint8_t *b = ems_read_bytes(&m->in, n);
    if (!b || n > 8) {
        refuse(m, "a number of more than 64 bits");
        return;
    }
    uint64_t bits = n && b[n - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = n; i-- > 0;)
        bits = bits << 8 | b[i];
    push_int(m, INT, (int64_t)bits);
}

static void put_memo(machine *m, uint32_t slot)
{
    if (m->depth == 0 || slot >= EMS_MAX_PICKLE) {
        refuse(m, "keeps a value that is not there");
        return;
    }
    const size_t before = m->memo_room;
    if (!ROOM(m, memo, memo_room, slot))
        return;
    for (size_t i = before; i < m->memo_room; i++)
        m->memo[i] = (value){.kind = MARK};
    m->memo[slot] = m->stack[m->depth - 1];
}

static void get_memo(machine *m, uint32_t slot)
{
    if (slot >= m->memo_room || m->memo[slot].kind == MARK)
        refuse(m, "recalls a value that was never kept");
    else
        push(m, m->memo[slot]);
}

static void proto(machine *m)
{
    if (ems_read_u8(&m->in) != 2)
        refuse(m, "a pickle protocol other than 2");
}

static void refuse_opcode(machine *m, uint8_t op)
{
    char text[96];
    if (m->in.failed)
        snprintf(text, sizeof text, "the pickle is cut off");
    else
        snprintf(text, sizeof text,
                 "opcode 0x%02x, which no dict of tensors needs", op);
    refuse(m, text);
}

static void run_opcode(machine *m, uint8_t op)
{
    ems_reader *in = &m->in;
    switch (op) {
    case 0x80: proto(m); break;
    case '}': make_dict(m); break;
    case ')': make_tuple(m, 0); break;
    case '(': push_int(m, MARK, 0); break;
    case 'N': push_int(m, NONE, 0); break;
    case 0x88: push_int(m, BOOL, 1); break;
    case 0x89: push_int(m, BOOL, 0); break;
    case 'J': push_int(m, INT, (int32_t)ems_read_u32le(in)); break;
    case 'K': push_int(m, INT, ems_read_u8(in)); break;
    case 'M': push_int(m, INT, ems_read_u16le(in)); break;
    case 0x8a: read_long(m); break;
    case 'X': read_text(m); break;
    case 'c': read_global(m); break;
    case 'q': put_memo(m, ems_read_u8(in)); break;
    case 'r': put_memo(m, ems_read_u32le(in)); break;
    case 'h': get_memo(m, ems_read_u8(in)); break;
    case 'j': get_memo(m, ems_read_u32le(in)); break;
    case 't': tuple_to_mark(m); break;
    case 0x85: make_tuple(m, 1); break;
    case 0x86: make_tuple(m, 2); break;
    case 0x87: make_tuple(m, 3); break;
    case 'Q': persistent(m); break;
    case 'R': reduce(m); break;
    case 's': set_one(m); break;
    case 'u': set_items(m); break;
    case 'b': drop_state(m); break;
    case '.': m->done = 1; break;
    default: refuse_opcode(m, op); break;
    }
}

/* ---- The result -------------------------------------------------------- */

static void keep_tensor(machine *m, ems_torch_dict *dict, const item *i,
                        size_t *used)
{
    for (int64_t c = 0; c < i->key.number; c++)
        if ((unsigned char)i->key.text[c] < ' ')
            refuse(m, "a tensor's name holds control characters");
    if (i->content.kind != TENSOR) {
        char text[160];
        snprintf(text, sizeof text, "\"%.*s\" is %s; every entry must be a"
                 " tensor", i->key.number < 60 ? (int)i->key.number : 60,
                 i->key.text, KIND_NAME[i->content.kind]);
        refuse(m, text);
    }
    if (m->code < 0)
        return;
    char *name = dict->names + *used;
    memcpy(name, i->key.text, (size_t)i->key.number);
    *used += (size_t)i->key.number + 1;
    for (size_t k = 0; k < dict->count; k++)
        if (strcmp(dict->tensor[k].name, name) == 0)
            refuse(m, "two tensors of one name");
    dict->tensor[dict->count] = m->tensor[i->content.index];
    dict->tensor[dict->count++].name = name;
}

static void keep_result(machine *m, ems_torch_dict *dict)
{
    const value top = pop_kind(m, DICT);
    size_t bytes = 0, used = 0, count = 0;
    for (size_t i = 0; i < m->items; i++)
        if (m->item[i].dict == top.index) {
            bytes += (size_t)m->item[i].key.number + 1;
            count++;
        }
    if (m->code < 0)
        return;
    dict->names = ems_alloc(bytes, 1);
    dict->tensor = ems_alloc(count, sizeof *dict->tensor);
    if (!dict->names || !dict->tensor) {
        m->code = ems_out_of_memory(m->err);
        return;
    }
    for (size_t i = 0; i < m->items && m->code == EMS_OK; i++)
        if (m->item[i].dict == top.index)
            keep_tensor(m, dict, &m->item[i], &used);
}

int ems_torch_unpickle(ems_torch_dict *dict, ems_zip *zip, const char *root,
                       const ems_zip_record *rec, ems_error *err)
{
    machine m = {.in = {rec->data, rec->size, 0, 0}, .file = zip->file,
                 .root = root, .zip = zip, .err = err};
    while (m.code == EMS_OK && !m.done) {
        m.opcode = m.in.at;
        const uint8_t op = ems_read_u8(&m.in);
        run_opcode(&m, op);
        if (m.in.failed)
            refuse_opcode(&m, op);
    }
    if (m.code == EMS_OK)
        keep_result(&m, dict);
    ems_free(m.stack);
    ems_free(m.cell);
    ems_free(m.memo);
    ems_free(m.item);
    ems_free(m.storage);
    ems_free(m.tensor);
    return m.code;
}
