/* torch_pt.h - state dicts as torch.save writes them: an uncompressed zip with
 * a pickle that names tensors. The pickle is read by a machine that knows only
 * what a dict of tensors needs; nothing in the file is ever executed. */
#ifndef EMS_TORCH_PT_H
#define EMS_TORCH_PT_H
#include "nn/safetensors.h"

typedef struct ems_torch_pt ems_torch_pt; /* read-only */

/* NULL on failure; the sentence names the opcode or global and its byte in
 * the pickle. F32, F16 and BF16 tensors, contiguous. */
ems_torch_pt *ems_torch_pt_open(const char *path, ems_error *err);
/* As above from memory that outlives the result; `name` is used in errors. */
ems_torch_pt *ems_torch_pt_parse(const void *data, size_t size,
                                 const char *name, ems_error *err);
/* In the order of the dict. */
const ems_st_tensor *ems_torch_pt_all(const ems_torch_pt *pt, size_t *count);
void ems_torch_pt_free(ems_torch_pt *pt);
#endif
