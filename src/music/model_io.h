/* model_io.h - the music model's weights from and to safetensors. */
#ifndef EMS_MODEL_IO_H
#define EMS_MODEL_IO_H
#include "music/params.h"
#include "nn/safetensors.h"

/* The shape: from __metadata__ (d_model, n_layer, n_head, d_inner,
 * context_len, vocab_size), else deduced from the tensors. */
int ems_model_shape_of(const ems_safetensors *st, const char *name,
                       ems_model_shape *shape, ems_error *err);
/* Check every tensor's name, dims and dtype against the table in params.h
 * (F32, F16 and BF16 are taken; unknown tensors are refused) and copy them to
 * a new block: release p->block with ems_free. `name` is used in errors. */
int ems_params_load(const ems_safetensors *st, const char *name,
                    ems_params *p, ems_error *err);
/* Write the weights as F32 with the shape, and `pairs` more, as metadata. */
int ems_params_save(const ems_params *p, const char *path,
                    const ems_st_pair *metadata, size_t pairs,
                    ems_error *err);
/* The music model that ships, as ems_models_find: new memory, or NULL with a
 * sentence. */
char *ems_model_find(ems_error *err);
/* Is `path` (NULL: the model that ships) there, and does its header describe
 * a music model? Reads no weights. */
int ems_model_ready(const char *path, ems_error *err);
#endif
