#include "nn/torch_pt.h"

#include "base/file.h"
#include "base/mem.h"
#include "nn/torch_pickle.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 255 };

struct ems_torch_pt {
    ems_bytes map;
    ems_torch_dict dict;
};

/* The folder all records are in: what stands before "/data.pkl". */
static int find_root(const ems_zip *zip, char root[MAX_NAME + 1],
                     ems_error *err)
{
    static const char tail[] = "/data.pkl";
    const size_t n = sizeof tail - 1;
    for (size_t i = 0; i < zip->count; i++) {
        const ems_zip_record *r = &zip->record[i];
        if (r->name_length <= n || r->name_length - n > 200 ||
            memcmp(r->name + r->name_length - n, tail, n) != 0)
            continue;
        memcpy(root, r->name, r->name_length - n);
        root[r->name_length - n] = '\0';
        return EMS_OK;
    }
    return ems_fail(err, EMS_EFORMAT, "%s is not a file from torch.save: it"
                    " has no pickle of a state dict", zip->file);
}

static int read_zip(ems_torch_pt *pt, ems_zip *zip, ems_error *err)
{
    char root[MAX_NAME + 1], name[MAX_NAME + 16];
    const int code = find_root(zip, root, err);
    if (code < 0)
        return code;
    snprintf(name, sizeof name, "%s/data.pkl", root);
    const ems_zip_record *rec = ems_zip_find(zip, name, err);
    if (!rec)
        return EMS_EFORMAT;
    if (rec->size > EMS_MAX_PICKLE)
        return ems_fail(err, EMS_EFORMAT, "%s: its pickle of %zu bytes is no"
                        " dict of tensors", zip->file, rec->size);
    return ems_torch_unpickle(&pt->dict, zip, root, rec, err);
}

ems_torch_pt *ems_torch_pt_parse(const void *data, size_t size,
                                 const char *name, ems_error *err)
{
    ems_zip zip;
    ems_torch_pt *pt = ems_alloc(1, sizeof *pt);
    if (!pt) {
        ems_out_of_memory(err);
        return NULL;
    }
    int code = ems_zip_parse(&zip, data, size, name, err);
    if (code == EMS_OK)
        code = read_zip(pt, &zip, err);
    ems_zip_clear(&zip);
    if (code < 0) {
        ems_torch_pt_free(pt);
        return NULL;
    }
    return pt;
}

ems_torch_pt *ems_torch_pt_open(const char *path, ems_error *err)
{
    ems_bytes map;
    if (ems_bytes_map(&map, path, 0, err) < 0)
        return NULL;
    ems_torch_pt *pt = ems_torch_pt_parse(map.data, map.size, path, err);
    if (pt)
        pt->map = map;
    else
        ems_bytes_unmap(&map);
    return pt;
}

const ems_st_tensor *ems_torch_pt_all(const ems_torch_pt *pt, size_t *count)
{
    *count = pt->dict.count;
    return pt->dict.tensor;
}

void ems_torch_pt_free(ems_torch_pt *pt)
{
    if (!pt)
        return;
    ems_bytes_unmap(&pt->map);
    ems_free(pt->dict.tensor);
    ems_free(pt->dict.names);
    ems_free(pt);
}
