/* torch_pickle.h - a pickle machine that can only make a dict of tensors. */
#ifndef EMS_TORCH_PICKLE_H
#define EMS_TORCH_PICKLE_H
#include "nn/safetensors.h"
#include "nn/torch_zip.h"

enum { EMS_MAX_PICKLE = 1 << 20 }; /* bytes; a state dict takes 95 a tensor */

typedef struct ems_torch_dict {
    ems_st_tensor *tensor; /* data points into the zip's file */
    size_t count;
    char *names;
} ems_torch_dict;

/* Run the pickle in `rec` (at most EMS_MAX_PICKLE bytes); storages are
 * records "<root>/data/<key>". Both blocks are the caller's to free, also
 * after a failure. */
int ems_torch_unpickle(ems_torch_dict *dict, ems_zip *zip, const char *root,
                       const ems_zip_record *rec, ems_error *err);
#endif
