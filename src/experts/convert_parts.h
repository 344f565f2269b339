/* convert_parts.h - what the operators' converters share. */
#ifndef EMS_CONVERT_PARTS_H
#define EMS_CONVERT_PARTS_H
#include "experts/convert.h"

typedef struct ems_cv_name {
    char text[560];
} ems_cv_name;

/* The few words that stand in graphs, in base 64. */
#define WORD_SAME  "U0FNRQ=="
#define WORD_VALID "VkFMSUQ="
#define WORD_NHWC  "TkhXQw=="
#define WORD_BIAS  "Qmlhc0FkZA=="
#define WORD_RELU  "UmVsdQ=="
#define WORD_RELU6 "UmVsdTY="

int ems_cv_refuse(const ems_convert_job *j, const char *why);
ems_cv_name ems_cv_plain(const char *input);
ems_cv_name ems_cv_temporary(ems_convert_job *j);
const json_t *ems_cv_attribute(const ems_convert_job *j, const char *key,
                               const char *type);
int64_t ems_cv_whole_of(const json_t *v, int64_t otherwise);
int ems_cv_flag(const ems_convert_job *j, const char *key);
const char *ems_cv_type_of(const ems_convert_job *j, const char *key);
size_t ems_cv_list_of(const ems_convert_job *j, const char *key,
                      int64_t out[EMS_TF_RANK]);
int ems_cv_means(const json_t *value, const char *word64);
const ems_tf_weight *ems_cv_constant(const ems_convert_job *j, size_t i);
ems_cv_name ems_cv_in_name(ems_convert_job *j, size_t i);
static inline void ems_cv_simple(ems_convert_job *j, const char *op,
                                 const char *a, const char *b,
                                 const char *out)
{
    ems_onnx_simple(&j->graph, op, a, b, out);
}
ems_cv_name ems_cv_wholes(ems_convert_job *j, const int64_t *values,
                          size_t count);
ems_cv_name ems_cv_scalar(ems_convert_job *j, float value);
void ems_cv_transpose(ems_convert_job *j, const char *in, const char *out,
                      int to_first);
void ems_cv_cast(ems_convert_job *j, const char *in, const char *out, int type);
void ems_cv_relu6(ems_convert_job *j, const char *in, const char *out);
#endif
